"""The Cassandra cluster that is mirrored, through cassandra-driver."""
