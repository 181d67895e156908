"""Alembic migrations of the `cdc` schema."""
