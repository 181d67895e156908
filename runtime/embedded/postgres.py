"""Run PostgreSQL 18 with a launcher of our own."""

from __future__ import annotations

import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg import sql

from cdc.errors import ServiceFailed
from runtime.embedded import ports
from runtime.embedded.accounts import give, make_reachable, server_account
from runtime.embedded.capacity import MIB
from runtime.embedded.postgres_programs import environment, find_programs, run_as
from runtime.embedded.process import Launch
from runtime.embedded.secret_files import password
from runtime.embedded.server import Server

_USER = "cassmirror"
_MAINTENANCE_DATABASE = "postgres"
_SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",  # socket paths have a length limit, state directories have not
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "max_connections": "200",
    "logging_collector": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
_STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class PostgresServer(Server):
    """A PostgreSQL of our own with a random password.

    `durable=False` leaves out fsync: for tests, where processes crash but never the machine. Run by root, the server runs
    as an unprivileged account, and its files may stand elsewhere than asked for (`state_dir` then says where).
    """

    name = "postgres"
    disk_bytes = 512 * MIB
    memory_bytes = 384 * MIB

    def __init__(self, state_dir: Path, *, port: int | None = None, durable: bool = True) -> None:
        super().__init__(state_dir, port=port)
        self._durable = durable
        self._account = server_account()

    @property
    def data_dir(self) -> Path:
        """The database cluster."""
        return self.state_dir / "data"

    @property
    def password_file(self) -> Path:
        """The file, mode 0600, that holds the superuser's password."""
        return self.state_dir / "password"

    @property
    def dsn(self) -> str:
        """A connection URL to the maintenance database."""
        return self.dsn_of(_MAINTENANCE_DATABASE)

    @property
    def address(self) -> str:
        """The same as `dsn`."""
        return self.dsn

    def dsn_of(self, database: str) -> str:
        """Return a connection URL to a database."""
        return f"postgresql://{_USER}:{password(self.password_file)}@{self.host_port}/{quote(database, safe='')}"

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `smart` waits for sessions, `fast` ends them, `immediate` leaves recovery to the next start."""
        if self._process is not None:
            self._process.stop(_STOP_SIGNALS[mode])

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create a database and return its connection URL."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement)
        return self.dsn_of(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there, ending the sessions on it."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def copy_data(self, target: Path) -> None:
        """Copy the cluster of the stopped server, as a backup."""
        self._only_stopped()
        shutil.copytree(self.data_dir, target)

    def replace_data(self, source: Path | None) -> None:
        """Put a copied cluster in place of the stopped server's, or with `None` an empty one at the next start."""
        self._only_stopped()
        shutil.rmtree(self.data_dir)
        if source is not None:
            partial = self._fresh_partial()
            shutil.copytree(source, partial, dirs_exist_ok=True)
            give(partial, self._account)
            partial.rename(self.data_dir)

    def _only_stopped(self) -> None:
        if self.running():
            raise ServiceFailed(f"{self.name} runs, its files cannot be copied or replaced", hint="call stop() first")

    def _make_state_dir(self) -> None:
        self.state_dir = make_reachable(self.state_dir, self._account)

    def _launch(self) -> Launch:
        programs = find_programs(self._account)
        if not self.data_dir.exists():
            self._create_cluster(programs)
        self._remove_stale_lock()
        settings = _SETTINGS | {"port": str(self.port)} | ({} if self._durable else _NOT_DURABLE)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        argv = [str(programs / "postgres"), "-D", str(self.data_dir), *options]
        return Launch(argv, signal.SIGINT, account=self._account, env=environment())

    def _create_cluster(self, programs: Path) -> None:
        # An initdb that was cut off must not be taken for a cluster: the name appears when it is whole.
        partial = self._fresh_partial()
        give(partial, self._account)
        with tempfile.NamedTemporaryFile("w", dir=self.state_dir) as secret:
            secret.write(password(self.password_file))
            secret.flush()
            give(Path(secret.name), self._account)
            self._initdb(programs, partial, Path(secret.name))
        partial.rename(self.data_dir)

    def _fresh_partial(self) -> Path:
        partial = self.state_dir / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        return partial

    def _initdb(self, programs: Path, partial: Path, secret: Path) -> None:
        argv = [str(programs / "initdb"), "-D", str(partial), "-U", _USER, f"--pwfile={secret}", "--auth=scram-sha-256"]
        argv += ["--encoding=UTF8", "--locale=C", "--no-instructions", *([] if self._durable else ["--no-sync"])]
        done = run_as(self._account, argv, cwd=partial)
        if done.returncode:
            raise ServiceFailed(
                f"initdb could not make a cluster in {self.data_dir}: {(done.stderr or done.stdout).strip()}",
                hint="check that the disk has 100 MB free and that the directory may be written",
            )

    def _remove_stale_lock(self) -> None:
        """Remove a postmaster.pid whose process id now belongs to another program: PostgreSQL would take it for its own."""
        lock = self.data_dir / "postmaster.pid"
        with suppress(FileNotFoundError, ValueError, IndexError):
            pid = int(lock.read_text().splitlines()[0])
            if not _is_postmaster(pid, self.data_dir):
                lock.unlink()

    def _ready(self) -> bool:
        """Read the state that the postmaster writes into its lock file, as pg_ctl does."""
        with suppress(FileNotFoundError, IndexError):
            return (self.data_dir / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        return False


def _is_postmaster(pid: int, data_dir: Path) -> bool:
    try:
        return str(data_dir) in psutil.Process(pid).cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
