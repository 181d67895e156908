"""Run the migrations of the `cdc` schema, with alembic."""

from __future__ import annotations

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, pool
from sqlalchemy.exc import DBAPIError


def migrations() -> Config:
    """Return where the migrations stand."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def upgrade(dsn: str) -> None:
    """Bring the schema to the newest version. Raises `psycopg.Error`."""
    config = migrations()
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=pool.NullPool)
    try:
        with engine.begin() as alchemy:
            if not alchemy.exec_driver_sql("SELECT 1 FROM pg_namespace WHERE nspname = 'cdc'").first():
                alchemy.exec_driver_sql("CREATE SCHEMA cdc")
            config.attributes["connection"] = alchemy
            command.upgrade(config, "head")
    except DBAPIError as error:
        raise error.orig or error from error
