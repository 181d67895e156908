"""Reads one DDL statement, or one type: lark's LALR parser on `grammar.lark`, and the values made of what it finds."""

# ruff: noqa: FBT001 - the transformer's arguments are the parts of a grammar rule, in order; lark passes them

from __future__ import annotations

from functools import cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, v_args
from lark.exceptions import VisitError

from cdc.cql import statements as ddl
from cdc.cql.problem import CqlError
from cdc.cql.split import Statement

_EXPECTED_SHOWN = 6
_PUNCTUATION = {
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "EQUAL": "=",
    "LESSTHAN": "<",
    "MORETHAN": ">",
    "DOT": ".",
    "COLON": ":",
}


def parse_statement(text: str, statement: Statement) -> ddl.Ddl:
    """Return the statement as a value. Raises `CqlError` where the grammar ends."""
    try:
        tree = _parser().parse(text[statement.start : statement.end], start="start")
        parsed: ddl.Ddl = _ToStatement(statement.start).transform(tree)
    except UnexpectedInput as error:
        raise _syntax_problem(error, statement) from error
    except VisitError as error:
        raise _too_deep(error.orig_exc, statement) from error
    except RecursionError as error:
        raise _too_deep(error, statement) from error
    return parsed


def parse_type(text: str) -> ddl.TypeName:
    """Return a type as `system_schema` writes it. Raises `CqlError`."""
    whole = Statement(0, len(text), ())
    try:
        parsed: ddl.TypeName = _ToStatement(0).transform(_parser().parse(text, start="type"))
    except UnexpectedInput as error:
        raise _syntax_problem(error, whole) from error
    except (VisitError, RecursionError) as error:
        raise _too_deep(error.orig_exc if isinstance(error, VisitError) else error, whole) from error
    return parsed


def _too_deep(error: Exception, statement: Statement) -> Exception:
    """Return the error, or what it means when the transformer ran out of stack."""
    return CqlError("a type is nested too deep", statement.start) if isinstance(error, RecursionError) else error


@cache
def _parser() -> Lark:
    return Lark.open_from_package("cdc.cql", "grammar.lark", parser="lalr", maybe_placeholders=True, start=["start", "type"])


def _syntax_problem(error: UnexpectedInput, statement: Statement) -> CqlError:
    expected = sorted(_terminal(name) for name in getattr(error, "accepts", None) or getattr(error, "allowed", None) or ())
    hint = f"expected {' or '.join(expected)}" if 0 < len(expected) <= _EXPECTED_SHOWN else None
    token = getattr(error, "token", None)
    if token is not None and token.type == "$END":
        return CqlError("the statement ends too early", statement.end, hint=hint)
    found = str(token) if token is not None else repr(getattr(error, "char", ""))
    return CqlError(f"cannot read {found}", statement.start + (error.pos_in_stream or 0), hint=hint)


def _terminal(name: str) -> str:
    names = {"NAME": "a name", "QUOTED": "a quoted name", "$END": "the end", **_PUNCTUATION}
    return names.get(name, name)


def _table_options(found: dict[str, Any], offset: int) -> ddl.TableOptions:
    """Keep the options that matter; the others do not show in events."""
    return ddl.TableOptions(
        descending=found.get("clustering order", {}),
        gc_grace_seconds=_seconds(found.get("gc_grace_seconds"), offset),
        default_time_to_live=_seconds(found.get("default_time_to_live"), offset),
        cdc=None if found.get("cdc") is None else str(found["cdc"]).strip("'").lower() == "true",
    )


def _seconds(value: Token | None, offset: int) -> int | None:
    if value is None:
        return None
    try:
        return int(value.strip("'"))
    except ValueError as error:
        raise CqlError(f"{value} is not a number of seconds", offset + (value.start_pos or 0)) from error


