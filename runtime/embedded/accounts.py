"""Find the account that a server runs as, since PostgreSQL refuses root, and the places that account can reach."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from cdc.errors import ServiceFailed

_UNPRIVILEGED = "nobody"


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


def first_barrier(path: Path, account: Account | None) -> Path | None:
    """Return the first directory on the way to `path` that the account may not pass, `None` if the way is free."""
    if account is None:
        return None
    place = path.absolute()
    return next((step for step in reversed(place.resolve().parents) if step.exists() and not _passable(step, account)), None)


def _passable(directory: Path, account: Account) -> bool:
    status = directory.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def give(path: Path, account: Account | None) -> None:
    """Make the account the owner of a directory and all in it."""
    if account is None:
        return
    for place in (path, *path.rglob("*")):
        os.chown(place, account.uid, account.gid, follow_symlinks=False)
