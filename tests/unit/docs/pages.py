"""Writes the reference pages in docs/ from the code: `python -m tests.unit.docs.pages`. The tests hold them equal."""

from __future__ import annotations

import inspect
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import click
from prometheus_client import Counter
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import cdc.errors
from cdc.errors import BadRecord, CassmirrorError, InfrastructureError
from cdc.event import Skip
from dataflows.__main__ import commands, main
from runtime.metrics import create_metrics
from runtime.settings import PREFIX, Settings
from tests.fixtures.recordings import recordings
from tests.model.recorded import replay_of

DOCS = Path(__file__).resolve().parents[3] / "docs"

SETTINGS_HEAD = f"""# Settings

Each setting is a variable of the environment, `__` between levels, or a key of the TOML file that `CDC_CONFIG` names:
`{PREFIX}KAFKA__GROUP_ID=mirror` is `group_id = "mirror"` under `[kafka]`. The environment wins, leaf by leaf; an empty value
means unset. All problems are reported at once, by dotted name, and the process exits 2. `cassmirror check` shows what would
be used, secrets masked. Durations are `10d`, `36h`, `90m`, `30s`, seconds, or ISO 8601; lists are comma separated.
"""

METRICS_HEAD = """# Metrics

Served at `/metrics` on `CDC_HTTP__PORT`. The label `table` is `keyspace.table`. Beside these stand the `process_*` metrics
of every Prometheus client: memory, processor time, open files.

| metric | kind | labels | what it tells |
|---|---|---|---|
"""

METRICS_END = """
`cdc_stage_cpu_seconds_total` is the time of the threads that do a stage's work, added once a batch, waiting left out:
`source` polls, hashes, finds copies and makes records; `deserialize` reads plain events; `map_types` is deserialize, validate
and map_types of all other events, which pass these three one by one; `dedupe`; `postgres_prepare` collapses and stages;
`postgres_write` is the writer while PostgreSQL works. What `process_cpu_seconds_total` has beyond them went to the start, the
engine, snapshots and librdkafka's threads.

`cdc_processing_seconds` counts each batch of the source once, also where several are committed in one transaction.
"""

COMMANDS_HEAD = """# Commands

`cassmirror COMMAND`. Settings come from the environment, see [settings](settings.md).

Exit codes: 0 drained, 2 bad settings or schema, 3 verification found differences, 1 anything else.
"""

ERRORS_HEAD = """# Errors

Every error carries a message and a hint. Bad data is a value on its way to the dead letters, alone: `error_type` of the dead
letter is the class named here. A failing server is never a reason for a dead letter: it is retried, and Kafka keeps the
records. An unforeseen failure is dead-lettered with its traceback as `Bug`.

| class | what happened | what follows | what to do |
|---|---|---|---|
"""


LIMITS_HEAD = """| recording | table | what is not as in Cassandra | why |
|---|---|---|---|
"""
LIMITS_START, LIMITS_END = "<!-- made from tests/samples/known_gaps.json -->\n", "<!-- end -->"


def settings_page() -> str:
    parts = [SETTINGS_HEAD]
    plain = {name: field for name, field in Settings.model_fields.items() if _section(field) is None}
    parts.append("## General\n\n" + _settings_table("", plain))
    for name, field in Settings.model_fields.items():
        section = _section(field)
        if section is not None:
            title = name.rstrip("_")
            parts.append(
                f"## {title}\n\n{inspect.getdoc(section)}\n\n" + _settings_table(f"{title.upper()}__", section.model_fields)
            )
    return "\n".join(parts)


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _settings_table(prefix: str, fields: dict[str, FieldInfo]) -> str:
    rows = [
        f"| `{PREFIX}{prefix}{name.upper()}` | {_kind(field)} | {_default(field)} | {field.description} |"
        for name, field in fields.items()
    ]
    return "| variable | type | default | meaning, and why the default |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _kind(field: FieldInfo) -> str:
    text = str(field.annotation)
    names = {
        "tuple": "list",
        "dict": "JSON object",
        "timedelta": "duration",
        "datetime": "instant",
        "AwareDatetime": "instant",
        "SecretStr": "secret",
        "Path": "path",
        "NulPolicy": "choice",
        "Literal": "choice",
        "bool": "true or false",
        "int": "integer",
        "float": "number",
        "str": "text",
    }
    return next(name for part, name in names.items() if part in text)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True) if field.default_factory is dict else field.default
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, timedelta):
        return f"`{value.days}d`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "unset" if value is None or value in ((), {}) else f"`{value}`"


