"""`cassmirror schema`: the schema as it was read."""

from __future__ import annotations

import click

from cdc.cql.describe import describe
from runtime.catalog import load_schema, read_schema
from runtime.logs import configure_logs
from runtime.settings import load_settings


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also print tables that are not mirrored.")
def schema(*, everything: bool) -> None:
    """Print the schema of the mirrored tables as CQL."""
    settings = load_settings()
    configure_logs(settings.log)
    click.echo(describe(read_schema(settings) if everything else load_schema(settings)), nl=False)
