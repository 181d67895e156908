"""`cassmirror status`: how running processes are, and how far their tables."""

from __future__ import annotations

from collections.abc import Iterable

import click
import msgspec
from rich.console import Console
from rich.table import Table

from cdc.errors import SettingsError
from runtime.admin.api import status_of
from runtime.glance import Glance, TableGlance, glance
from runtime.settings import HttpSettings
from runtime.settings_loading import load_settings

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - what a process listens on, not where it is asked


@click.command()
@click.option("--url", "urls", multiple=True, help="A process, as http://host:port; may be repeated. Default: CDC_HTTP__PORT.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a process, for programs.")
@click.pass_context
def status(ctx: click.Context, urls: tuple[str, ...], *, as_json: bool) -> None:
    """Show how running processes are, and how far their tables. Exits 1 when one is not ready, or does not answer."""
    found = [glance(url) for url in urls or [own_url(load_settings(needs_schema=False).http)]]
    for one in found:
        if as_json:
            said = msgspec.structs.asdict(status_of(one.live, one.ready, one.tables))
            click.echo(msgspec.json.encode({"url": one.url, **said}).decode())
        else:
            _show(one)
    if not all(one.ready.well for one in found):
        ctx.exit(1)


def own_url(settings: HttpSettings) -> str:
    """Return where the process with these settings answers. Raises `SettingsError` when it serves nothing."""
    if settings.port == 0:
        raise SettingsError("http.port: 0, so the process cannot be asked (CDC_HTTP__PORT)", hint="or name it with --url")
    return f"http://{_ANYWHERE.get(settings.host, settings.host)}:{settings.port}"


def _show(one: Glance) -> None:
    console = Console(highlight=False)
    state = "[green]ready[/]" if one.ready.well else "[red]not ready[/]" if one.live.well else "[red]failed[/]"
    console.print(f"{one.url}: {state}")
    for name, check in one.ready.checks.items():
        console.print(f"  {name}: {check}", markup=False)
    if one.tables:
        console.print(_table(one.tables.items()))


def _table(rows: Iterable[tuple[str, TableGlance]]) -> Table:
    shown = Table("table", box=None, pad_edge=False)
    for heading in ("events", "lag", "p50", "p99", "dead letters", ""):
        shown.add_column(heading, justify="right")
    for name, row in rows:
        times = (_seconds(row.lag_seconds), _within(row.latency_p50_seconds), _within(row.latency_p99_seconds))
        shown.add_row(name, str(row.events), *times, str(row.dead_letters), "[red]halted[/]" if row.halted else "")
    return shown


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


def _within(bound: float | None) -> str:
    return "" if bound is None else f"<= {bound:g} s"