def metrics_page() -> str:
    reasons = ", ".join(f"`{reason}`" for reason in Skip)
    return METRICS_HEAD + "".join(f"{row}\n" for row in _metric_rows()) + f"\nReasons to skip: {reasons}.\n" + METRICS_END


def _metric_rows() -> Iterator[str]:
    metrics = create_metrics()
    for name, metric in vars(metrics).items():
        if name == "registry":
            continue
        exposed = metric._name + ("_total" if isinstance(metric, Counter) else "")
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        yield f"| `{exposed}` | {type(metric).__name__.lower()} | {labels} | {metric._documentation} |"


def commands_page() -> str:
    return COMMANDS_HEAD + "".join(f"\n{part}" for part in _command_parts())


def _command_parts() -> Iterator[str]:
    context = click.Context(main, info_name="cassmirror", terminal_width=100, **main.context_settings)
    for name in commands():
        command = main.get_command(context, name)
        assert command is not None
        yield from _usage(command, click.Context(command, info_name=name, parent=context, terminal_width=100))


def _usage(command: click.Command, context: click.Context) -> Iterator[str]:
    command._help_option = None  # made by whoever asked first, perhaps a test that called the command by itself
    yield f"## {context.command_path}\n\n```\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _usage(inner, click.Context(inner, info_name=name, parent=context, terminal_width=100))


def errors_page() -> str:
    return ERRORS_HEAD + "".join(
        f"| `{kind.__name__}` | {kind.__doc__} | {_follows(kind)} | {_hint(kind)} |\n" for kind in error_classes()
    )


def error_classes() -> list[type[CassmirrorError]]:
    classes = (item for item in vars(cdc.errors).values() if inspect.isclass(item))
    return [item for item in classes if issubclass(item, CassmirrorError) and item is not CassmirrorError]


def _follows(kind: type[CassmirrorError]) -> str:
    if issubclass(kind, BadRecord):
        return "dead letter"
    if issubclass(kind, InfrastructureError):
        return "tried again"
    return {"SettingsError": "exit 2", "SchemaError": "exit 2", "TableHalted": "the table waits"}.get(kind.__name__, "exit 1")


def _hint(kind: type[CassmirrorError]) -> str:
    return kind.default_hint or ""


def limits_table() -> str:
    """Return what the events of the recordings cannot say, as the tests know it."""
    return LIMITS_HEAD + "".join(f"{row}\n" for name in recordings() for row in _limits(name))


def _limits(name: str) -> Iterator[str]:
    replay = replay_of(name)
    by_cause: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for gap in replay.gaps:
        by_cause[gap.table, gap.reason, gap.columns].append(f"`{json.dumps(gap.key)}`")
    for (table, reason, columns), keys in by_cause.items():
        what = f"{_listed(columns)} of {', '.join(keys)}" if columns else f"row{'s' * (len(keys) > 1)} {', '.join(keys)}"
        yield f"| `{name}` | `{table}` | {what} | {reason} |"
    for table, recorded in sorted(replay.expected.tables.items()):
        if recorded.static:
            yield f"| `{name}` | `{table}` | {_listed(recorded.static)} | static columns: the events do not carry them |"
        elif "counter" in recorded.types.values():
            yield f"| `{name}` | `{table}` | the table is not there | counters make no events |"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "commands.md": commands_page,
    "errors.md": errors_page,
}


def write() -> None:
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
    limits = (DOCS / "limits.md").read_text(encoding="utf-8")
    before, _, rest = limits.partition(LIMITS_START)
    after = rest.partition(LIMITS_END)[2]
    (DOCS / "limits.md").write_text(before + LIMITS_START + limits_table() + LIMITS_END + after, encoding="utf-8")


if __name__ == "__main__":
    write()
