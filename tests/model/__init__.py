"""The oracle of the tests: a small Cassandra, the connector's events of its statements, and generators of both."""
