"""The PostgreSQL sink: layout, statements, the guarded merge, tombstones, sweep and offsets."""
