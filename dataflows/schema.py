"""`cassmirror schema`: the schema as it was read."""

from __future__ import annotations

from contextlib import closing

import click

from cdc.cql.describe import describe
from runtime.catalog import open_catalog
from runtime.logs import configure_logs
from runtime.settings_loading import load_settings


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also print tables that are not mirrored.")
def schema(*, everything: bool) -> None:
    """Print the schema of the mirrored tables as CQL, behind a line that says where it is from."""
    settings = load_settings()
    configure_logs(settings.log)
    with closing(open_catalog(settings)) as catalog:
        found = catalog.read() if everything else catalog.load()
    click.echo(f"-- from {catalog.origin}")
    click.echo(describe(found), nl=False)
