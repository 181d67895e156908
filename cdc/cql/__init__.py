"""CQL as text: splitting scripts into statements, reading their DDL, printing a schema as `DESCRIBE` would."""