@v_args(inline=True)
class _ToStatement(Transformer[Token, Any]):
    """Each method makes the value of the grammar rule that bears its name."""

    def __init__(self, offset: int) -> None:
        super().__init__()
        self._offset = offset

    def name(self, token: Token) -> ddl.Name:
        quoted = token.type == "QUOTED"
        text = token[1:-1].replace('""', '"') if quoted else token.lower()
        return ddl.Name(str(text), self._offset + (token.start_pos or 0), quoted)

    def qualified(self, keyspace: ddl.Name | None, name: ddl.Name) -> ddl.QualifiedName:
        return ddl.QualifiedName(keyspace.text if keyspace else None, name)

    def type(self, name: ddl.QualifiedName, *arguments: Any) -> ddl.TypeName:
        inner = (int(item) if isinstance(item, Token) else item for item in arguments if item is not None)
        return ddl.TypeName(name, tuple(inner))

    def custom_type(self, token: Token) -> ddl.TypeName:
        """Keep the class name with its single quotes: no type of that name can be mirrored, and messages show it."""
        return ddl.TypeName(ddl.QualifiedName(None, ddl.Name(str(token), self._offset + (token.start_pos or 0))))

    def column(self, name: ddl.Name, kind: ddl.TypeName, *modifiers: str) -> ddl.ColumnDefinition:
        return ddl.ColumnDefinition(name, kind, static="static" in modifiers, primary_key="inline_key" in modifiers)

    def static(self) -> str:
        return "static"

    def inline_key(self) -> str:
        return "inline_key"

    def mask(self, *_: Any) -> str:
        return "mask"

    def partition_key(self, *names: ddl.Name) -> tuple[ddl.Name, ...]:
        return names

    def primary_key(self, partition: tuple[ddl.Name, ...], *clustering: ddl.Name) -> ddl.PrimaryKey:
        return ddl.PrimaryKey(partition, clustering)

    def order(self, name: ddl.Name, direction: Token | None) -> tuple[str, bool]:
        return name.text, direction is not None and direction.type == "DESC"

    def clustering_order(self, *orders: tuple[str, bool]) -> tuple[str, dict[str, bool]]:
        return "clustering order", dict(orders)

    def property(self, name: ddl.Name, value: Any) -> tuple[str, Any]:
        return name.text, value

    def compact_storage(self) -> tuple[str, Any]:
        return "compact storage", True

    def options(self, *pairs: tuple[str, Any]) -> ddl.TableOptions:
        return _table_options(dict(pairs), self._offset)

    def if_exists(self, word: Token | None) -> bool:
        return word is not None

    if_not_exists = if_exists

    def use(self, keyspace: ddl.Name) -> ddl.Use:
        return ddl.Use(keyspace)

    def create_table(self, if_not_exists: bool, table: ddl.QualifiedName, *elements: Any) -> ddl.CreateTable:
        columns = tuple(item for item in elements if isinstance(item, ddl.ColumnDefinition))
        keys = tuple(item for item in elements if isinstance(item, ddl.PrimaryKey))
        return ddl.CreateTable(table, columns, keys, elements[-1] or ddl.TableOptions(), if_not_exists)

    def create_type(self, if_not_exists: bool, name: ddl.QualifiedName, *fields: ddl.ColumnDefinition) -> ddl.CreateType:
        return ddl.CreateType(name, fields, if_not_exists)

    def alter_table(self, if_exists: bool, table: ddl.QualifiedName, change: ddl.Alteration) -> ddl.AlterTable:
        return ddl.AlterTable(table, change, if_exists)

    def alter_type(self, if_exists: bool, name: ddl.QualifiedName, change: ddl.Alteration) -> ddl.AlterType:
        return ddl.AlterType(name, change, if_exists)

    def add(self, if_not_exists: bool, columns: tuple[ddl.ColumnDefinition, ...]) -> ddl.Add:
        return ddl.Add(columns, if_not_exists)

    def drop(self, if_exists: bool, columns: tuple[ddl.Name, ...], _timestamp: Token | None) -> ddl.Drop:
        return ddl.Drop(columns, if_exists)

    def rename_all(self, if_exists: bool, *renames: tuple[ddl.Name, ddl.Name]) -> ddl.Rename:
        return ddl.Rename(renames, if_exists)

    def retype(self, if_exists: bool, name: ddl.Name, kind: ddl.TypeName) -> ddl.Retype:
        return ddl.Retype(name, kind, if_exists)

    def no_change(self, *_: Any) -> ddl.NoChange:
        return ddl.NoChange()

    def added_columns(self, *columns: ddl.ColumnDefinition) -> tuple[ddl.ColumnDefinition, ...]:
        return columns

    fields = added_columns

    def dropped_columns(self, *names: ddl.Name) -> tuple[ddl.Name, ...]:
        return names

    def rename(self, old: ddl.Name, new: ddl.Name) -> tuple[ddl.Name, ddl.Name]:
        return old, new

    def drop_table(self, if_exists: bool, table: ddl.QualifiedName) -> ddl.DropTable:
        return ddl.DropTable(table, if_exists)

    def drop_type(self, if_exists: bool, name: ddl.QualifiedName) -> ddl.DropType:
        return ddl.DropType(name, if_exists)

    def drop_keyspace(self, if_exists: bool, name: ddl.Name) -> ddl.DropKeyspace:
        return ddl.DropKeyspace(name, if_exists)
