"""`cassmirror migrate`: bring PostgreSQL to the schema, and say what is there."""

from __future__ import annotations

import click

from runtime.catalog import load_schema
from runtime.logs import configure_logs
from runtime.settings_loading import load_settings
from sinks.postgres.migrate import migrate as migrate_tables
from sinks.postgres.probe import at_once


@click.command()
def migrate() -> None:
    """Create or alter the mirrored tables and the `cdc` schema. Safe to repeat, and beside running flows."""
    settings = load_settings()
    configure_logs(settings.log)
    tables = load_schema(settings).tables.values()
    with at_once():
        layouts = migrate_tables(settings.postgres.dsn.get_secret_value(), tables)
    for layout in layouts:
        click.echo(f"{layout.table.full_name} -> {layout.schema}.{layout.relation_name} (version {layout.version})")
