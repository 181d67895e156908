"""What stands in docker-compose.yml and in the files that it mounts."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / "config"
MONITORING = ROOT / "monitoring"


def yaml(path: Path) -> Any:
    """Return what a YAML file says."""
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


@cache
def compose() -> dict[str, Any]:
    """Return the whole file, `<<` resolved, variables as they stand there."""
    found: dict[str, Any] = yaml(ROOT / "docker-compose.yml")
    return found


def services() -> dict[str, dict[str, Any]]:
    """Return the services by name."""
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Return what is mounted, by its place in the container: a path of the project, or the name of a volume."""
    return dict(_mount(volume) for volume in service.get("volumes", ()))


def _mount(volume: str | dict[str, Any]) -> tuple[str, str]:
    if isinstance(volume, dict):
        return volume["target"], unset(volume["source"])
    source, target, *_ = volume.split(":")
    return target, source


def unset(text: str) -> str:
    """Return a text with the defaults of its variables, as for a user who has set none."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def properties(path: Path) -> dict[str, str]:
    """Return the names and values of a Java properties file."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def lines(path: Path) -> list[str]:
    """Return the lines that say something."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]
