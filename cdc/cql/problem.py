"""What is wrong in a CQL script, and where."""

from __future__ import annotations

from cdc.errors import SchemaError


class CqlError(Exception):
    """A problem at an offset of the script; becomes a `SchemaError` once the script is at hand."""

    def __init__(self, message: str, offset: int, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.hint = hint

    def as_schema_error(self, text: str, statement_start: int) -> SchemaError:
        """Return the error with line, column and the statement's beginning."""
        line = text.count("\n", 0, self.offset) + 1
        column = self.offset - text.rfind("\n", 0, self.offset)
        start = " ".join(text[statement_start : statement_start + 200].split())
        shown = start if len(start) <= 60 else start[:59] + "…"
        return SchemaError(f"{self.message}, line {line}, column {column}, in: {shown}", hint=self.hint)
