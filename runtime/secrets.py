"""Keeps passwords out of what people and logs see."""

from __future__ import annotations

import re
from collections.abc import Mapping

MASK = "********"
_URL_PASSWORD = re.compile(r"(?P<before>\w+://[^/?#\s]*?:)[^/?#\s]*(?=@)")
_NAMED_PASSWORD = re.compile(r"(?P<before>\b\w*password\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^\s&]+)", re.IGNORECASE)
_SENSITIVE = re.compile(r"password|secret|token|credential|key$|\.pem$|jaas", re.IGNORECASE)


def mask_address(address: str) -> str:
    """Return a URL or `key=value` connection string with its passwords masked."""
    masked = _URL_PASSWORD.sub(rf"\g<before>{MASK}", address)
    return _NAMED_PASSWORD.sub(rf"\g<before>{MASK}", masked)


def mask_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return named options with the values of those masked whose name says that they are secret."""
    return {name: MASK if _SENSITIVE.search(name) else mask_address(value) for name, value in options.items()}
