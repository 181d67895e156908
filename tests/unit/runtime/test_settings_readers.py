"""No setting is a promise that nobody keeps."""

from __future__ import annotations

import ast
from pathlib import Path

from runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("runtime", "operators", "sinks", "dataflows")


def settings() -> dict[str, str]:
    """Return the dotted name of every setting, and the attributes that a reader ends with."""
    found = {}
    for name, field in Settings.model_fields.items():
        section = getattr(field.annotation, "model_fields", None)
        for inner in section or ():
            found[f"{name.rstrip('_')}.{inner}"] = inner
        if section is None:
            found[name] = name
    return found


def read_attributes() -> set[str]:
    """Return every attribute that is read anywhere but where the settings are made."""
    files = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py") if not file.name.startswith("settings")]
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    return {f"{_owner(node)}.{node.attr}" for node in nodes if isinstance(node, ast.Attribute)}


def _owner(node: ast.Attribute) -> str:
    owner = node.value
    return owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""


def test_every_setting_has_a_reader() -> None:
    read = read_attributes()
    # A section is handed on as `settings`, or under its own name.
    unread = {
        name
        for name, attribute in settings().items()
        if not read & {f"{name.split('.')[0]}.{attribute}", f"schema_.{attribute}", f"settings.{attribute}"}
    }
    assert unread == set()
