"""The layouts of the tables that the catalog has, PostgreSQL brought to them; read again as often as the schema changes."""

from __future__ import annotations

from typing import Final

from cdc.errors import SchemaError
from cdc.schema import Table
from runtime.catalog import Catalog
from runtime.logs import get_logger
from sinks.postgres.layout import Layout
from sinks.postgres.migrate import migrate

_log: Final = get_logger("postgres")


class TableLayouts:
    """Reads layouts, from any thread. A table that cannot be followed keeps a process from starting; later it is halted."""

    def __init__(self, dsn: str, catalog: Catalog, *, create_tables: bool) -> None:
        self._dsn = dsn
        self._catalog = catalog
        self._create_tables = create_tables
        self._was_read = False

    def __call__(self) -> list[Layout]:
        """Return the layouts, after making what is missing. Raises `SchemaError` (the first time only) or `psycopg.Error`."""
        layouts, refused = self._migrate()
        if refused and self._catalog.refresh("; ".join(error.message for error in refused.values())) is not None:
            layouts, refused = self._migrate()  # another process may have followed a newer schema than ours was
        for name, error in refused.items():
            if not self._was_read:
                raise error
            _log.error("table_not_followed", table=name, reason=error.message, hint=error.hint)
        self._was_read = True
        return layouts

    def _migrate(self) -> tuple[list[Layout], dict[str, SchemaError]]:
        refused: dict[str, SchemaError] = {}

        def note(table: Table, error: SchemaError) -> None:
            refused[table.full_name] = error

        tables = self._catalog.schema.tables.values()
        return migrate(self._dsn, tables, create_tables=self._create_tables, on_refused=note), refused
