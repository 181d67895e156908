"""Reads a Cassandra schema from CQL: the output of `DESCRIBE`, or the scripts that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdc.cql import draft as drafts
from cdc.cql import statements as ddl
from cdc.cql.parse import parse_statement
from cdc.cql.problem import CqlError
from cdc.cql.resolve import TypeResolver
from cdc.cql.split import Statement, split_statements
from cdc.schema import Schema, Table

TableName = tuple[str, str]


def read_ddl(text: str, *, default_keyspace: str | None = None) -> Schema:
    """Return the schema after all statements of a CQL script.

    CREATE, ALTER, DROP and USE are applied in order; names that a table once had are its dropped columns; every other
    statement is skipped. Raises `SchemaError` with line, column and statement.
    """
    history = _History(keyspace=default_keyspace)
    start = 0
    try:
        for statement in split_statements(text):
            start = statement.start
            history.take(text, statement)
    except CqlError as problem:
        raise problem.as_schema_error(text, start) from problem
    return history.finish(text)


@dataclass
class _History:
    """What the statements so far have made. `seen` never forgets a column name."""

    keyspace: str | None
    tables: dict[TableName, drafts.TableDraft] = field(default_factory=dict)
    types: dict[TableName, drafts.Fields] = field(default_factory=dict)
    seen: dict[TableName, set[str]] = field(default_factory=dict)

    def take(self, text: str, statement: Statement) -> None:
        """Apply one statement, or skip it if it does not change tables and types."""
        if statement.is_read:
            self._apply(parse_statement(text, statement), statement.start)
        elif not statement.is_known:
            word = " ".join(statement.words) or text[statement.start : statement.end][:20]
            raise CqlError(f"no CQL statement begins with {word}", statement.start)

    def finish(self, text: str) -> Schema:
        """Resolve all types. Raises `SchemaError`."""
        tables = {}
        for name, draft in self.tables.items():
            try:
                tables[name] = self._table(name, draft)
            except CqlError as problem:
                raise problem.as_schema_error(text, draft.start) from problem
        return Schema(tables)

    def _apply(self, statement: ddl.Ddl, start: int) -> None:
        match statement:
            case ddl.CreateTable() | ddl.AlterTable() | ddl.DropTable():
                self._apply_to_table(statement, start)
            case ddl.CreateType() | ddl.AlterType() | ddl.DropType():
                self._apply_to_type(statement)
            case ddl.Use(keyspace):
                self.keyspace = keyspace.text
            case ddl.DropKeyspace(keyspace):
                self.tables = {name: draft for name, draft in self.tables.items() if name[0] != keyspace.text}
                self.types = {name: fields for name, fields in self.types.items() if name[0] != keyspace.text}

    def _apply_to_table(self, statement: ddl.CreateTable | ddl.AlterTable | ddl.DropTable, start: int) -> None:
        name = self._name(statement.table)
        if isinstance(statement, ddl.CreateTable):
            if not (statement.if_not_exists and name in self.tables):
                self._keep(name, drafts.create_table(statement, start))
        elif _is_there(name, self.tables, statement.table, "table", if_exists=statement.if_exists):
            if isinstance(statement, ddl.AlterTable):
                self._keep(name, drafts.alter_table(self.tables[name], statement.change))
            else:
                del self.tables[name]

    def _apply_to_type(self, statement: ddl.CreateType | ddl.AlterType | ddl.DropType) -> None:
        name = self._name(statement.type)
        if isinstance(statement, ddl.CreateType):
            if not (statement.if_not_exists and name in self.types):
                self.types[name] = drafts.create_type(statement)
        elif _is_there(name, self.types, statement.type, "type", if_exists=statement.if_exists):
            if isinstance(statement, ddl.AlterType):
                self.types[name] = drafts.alter_type(self.types[name], statement.change)
            else:
                del self.types[name]

    def _name(self, name: ddl.QualifiedName) -> TableName:
        keyspace = name.keyspace or self.keyspace
        if keyspace is None:
            hint = "write keyspace.name, or USE keyspace before it"
            raise CqlError(f"{name.name.text} has no keyspace", name.name.offset, hint=hint)
        return keyspace, name.name.text

    def _keep(self, name: TableName, draft: drafts.TableDraft) -> None:
        self.tables[name] = draft
        self.seen.setdefault(name, set()).update(draft.columns)

    def _table(self, name: TableName, draft: drafts.TableDraft) -> Table:
        keyspace = name[0]
        resolver = TypeResolver(keyspace, lambda udt: self.types.get((keyspace, udt)))
        return drafts.finish_table(name, draft, resolver, self.seen[name])


def _is_there(
    name: TableName, among: Mapping[TableName, Any], written: ddl.QualifiedName, what: str, *, if_exists: bool
) -> bool:
    if name not in among and not if_exists:
        hint = "put its CREATE statement before this one"
        raise CqlError(f"unknown {what} {'.'.join(name)}", written.name.offset, hint=hint)
    return name in among
