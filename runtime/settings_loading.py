"""Settings from the environment and a TOML file, all problems at once. What there is to set stands in `runtime.settings`."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource

from cdc.errors import SettingsError
from runtime.settings import PREFIX, CassandraSettings, Settings
from runtime.settings_parsing import merged, problems_of, without_empty

CONFIG_VARIABLE = f"{PREFIX}CONFIG"


class _Environment(EnvSettingsSource):
    """The variables of one given environment, their prefix taken off."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {name[len(PREFIX) :].lower(): value for name, value in environ.items() if name.startswith(PREFIX)}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name: value for name, value in self._environ.items() if value.strip()}


def load_settings(environ: Mapping[str, str] | None = None, *, needs_schema: bool = True) -> Settings:
    """Return the settings of an environment, by default this process's. Raises `SettingsError` with all problems at once."""
    given = os.environ if environ is None else environ
    values = merged(_read_toml(given.get(CONFIG_VARIABLE, "")), _read_environment(given))
    values = {"kafka": {}, "postgres": {}} | values  # so that what they lack is named, not the section
    problems: list[str] = []
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems = problems_of(error, PREFIX)
    known = [(values.get(section) or {}).get(name) for section, name in (("schema", "file"), ("cassandra", "contact_points"))]
    if needs_schema and not any(known):
        problems.append(f"schema.file: is required ({PREFIX}SCHEMA__FILE), or {PREFIX}CASSANDRA__CONTACT_POINTS")
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


class _CassandraAlone(BaseModel):
    cassandra: CassandraSettings


def load_cassandra_settings(contact_points: str = "", environ: Mapping[str, str] | None = None) -> CassandraSettings:
    """Return how Cassandra is reached, whatever else is set; `contact_points` win. Raises `SettingsError`."""
    given = os.environ if environ is None else environ
    section = merged(_read_toml(given.get(CONFIG_VARIABLE, "")), _read_environment(given)).get("cassandra") or {}
    if contact_points:
        section = {**section, "contact_points": contact_points}
    try:
        settings = _CassandraAlone.model_validate({"cassandra": section}).cassandra
    except ValidationError as error:
        raise SettingsError("\n".join(problems_of(error, PREFIX))) from error
    if not settings.contact_points:
        raise SettingsError(f"cassandra.contact_points: is required ({PREFIX}CASSANDRA__CONTACT_POINTS)")
    return settings


def unknown_variables(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the `CDC_*` variables that belong to no section: perhaps misspelt, perhaps another program's."""
    known = {(field.alias or name).upper() for name, field in Settings.model_fields.items()}
    names = os.environ if environ is None else environ
    ours = (name for name in names if name.startswith(PREFIX) and name != CONFIG_VARIABLE)
    return tuple(sorted(name for name in ours if name[len(PREFIX) :].upper().split("__")[0] not in known))


def _read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the variables as a tree, by the names that a TOML file has."""
    return {name.rstrip("_"): value for name, value in _Environment(environ)().items()}


def _read_toml(path: str) -> dict[str, Any]:
    if not path.strip():
        return {}
    try:
        return without_empty(tomllib.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"config: {path}: {error}", hint=f"{CONFIG_VARIABLE} must name a readable TOML file") from error
