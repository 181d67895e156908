"""Start and stop several embedded services together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TypeVar

import psutil  # type: ignore[import-untyped]

from cdc.errors import ServiceFailed
from runtime.embedded import locks, services_file
from runtime.embedded.accounts import make_directory, server_account
from runtime.embedded.capacity import require_memory
from runtime.embedded.cassandra import CassandraServer
from runtime.embedded.connector import ConnectorServer
from runtime.embedded.kafka import KafkaServer
from runtime.embedded.postgres import PostgresServer
from runtime.embedded.server import Server
from runtime.embedded.valkey import ValkeyServer

# In the order of starting; they are stopped the other way round.
DEFAULT = ("postgres", "valkey", "kafka")
LIVE = ("cassandra", "connector")
ALL = (*DEFAULT, *LIVE)
# These are started when those serve.
_NEEDS = {"connector": ("kafka", "cassandra")}
_ServerT = TypeVar("_ServerT", bound=Server)


@dataclass(frozen=True)
class ServiceStatus:
    """What is known about one service."""

    name: str
    running: bool
    pid: int | None = None
    address: str = ""
    memory_bytes: int = 0
    log: str = ""


class EmbeddedServices:
    """The wanted servers, each in its part of one state directory; a context manager that starts and stops them.

    `durable=False` is for tests and demos, which end soon: see PostgresServer, and `short_lived` of KafkaServer. `ports` fixes
    the port of a service by its name. The connector brings Cassandra and Kafka with it; `before_connector` is called when
    those serve and it has not started: the place for DDL, none of which it can then miss. `keyspaces` are those it follows.
    `on_serving` is told of each server that serves, by several threads.
    """

    def __init__(
        self,
        state_dir: Path,
        wanted: Sequence[str] = DEFAULT,
        *,
        durable: bool = True,
        ports: Mapping[str, int] | None = None,
        topic_prefix: str = "cassandra",
        keyspaces: Sequence[str] = (),
        before_connector: Callable[[CassandraServer], None] | None = None,
        on_serving: Callable[[Server], None] = lambda _server: None,
    ) -> None:
        self.state_dir = state_dir.absolute()
        fixed, brief = dict(ports or {}), not durable
        unknown = sorted((set(wanted) | set(fixed)) - set(ALL))
        if unknown:
            raise ServiceFailed(f"no such service: {', '.join(unknown)}", hint=f"there are {', '.join(ALL)}")
        make: dict[str, Callable[[Path, int | None], Server]] = {
            "postgres": lambda place, port: PostgresServer(place, port=port, durable=durable),
            "valkey": lambda place, port: ValkeyServer(place, port=port),
            "kafka": lambda place, port: KafkaServer(place, port=port, short_lived=brief),
            "cassandra": lambda place, port: CassandraServer(place, port=port, short_lived=brief),
            "connector": lambda place, port: ConnectorServer(
                place, self.cassandra, self.kafka, port=port, topic_prefix=topic_prefix, keyspaces=keyspaces, short_lived=brief
            ),
        }
        brought = {name for one in wanted for name in (one, *_NEEDS.get(one, ()))}
        self.servers: tuple[Server, ...] = ()
        for name in ALL:
            if name in brought:
                self.servers += (make[name](self.state_dir / name, fixed.get(name)),)
        self._before_connector = before_connector
        self._on_serving = on_serving
        self._lock: IO[str] | None = None

    @property
    def postgres(self) -> PostgresServer:
        """The PostgreSQL among them."""
        return self._server(PostgresServer)

    @property
    def kafka(self) -> KafkaServer:
        """The broker among them."""
        return self._server(KafkaServer)

    @property
    def valkey(self) -> ValkeyServer:
        """The Valkey among them."""
        return self._server(ValkeyServer)

    @property
    def cassandra(self) -> CassandraServer:
        """The Cassandra node among them."""
        return self._server(CassandraServer)

    @property
    def connector(self) -> ConnectorServer:
        """The connector among them."""
        return self._server(ConnectorServer)

    def __enter__(self) -> EmbeddedServices:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start all, wait until all serve, and write `services.json`; if one fails, the others are stopped."""
        self._lock = self._hold()
        try:
            require_memory(sum(server.memory_bytes for server in self.servers), " and ".join(s.name for s in self.servers))
            for server in self.servers:
                server.prepare()
            self._start_all()
            services_file.write(self.state_dir, self._entries())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all, in the opposite order; idempotent."""
        for server in reversed(self.servers):
            server.stop()
        services_file.remove(self.state_dir)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def status(self) -> list[ServiceStatus]:
        """Look at each of the servers now."""
        return [_look(server.name, server.pid, server) for server in self.servers]

    def _hold(self) -> IO[str]:
        try:
            make_directory(self.state_dir, server_account())
            return locks.take(self.state_dir / services_file.LOCK_NAME, "services")
        except OSError as error:
            hint = "check the permissions of that place, or choose another state directory"
            raise ServiceFailed(f"the services could not use {self.state_dir}: {error}", hint=hint) from error

    def _start_all(self) -> None:
        self._start_together([server for server in self.servers if server.name not in _NEEDS])
        last = [server for server in self.servers if server.name in _NEEDS]
        if last and self._before_connector is not None:
            self._before_connector(self.cassandra)
        self._start_together(last)

    def _start_together(self, servers: Sequence[Server]) -> None:
        with ThreadPoolExecutor(len(servers) or 1) as pool:
            starts = [pool.submit(self._start_one, server) for server in servers]
            try:
                for start in starts:
                    start.result()
            except BaseException:
                self._stop_starting(starts)
                raise

    def _start_one(self, server: Server) -> None:
        server.start()
        self._on_serving(server)

    def _stop_starting(self, starts: Sequence[Future[None]]) -> None:
        # A start that has no process yet has nothing to stop: ask again until all starts have come to their end.
        while wait(starts, timeout=0.2).not_done:
            for server in self.servers:
                server.stop()

    def _entries(self) -> tuple[services_file.ServiceEntry, ...]:
        return tuple(
            services_file.ServiceEntry(server.name, server.pid or 0, server.address, str(server.log)) for server in self.servers
        )

    def _server(self, kind: type[_ServerT]) -> _ServerT:
        for server in self.servers:
            if isinstance(server, kind):
                return server
        raise ServiceFailed(f"{kind.name} is not among the wanted services", hint="name it in `wanted`")


def read_status(state_dir: Path) -> list[ServiceStatus]:
    """Look at the services of a state directory from any process; those that do not run are listed as such."""
    content = services_file.read(state_dir)
    entries = {entry.name: entry for entry in content.services} if content else {}
    return [
        _look(name, entries[name].pid, entries[name]) if name in entries else ServiceStatus(name, running=False) for name in ALL
    ]


def _look(name: str, pid: int | None, known: Server | services_file.ServiceEntry) -> ServiceStatus:
    try:
        process = psutil.Process(pid or 0)
        family = [process, *process.children(recursive=True)]
        memory = sum(_resident(member) for member in family)
    except psutil.NoSuchProcess:
        return ServiceStatus(name, running=False, log=str(known.log))
    return ServiceStatus(name, running=True, pid=pid, address=known.address, memory_bytes=memory, log=str(known.log))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
