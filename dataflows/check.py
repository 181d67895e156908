"""`cassmirror check`: what would be used, and whether each server answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click

from cdc.errors import CassmirrorError
from runtime.catalog import load_schema, ping_cache
from runtime.kafka.client import KafkaClient
from runtime.kafka.scout import ClusterScout
from runtime.logs import configure_logs
from runtime.settings import Settings, load_settings, unknown_variables
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
    tables = load_schema(settings).tables.values()
    click.echo(f"tables: {', '.join(sorted(table.full_name for table in tables))}")
    if not all([_answers(name, probe) for name, probe in probes(settings).items()]):  # noqa: C419 - ask all of them
        ctx.exit(1)


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
    return found | ({"Redis": lambda: _ask_redis(settings)} if settings.redis.url else {})


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


def _ask_redis(settings: Settings) -> str:
    ping_cache(settings.redis)
    return "answers"
