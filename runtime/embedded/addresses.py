"""Turn the addresses of services into settings for the shell, and into something that may be shown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

_SETTINGS = {
    "cassandra": "CDC_CASSANDRA__CONTACT_POINTS",
    "kafka": "CDC_KAFKA__BOOTSTRAP_SERVERS",
    "postgres": "CDC_POSTGRES__DSN",
    "valkey": "CDC_REDIS__URL",
}
_PASSWORD = re.compile(r"(?<=:)[^:/@]+(?=@)")


def environment_lines(addresses: Mapping[str, str]) -> list[str]:
    """Return `export` lines that point cassmirror at the services."""
    known = sorted(addresses.keys() & _SETTINGS.keys())
    return [f"export {_SETTINGS[name]}={shlex.quote(addresses[name])}" for name in known]


def without_password(address: str) -> str:
    """Return the address with its password masked."""
    return _PASSWORD.sub("***", address)
