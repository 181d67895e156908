"""The pure core: events, schema, types and the rules of last write wins. No I/O, no clock, no environment."""
