"""The console script `cassmirror`: one subcommand a file, imported when it is called."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

from cdc.errors import CassmirrorError, SchemaError, SettingsError

EXIT_BAD_SETTINGS = 2

NAMES = ("check", "demo", "load", "migrate", "plan", "run", "schema", "services", "status")
"""Every command: a click command of its name in the module of its name beside this one."""

EMBEDDED = frozenset({"demo", "load", "services"})
"""Those that start servers of their own, or make up data: they need the extra `embedded`."""


class _Failure(click.ClickException):
    """An error of ours on its way to the terminal: what, then what to do."""

    def __init__(self, error: CassmirrorError) -> None:
        super().__init__(f"{error.message}\n{error.hint}" if error.hint else error.message)


class _Misuse(_Failure):
    """The same for settings and schema."""

    exit_code = EXIT_BAD_SETTINGS


class _Commands(click.Group):
    """Finds subcommands by name and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click passes it
        return commands()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click passes it
        if cmd_name not in commands():
            return None
        command: click.Command = getattr(import_module(f"dataflows.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CassmirrorError as error:
            raise (_Misuse if isinstance(error, SettingsError | SchemaError) else _Failure)(error) from error


def commands() -> list[str]:
    """Return the commands that this installation has; what needs a part that is not installed is not offered."""
    left_out = frozenset() if find_spec("psutil") else EMBEDDED
    return [name for name in NAMES if name not in left_out and find_spec(f"dataflows.{name}")]


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="cassmirror")
def main() -> None:
    """Keep PostgreSQL equal to Cassandra, cell for cell, from change events."""


if __name__ == "__main__":
    main()
