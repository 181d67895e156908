"""Run the embedded servers by hand: `cassmirror services up|down|status`."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.table import Table

from cdc.errors import CassmirrorError, ServiceFailed
from runtime.embedded import services_file
from runtime.embedded.accounts import make_directory, server_account
from runtime.embedded.addresses import environment_lines, without_password
from runtime.embedded.process import tail
from runtime.embedded.stack import ALL, DEFAULT, LIVE, EmbeddedServices, ServiceStatus, read_status
from runtime.embedded.state_dir import STATE_VARIABLE, default_state_dir

_DETACHED_LOG = "services.log"
_GLANCE_S = 0.5

_state_dir = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help=f"Where they keep their data (default: ${STATE_VARIABLE}, else the user's state directory).",
)


@click.group()
def services() -> None:
    """PostgreSQL, Kafka, Valkey, and Cassandra with its connector, of our own, for development."""


@services.command()
@_state_dir
@click.option("--only", "wanted", multiple=True, type=click.Choice(ALL), help="Start only this one; may be repeated.")
@click.option("--live", is_flag=True, help="Also start Cassandra and its connector: 2.5 GB of memory in all.")
@click.option("--detach", is_flag=True, help="Return when they serve, and leave them running until `down`.")
@click.option("--postgres-port", type=int, help="Default: a free one, kept across restarts.")
@click.option("--kafka-port", type=int, help="Default: a free one, kept across restarts.")
@click.option("--valkey-port", type=int, help="Default: a free one, kept across restarts.")
@click.option("--cassandra-port", type=int, help="Default: a free one, kept across restarts.")
def up(state_dir: Path | None, wanted: tuple[str, ...], *, live: bool, detach: bool, **ports: int | None) -> None:
    """Start PostgreSQL, Kafka and Valkey, or those asked for, and keep them until Ctrl+C.

    The connector brings Cassandra and Kafka with it.
    """
    place = _place(state_dir)
    wanted = (*(wanted or DEFAULT), *(LIVE if live else ()))
    fixed = {name.removesuffix("_port"): port for name, port in ports.items() if port is not None}
    if services_file.read(place) is not None:
        _show(read_status(place), f"already running in {place}")
        return
    try:
        if detach:
            _start_detached(place, wanted, fixed)
        else:
            _keep(EmbeddedServices(place, wanted, ports=fixed))
    except CassmirrorError as error:
        raise click.ClickException(str(error)) from error


@services.command()
@_state_dir
def down(state_dir: Path | None) -> None:
    """Stop the servers that another process keeps."""
    place = _place(state_dir)
    try:
        stopped = services_file.stop_owner(place)
    except CassmirrorError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"stopped, the data stays in {place}" if stopped else f"nothing runs in {place}")


@services.command()
@_state_dir
@click.option("--env", "as_environment", is_flag=True, help="Print settings for the shell, passwords included.")
def status(state_dir: Path | None, *, as_environment: bool) -> None:
    """Show what runs; exit 1 if nothing does."""
    place = _place(state_dir)
    found = read_status(place)
    if as_environment:
        click.echo("\n".join(environment_lines({service.name: service.address for service in found if service.running})))
    else:
        _show(found, str(place))
    if not any(service.running for service in found):
        sys.exit(1)


def _place(state_dir: Path | None) -> Path:
    return (state_dir or default_state_dir()).absolute()


def _keep(stack: EmbeddedServices) -> None:
    """Keep the servers until a signal, or until one of them ends by itself."""
    stopping = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()

    with stack:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, ask_to_stop)
        _show(stack.status(), str(stack.state_dir))
        click.echo("running; Ctrl+C or `cassmirror services down` stops them")
        while not stopping.wait(_GLANCE_S):
            ended = [server for server in stack.servers if not server.running()]
            if ended:
                names, logs = (", ".join(str(getattr(server, field)) for server in ended) for field in ("name", "log"))
                raise ServiceFailed(f"{names} ended by itself", hint=f"read {logs}")


def _start_detached(place: Path, wanted: Sequence[str], ports: dict[str, int]) -> None:
    """Run `up` in a process of its own, and wait until its servers serve."""
    make_directory(place, server_account())
    argv = [sys.executable, "-m", "dataflows.services", "up", "--state-dir", str(place)]
    argv += [f"--only={name}" for name in wanted] + [f"--{name}-port={port}" for name, port in ports.items()]
    log = place / _DETACHED_LOG
    here = Path(__file__).resolve().parents[1]  # where `-m` finds the module, installed or not
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            argv, cwd=here, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    while services_file.read(place) is None:
        if keeper.poll() is not None:
            raise ServiceFailed("\n".join(["the services could not be started:", *tail(log)]), hint=f"read {log}")
        time.sleep(0.05)
    keeper.returncode = 0  # it goes on without us, and is not to be waited for
    _show(read_status(place), str(place))


def _show(found: Sequence[ServiceStatus], title: str) -> None:
    table = Table(title=title, title_justify="left")
    for heading in ("service", "state", "pid", "memory", "address"):
        table.add_column(heading, overflow="fold")
    for service in found:
        state = "[green]running[/]" if service.running else "[red]stopped[/]"
        memory = f"{service.memory_bytes / 2**20:.0f} MiB" if service.running else ""
        address = without_password(service.address)
        table.add_row(service.name, state, str(service.pid or ""), memory, address)
    Console().print(table)


if __name__ == "__main__":
    services()
