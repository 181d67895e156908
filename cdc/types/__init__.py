"""Every CQL type of the mirror: one file a family, each ending in `register`."""
