"""Embedded services run for an ordinary user, also when the tests themselves are run by root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from runtime.embedded.accounts import Account, give, reachable, server_account
from tests.fixtures.servers import reachable_directory
from tests.integration.embedded.processes import ROOT

PROGRAM = """
import os, sys, psycopg
from pathlib import Path
from runtime.embedded.stack import EmbeddedServices
for _ in range(2):
    with EmbeddedServices(Path(sys.argv[1]), ["postgres", "valkey"], durable=False) as stack:
        with psycopg.connect(stack.postgres.dsn) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS t (a int)")
            connection.execute("INSERT INTO t VALUES (1)")
            rows = connection.execute("SELECT count(*) FROM t").fetchone()[0]
        owner = (stack.postgres.data_dir).stat().st_uid
print(os.getuid(), owner, rows)
"""


def interpreter_for(account: Account, directory: Path) -> tuple[Path, dict[str, str]]:
    """Return a Python that the account can reach: this one, else a copy without its packages."""
    base = Path(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if reachable(base / "bin" / version, account):
        return base / "bin" / version, {}
    copy = directory / "python"
    leave = shutil.ignore_patterns("site-packages", "test", "config-*", "__pycache__", "idlelib", "tkinter", "ensurepip")
    shutil.copytree(base / "lib" / version, copy / "lib" / version, ignore=leave)
    for library in (base / "lib").glob("libpython*.so*"):
        shutil.copy(library, copy / "lib" / library.name)
    (copy / "bin").mkdir()
    shutil.copy(base / "bin" / version, copy / "bin" / version)
    return copy / "bin" / version, {"PYTHONHOME": str(copy), "LD_LIBRARY_PATH": str(copy / "lib")}


def test_services_run_for_an_ordinary_user_and_keep_their_rows() -> None:
    root = server_account()
    account = root or Account("me", os.getuid(), os.getgid())
    packages = sysconfig.get_path("purelib")
    if not (reachable(ROOT, account) and reachable(Path(packages), account)):
        pytest.skip("the project lies where only root can reach it")
    with reachable_directory() as directory:
        python, environment = interpreter_for(account, directory)
        home = directory / "home"
        home.mkdir()
        give(home, root)
        path = os.pathsep.join([str(ROOT), packages])
        done = subprocess.run(
            [str(python), "-B", "-c", PROGRAM, str(home / "services")],
            cwd=home,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": path, **environment},
            user=account.uid if root else None,
            group=account.gid if root else None,
            extra_groups=[] if root else None,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.stdout.split(), done.stderr) == ([str(account.uid), str(account.uid), "2"], "")
