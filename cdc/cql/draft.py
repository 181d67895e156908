"""Tables and types while statements still change them; types stay as written, for ALTER TYPE may change them later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cdc.cql import statements as ddl
from cdc.cql.problem import CqlError
from cdc.cql.resolve import TypeResolver
from cdc.schema import Column, ColumnKind, Table

Fields = dict[str, ddl.TypeName]


@dataclass(frozen=True)
class TableDraft:
    """A table as the statements so far have left it."""

    columns: dict[str, ddl.ColumnDefinition]
    partition_key: tuple[str, ...]
    clustering: tuple[str, ...]
    options: ddl.TableOptions
    start: int  # offset of the statement that made it

    @property
    def key(self) -> tuple[str, ...]:
        return self.partition_key + self.clustering


def create_table(statement: ddl.CreateTable, start: int) -> TableDraft:
    """Return the draft. Raises `CqlError` for a table that Cassandra would not take."""
    columns = {column.name.text: column for column in _unique(statement.columns)}
    key = _primary_key(statement)
    for name in key.partition_key + key.clustering:
        if name.text not in columns or columns[name.text].static:
            raise CqlError(f"key column {name.text} is not a column of the table or is static", name.offset)
    return TableDraft(columns, _texts(key.partition_key), _texts(key.clustering), statement.options, start)


def _primary_key(statement: ddl.CreateTable) -> ddl.PrimaryKey:
    inline = [ddl.PrimaryKey((column.name,), ()) for column in statement.columns if column.primary_key]
    keys = [*statement.primary_keys, *inline]
    if len(keys) == 1:
        return keys[0]
    problem = "more than one PRIMARY KEY" if keys else "no PRIMARY KEY"
    raise CqlError(f"table {statement.table.name.text} has {problem}", statement.table.name.offset)


def alter_table(draft: TableDraft, change: ddl.Alteration) -> TableDraft:
    """Return the draft with the change. Raises `CqlError` for columns that are not there, or are already."""
    match change:
        case ddl.Add():
            added = {column.name.text: column for column in _missing(change, draft.columns)}
            return replace(draft, columns=draft.columns | added)
        case ddl.Drop(names, if_exists):
            dropped = {name.text for name in _present(names, draft.columns, if_exists=if_exists)}
            _refuse_key(draft, names)
            return replace(draft, columns={name: column for name, column in draft.columns.items() if name not in dropped})
        case ddl.Rename(renames, if_exists):
            return _rename_columns(draft, _new_names(renames, draft.columns, if_exists=if_exists))
        case ddl.Retype(name, kind, if_exists):
            found = _present((name,), draft.columns, if_exists=if_exists)
            return replace(draft, columns=draft.columns | {n.text: replace(draft.columns[n.text], type=kind) for n in found})
        case ddl.TableOptions():
            return replace(draft, options=_later(draft.options, change))
        case _:
            return draft


def _rename_columns(draft: TableDraft, new: dict[str, str]) -> TableDraft:
    def renamed(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(new.get(name, name) for name in names)

    descending = {new.get(name, name): order for name, order in draft.options.descending.items()}
    return replace(
        draft,
        columns=dict(zip(renamed(draft.columns), draft.columns.values(), strict=True)),
        partition_key=renamed(draft.partition_key),
        clustering=renamed(draft.clustering),
        options=replace(draft.options, descending=descending),
    )


def _refuse_key(draft: TableDraft, names: tuple[ddl.Name, ...]) -> None:
    for name in names:
        if name.text in draft.key:
            raise CqlError(f"{name.text} is a key column and cannot be dropped", name.offset)


def _later(old: ddl.TableOptions, new: ddl.TableOptions) -> ddl.TableOptions:
    return ddl.TableOptions(
        descending=old.descending,
        gc_grace_seconds=old.gc_grace_seconds if new.gc_grace_seconds is None else new.gc_grace_seconds,
        default_time_to_live=old.default_time_to_live if new.default_time_to_live is None else new.default_time_to_live,
        cdc=old.cdc if new.cdc is None else new.cdc,
    )


def create_type(statement: ddl.CreateType) -> Fields:
    """Return the fields in their order, which is that of the serialised value."""
    return {column.name.text: column.type for column in _unique(statement.fields)}


def alter_type(fields: Fields, change: ddl.Alteration) -> Fields:
    """Return the fields with the change, in the same order."""
    match change:
        case ddl.Add():
            return fields | {column.name.text: column.type for column in _missing(change, fields)}
        case ddl.Rename(renames, if_exists):
            new = _new_names(renames, fields, if_exists=if_exists)
            return {new.get(name, name): kind for name, kind in fields.items()}
        case ddl.Retype(name, kind, if_exists):
            return fields | {found.text: kind for found in _present((name,), fields, if_exists=if_exists)}
        case _:
            return fields


def finish_table(name: tuple[str, str], draft: TableDraft, resolver: TypeResolver, seen: Iterable[str]) -> Table:
    """Return the table with its types resolved. Raises `CqlError` for an unknown type."""
    options, key = draft.options, draft.key
    others = sorted(set(draft.columns) - set(key), key=str.encode)
    static = [other for other in others if draft.columns[other].static]
    regular = [other for other in others if not draft.columns[other].static]
    groups = zip(ColumnKind, (draft.partition_key, draft.clustering, static, regular), strict=True)
    columns = tuple(
        Column(
            column,
            resolver.resolve(draft.columns[column].type, frozen=column in key),
            kind,
            position,
            descending=kind is ColumnKind.CLUSTERING and options.descending.get(column, False),
        )
        for kind, names in groups
        for position, column in enumerate(names)
    )
    return Table(
        *name,
        columns,
        gc_grace_seconds=864_000 if options.gc_grace_seconds is None else options.gc_grace_seconds,
        default_time_to_live=options.default_time_to_live or 0,
        cdc=options.cdc is not False,
        dropped_columns=frozenset(seen) - set(draft.columns),
    )


def _unique(columns: tuple[ddl.ColumnDefinition, ...]) -> tuple[ddl.ColumnDefinition, ...]:
    seen: set[str] = set()
    for column in columns:
        if column.name.text in seen:
            raise CqlError(f"{column.name.text} is defined twice", column.name.offset)
        seen.add(column.name.text)
    return columns


def _missing(change: ddl.Add, present: Iterable[str]) -> list[ddl.ColumnDefinition]:
    names = set(present)
    for column in _unique(change.columns):
        if column.name.text in names and not change.if_not_exists:
            raise CqlError(f"{column.name.text} is there already", column.name.offset)
    return [column for column in change.columns if column.name.text not in names]


def _present(names: tuple[ddl.Name, ...], present: Iterable[str], *, if_exists: bool) -> list[ddl.Name]:
    known = set(present)
    for name in names:
        if name.text not in known and not if_exists:
            raise CqlError(f"{name.text} is not there", name.offset)
    return [name for name in names if name.text in known]


def _new_names(renames: tuple[tuple[ddl.Name, ddl.Name], ...], present: Iterable[str], *, if_exists: bool) -> dict[str, str]:
    known = set(present)
    found = {old.text for old in _present(tuple(old for old, _ in renames), known, if_exists=if_exists)}
    for old, new in renames:
        if old.text in found and new.text in known:
            raise CqlError(f"{new.text} is there already", new.offset)
    return {old.text: new.text for old, new in renames if old.text in found}


def _texts(names: tuple[ddl.Name, ...]) -> tuple[str, ...]:
    return tuple(name.text for name in names)
