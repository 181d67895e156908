"""`cassmirror plan`: what each table becomes in PostgreSQL, and what cannot be mirrored exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import click

from cdc.errors import UnsupportedType
from cdc.schema import Column, ColumnKind, CqlType, Table
from cdc.types.registry import codec_for
from runtime.catalog import read_schema, select_tables
from runtime.logs import configure_logs
from runtime.settings_loading import load_settings
from sinks.postgres.naming import column_names, schema_name, table_name

_Notes = Callable[[Table], Iterator[str]]

_INEXACT_KEYS = {
    "text": "U+0000 cannot be stored",
    "ascii": "U+0000 cannot be stored",
    "time": "nanoseconds cannot be stored",
    "timestamp": "instants outside PostgreSQL's range cannot be stored",
    "date": "days outside PostgreSQL's range cannot be stored",
    "float": "-0.0 and NaN are not one-to-one",
    "double": "-0.0 and NaN are not one-to-one",
    "decimal": "equal numbers of different scale, and exponents, are not one-to-one",
}
"""Why a key of the type may hold values that PostgreSQL cannot hold one-to-one; such events are dead letters."""

_INEXACT_VALUES = {
    "text": "U+0000: policy types.nul_policy",
    "ascii": "U+0000: policy types.nul_policy",
    "time": "nanoseconds are rounded down to microseconds",
    "timestamp": "instants outside PostgreSQL's range become dead letters",
    "date": "days outside PostgreSQL's range become dead letters",
    "decimal": "the event loses an exponent such as 1E+3",
    "duration": "months arrive as 30 days",
    "vector": "the connector does not write it; it silences a restarted connector",
}


@click.command()
def plan() -> None:
    """Show what each table becomes in PostgreSQL, and what cannot be mirrored exactly."""
    settings = load_settings()
    configure_logs(settings.log)
    schema = read_schema(settings)
    everything, mirrored = schema.tables, select_tables(schema, settings.tables).tables
    for key in sorted(everything):
        table = everything[key]
        lines = table_plan(table) if key in mirrored or table.is_counter else [f"{table.full_name} -> not named by CDC_TABLES"]
        for line in lines:
            click.echo(line)


def table_plan(table: Table) -> Iterator[str]:
    """Yield the lines of one table: its relation and columns, then indented what is to know."""
    names = column_names(column.name for column in table.columns)
    yield f"{table.full_name} -> {schema_name(table.keyspace)}.{table_name(table.name)}"
    for column in table.columns:
        yield f"  {column.name} {column.type} -> {names[column.name]} {_postgres_type(column)}{_role(column)}"
    for note in _NOTES:
        yield from (f"  ! {line}" for line in note(table))


def _postgres_type(column: Column) -> str:
    if column.kind is ColumnKind.STATIC:
        return "left out"
    try:
        return codec_for(column.type).postgres
    except UnsupportedType:
        return "unsupported"


def _role(column: Column) -> str:
    if column.kind is ColumnKind.REGULAR:
        return ""
    return f" ({column.kind.value.replace('_', ' ')}{', descending' if column.descending else ''})"


def _renames(table: Table) -> Iterator[str]:
    wanted = [(table.keyspace, schema_name(table.keyspace)), (table.name, table_name(table.name))]
    for old, new in [*wanted, *column_names(column.name for column in table.columns).items()]:
        if old != new:
            yield f"{old} is named {new}: PostgreSQL cannot have the name, or has it already"


def _counters(table: Table) -> Iterator[str]:
    if table.is_counter:
        yield "counters have no events: the table is not mirrored"


def _silent(table: Table) -> Iterator[str]:
    if not table.cdc:
        yield "cdc is off in Cassandra: there are no events"


def _static_columns(table: Table) -> Iterator[str]:
    if table.static:
        yield f"{_names(table.static)}: static: events do not carry it"


def _multicell_columns(table: Table) -> Iterator[str]:
    multicell = [column for column in table.regular if column.type.is_multicell]
    if multicell:
        yield f"{_names(multicell)}: not frozen: events carry only what changed, so it holds the last change"


def _unsupported_types(table: Table) -> Iterator[str]:
    for column in (*table.primary_key, *table.regular):
        if _postgres_type(column) == "unsupported":
            yield f"{column.name}: the type {column.type} cannot be mirrored"


def _inexact_keys(table: Table) -> Iterator[str]:
    for name, columns in _columns_by_type(table.primary_key, _INEXACT_KEYS):
        yield f"key {columns}: {name}: {_INEXACT_KEYS[name]}; such events become dead letters"


def _inexact_values(table: Table) -> Iterator[str]:
    for name, columns in _columns_by_type(table.regular, _INEXACT_VALUES):
        yield f"{columns}: {name}: {_INEXACT_VALUES[name]}"


def _columns_by_type(columns: tuple[Column, ...], types: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each of the types with the columns that hold it somewhere."""
    for name in types:
        if holders := [column for column in columns if name in _type_names(column.type)]:
            yield name, _names(holders)


def _expiring_markers(table: Table) -> Iterator[str]:
    if table.default_time_to_live:
        yield "default_time_to_live: events carry no TTL of the row marker, so a row of nulls may stay"


def _names(columns: Iterable[Column]) -> str:
    return ", ".join(column.name for column in columns)


def _type_names(kind: CqlType) -> set[str]:
    return {kind.name}.union(*map(_type_names, kind.arguments))


_NOTES: tuple[_Notes, ...] = (
    _counters,
    _silent,
    _renames,
    _unsupported_types,
    _inexact_keys,
    _inexact_values,
    _multicell_columns,
    _static_columns,
    _expiring_markers,
)
