"""Turns what stands in an environment or a TOML file into values, and pydantic's errors into lines for people."""

from __future__ import annotations

import json
import re
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runtime.tls import tls_context

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_HOST = re.compile(r"(?:\[(?P<address>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:\[\]/@]+))(?::(?P<port>\d{1,5}))?")
_ADDRESS = re.compile(r"\w+://\S+|\w+\s*=.*", re.DOTALL)


def as_names(value: Any) -> Any:
    """Split comma separated names; a list stays."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def as_duration(value: Any) -> Any:
    """Read `10d`, `36h`, `90m`, `30s` or seconds; pydantic reads the other forms, ISO 8601 among them."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw]?)\s*", value) if isinstance(value, str) else None
    return timedelta(**{_UNITS[match[2] or "s"]: float(match[1])}) if match else value


def as_instant(value: Any) -> Any:
    """Read an ISO instant, one without a zone as UTC."""
    if not isinstance(value, str):
        return value
    instant = datetime.fromisoformat(value.strip())
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def as_options(value: Any) -> Any:
    """Read a JSON object or TOML table of options; librdkafka takes all of them as text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError(f"not a JSON object: {error}") from error
    if not isinstance(value, dict):
        raise ValueError("not a JSON object or TOML table")  # noqa: TRY004 - pydantic wants a ValueError
    return {name: item if isinstance(item, str) else json.dumps(item) for name, item in value.items()}


def expects_address(value: Any) -> Any:
    """Refuse what is neither a URL nor `key=value`, without repeating it: it may hold a password."""
    if isinstance(value, str) and not _ADDRESS.fullmatch(value.strip()):
        raise ValueError("neither a URL nor key=value pairs")
    return value


def expects_hosts(names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse what is not `host`, `host:port` or `[address]:port`."""
    for name in names:
        if not _HOST.fullmatch(name):
            raise ValueError(f"{name!r} is not host[:port]")
    return names


def expects_authorities(file: Path) -> Path:
    """Refuse a file that is missing or holds no certificates in PEM."""
    try:
        tls_context(file)
    except ssl.SSLError as error:
        raise ValueError(f"{file}: no certificates in PEM") from error
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from error
    return file


def host_and_port(name: str, default_port: int) -> tuple[str, int]:
    """Split what `expects_hosts` lets through."""
    match = _HOST.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not host[:port]")
    return (match["address"] or match["host"]), int(match["port"] or default_port)


def without_empty(tree: dict[str, Any]) -> dict[str, Any]:
    """Drop empty strings, which mean unset."""
    kept = {name: without_empty(value) if isinstance(value, dict) else value for name, value in tree.items()}
    return {name: value for name, value in kept.items() if value != ""}


def merged(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    """Return both trees in one, `high` winning leaf by leaf."""
    both = {name for name in low.keys() & high.keys() if isinstance(low[name], dict) and isinstance(high[name], dict)}
    return low | high | {name: merged(low[name], high[name]) for name in both}


def problems_of(error: ValidationError, prefix: str) -> list[str]:
    """Return one line a problem: dotted name, what is wrong, the variable that sets it. Values are not repeated."""
    lines = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        path = [str(part).rstrip("_") for part in problem["loc"]]  # `schema` is named `schema_`, for pydantic has its own
        name, variable = ".".join(path), prefix + "__".join(path).upper()
        text = {"missing": "is required", "extra_forbidden": "is no setting"}.get(problem["type"], problem["msg"])
        lines.append(f"{name}: {text.removeprefix('Value error, ')} ({variable})")
    return lines
