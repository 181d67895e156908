"""`cassmirror check`: what would be used, and whether each server answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import click

from cdc.errors import CassandraUnavailable, CassmirrorError
from runtime.catalog import open_catalog
from runtime.kafka.client import KafkaClient
from runtime.kafka.scout import ClusterScout
from runtime.logs import configure_logs
from runtime.redis_cache import ping
from runtime.settings import Settings
from runtime.settings_loading import load_settings, unknown_variables
from sinks.postgres.probe import server_version

Probe = Callable[[], str]


@click.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Show the settings that would be used, and ask every server. Exits 2 for bad settings, 1 when a server is away."""
    settings = load_settings()
    configure_logs(settings.log)
    for name, value in flat(settings.masked()):
        click.echo(f"{name} = {value}")
    for variable in unknown_variables():
        click.echo(f"note: {variable} is no setting of ours", err=True)
    answers = [_show_schema(settings), *(_answers(name, probe) for name, probe in probes(settings).items())]
    if not all(answers):
        ctx.exit(1)


def _show_schema(settings: Settings) -> bool:
    """Show the tables and who named them; return whether anybody did."""
    with closing(open_catalog(settings)) as catalog:
        try:
            tables = catalog.load().tables.values()
        except CassandraUnavailable as error:
            click.echo(f"schema: {error}", err=True)
            return False
    click.echo(f"schema: from {catalog.origin}")
    click.echo(f"tables: {', '.join(sorted(table.full_name for table in tables))}")
    return True


def flat(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted names and values; a list is comma separated, as the environment takes it."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{path}{name}.")
        else:
            yield path + name, ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def probes(settings: Settings) -> dict[str, Probe]:
    """Return how each server is asked; what they return is shown."""
    found = {"PostgreSQL": lambda: _ask_postgres(settings), "Kafka": lambda: _ask_kafka(settings)}
    if settings.cassandra.contact_points:
        found["Cassandra"] = lambda: _ask_cassandra(settings)
    if settings.redis.url:
        found["Redis"] = lambda: _ask_redis(settings)
    return found


def _answers(name: str, probe: Probe) -> bool:
    try:
        click.echo(f"{name}: ok, {probe()}")
    except CassmirrorError as error:
        click.echo(f"{name}: {error}", err=True)
        return False
    return True


def _ask_postgres(settings: Settings) -> str:
    timeout = settings.postgres.connect_timeout_seconds
    return f"server version {server_version(settings.postgres.dsn.get_secret_value(), timeout_seconds=timeout)}"


def _ask_kafka(settings: Settings) -> str:
    client = KafkaClient(settings.kafka.bootstrap_servers, settings.kafka.properties())
    prefix = settings.kafka.topic_prefix + "."
    with ClusterScout(client, settings.kafka.group_id) as scout:
        ours = [name for name in scout.topic_names() if name.startswith(prefix)]
    return f"{len(ours)} topics {prefix}*"


def _ask_cassandra(settings: Settings) -> str:
    with closing(open_catalog(settings)) as catalog:
        return f"release {catalog.node()}"


def _ask_redis(settings: Settings) -> str:
    ping(settings.redis)
    return "answers"
