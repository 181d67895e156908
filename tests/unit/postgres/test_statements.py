"""The statements of one small table, whole: a change of the SQL is seen in `statements.sql`."""

from __future__ import annotations

import os
from pathlib import Path

from cdc.schema import Table
from sinks.postgres import statements
from sinks.postgres.layout import Layout, stored_column
from sinks.postgres.statements import DELETION, Touched
from sinks.postgres.table_ddl import create_table
from tests.fixtures.events import table_of

GOLDEN = Path(__file__).with_name("statements.sql")
FORMS: dict[str, Touched] = {"simple": (0, 1), "partial": (1,), "key only": (), "deletion": DELETION, "general": None}
DDL = 'CREATE TABLE shop.orders (id int, at timeuuid, total decimal, "no%te" text, PRIMARY KEY (id, at));'


def layout_of(table: Table) -> Layout:
    """Return the layout of the table with a slot that a dropped column left."""
    key = tuple(stored_column(column, column.name) for column in table.primary_key)
    columns = tuple(stored_column(column, column.name, slot) for slot, column in zip((2, 4), table.regular, strict=True))
    return Layout(table, 7, table.keyspace, table.name, key, columns, 4, 2)


def all_statements() -> dict[str, str]:
    table = table_of(DDL)
    layout = layout_of(table)
    named = {f"create_table {i}": text for i, text in enumerate(create_table(table, 7, "shop", "orders"))}
    named |= {"create_stage": statements.create_stage(layout), "copy_keys": statements.copy_keys(layout)}
    for form, touched in FORMS.items():
        named[f"copy_stage {form}"] = statements.copy_stage(layout, touched)
        there = statements.bury_covered(layout) if touched == DELETION else statements.update(layout, touched)
        named[f"what is there {form}"] = there
        named[f"set_apart {form}"] = statements.set_apart(layout, touched)
        named[f"upsert {form}"] = statements.upsert(layout, touched)
    for name in ("lock_staged", "select_pending", "select_ties", "fold_graveyard", "bury_invisible", "erase_expired"):
        named[name] = getattr(statements, name)(layout)
    named["bury_invisible of groups"] = statements.bury_invisible(layout, some_groups=True)
    named["erase_expired of groups"] = statements.erase_expired(layout, some_groups=True)
    named["decide_tie"] = statements.decide_tie(layout, 1)
    for name in ("stage_due", "delete_covered", "strip_covered"):
        named[name] = getattr(statements, name)(layout)
    return named


def test_the_statements_are_these() -> None:
    """Run with CASSMIRROR_WRITE_GOLDEN=1 to write them anew, then read the difference."""
    text = "".join(f"-- {name}\n{statement};\n\n" for name, statement in all_statements().items())
    if os.environ.get("CASSMIRROR_WRITE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()
