"""The document of a table that processes share."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cdc.errors import SchemaError
from cdc.schema import Table
from cdc.schema_document import decode_document, encode_document, fingerprint_of
from cdc.system_schema import read_system_schema
from tests.fixtures.system_schemas import schema_recording, schema_recordings

TABLES = [table for name in schema_recordings() for table in read_system_schema(schema_recording(name).rows).tables.values()]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.full_name)
def test_a_document_gives_its_table_back(table: Table) -> None:
    got = decode_document(encode_document(table, "v1"))
    assert (got.version, got.table) == ("v1", table)


def test_a_fingerprint_is_that_of_the_table_alone() -> None:
    table = TABLES[0]
    assert fingerprint_of(table) == fingerprint_of(decode_document(encode_document(table, "v2")).table)
    assert len({fingerprint_of(table) for table in TABLES}) == len(set(TABLES))


def test_the_order_of_dropped_columns_does_not_show() -> None:
    names = [f"c{number}" for number in range(50)]
    one, other = (replace(TABLES[0], dropped_columns=frozenset(given)) for given in (names, names[::-1]))
    assert fingerprint_of(one) == fingerprint_of(other)


def damaged(change: str) -> bytes:
    document = json.loads(encode_document(TABLES[0], "v1"))
    if change == "column":
        document["table"]["columns"][0]["name"] = "other"
    elif change == "field":
        document["unknown"] = 1
    else:
        del document[change]
    return json.dumps(document).encode()


@pytest.mark.parametrize("change", ["column", "field", "version", "fingerprint", "table"])
def test_a_document_that_is_not_as_it_was_written_is_refused(change: str) -> None:
    with pytest.raises(SchemaError):
        decode_document(damaged(change))


def test_anything_else_is_no_document() -> None:
    with pytest.raises(SchemaError, match="not a schema document"):
        decode_document(b"{")
