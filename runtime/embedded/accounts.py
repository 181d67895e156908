"""Find the account for a server that refuses root, and places which that account can reach."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from cdc.errors import ServiceFailed
from runtime.embedded import locks

_UNPRIVILEGED = "nobody"
# Where root keeps what another account must reach, when the place that was asked for is closed to others.
SHARED_HOME = Path("/var/lib/cassmirror")
_ORIGIN = "moved-from"


@dataclass(frozen=True)
class Account:
    """A user to run a server as."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """Return the account for servers that refuse root, `None` when this process is not root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_UNPRIVILEGED)
    except KeyError as error:
        raise ServiceFailed(
            f"PostgreSQL does not run as root, and there is no account named {_UNPRIVILEGED}", hint="run as an ordinary user"
        ) from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def reachable(path: Path, account: Account | None) -> bool:
    """Tell whether the account may pass through every directory on the way to `path`, and through itself if it is one."""
    place = path.resolve()
    steps = [*place.parents, *([place] if place.is_dir() else [])]
    return account is None or all(_passable(step, account) for step in steps if step.exists())


def _passable(directory: Path, account: Account) -> bool:
    status = directory.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def make_directory(path: Path, account: Account | None) -> None:
    """Make the directory if it is not there, passable for the account."""
    if path.exists():
        return
    path.mkdir(parents=True)
    if account is not None:
        path.chmod(0o711)  # others pass through; what is secret has mode 0600


def make_reachable(wanted: Path, account: Account | None, *, shared_home: Path = SHARED_HOME) -> Path:
    """Make the directory, or one that stands for it under `shared_home` if the account cannot reach it; return which.

    A substitute lives as long as the directory it stands for: the next call after that one is gone removes it.
    """
    make_directory(wanted, account)
    if reachable(wanted, account):
        return wanted
    _remove_orphans(shared_home)
    substitute = shared_home / hashlib.sha256(str(wanted.resolve()).encode()).hexdigest()[:16]
    for directory in (shared_home, substitute):
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)
    (substitute / _ORIGIN).write_text(str(wanted.resolve()))
    if not reachable(substitute, account):
        raise ServiceFailed(
            f"{account.name if account else 'the server'} may enter neither {wanted} nor {substitute}",
            hint="choose a state directory that every user can enter, or run as an ordinary user",
        )
    return substitute


def _remove_orphans(shared_home: Path) -> None:
    for origin in shared_home.glob(f"*/{_ORIGIN}"):
        in_use = any(locks.is_held(lock) for lock in origin.parent.glob("*.lock"))
        if not in_use and not Path(origin.read_text()).exists():
            shutil.rmtree(origin.parent, ignore_errors=True)


def give(path: Path, account: Account | None) -> None:
    """Make the account the owner of a file, or of a directory and all in it."""
    if account is None:
        return
    for place in (path, *path.rglob("*")):
        os.chown(place, account.uid, account.gid, follow_symlinks=False)
