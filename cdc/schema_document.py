"""A table's schema as a document that processes share: JSON, with a fingerprint that tells whether it is whole and the same."""

from __future__ import annotations

import msgspec
import xxhash

from cdc.errors import SchemaError
from cdc.schema import Table


class SchemaDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table; `version` is Cassandra's own of the whole schema, `fingerprint` that of the table."""

    version: str
    fingerprint: str
    table: Table


class SchemaIndex(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every table of one version, by its fingerprint: what makes the documents of that version complete."""

    version: str
    tables: list[tuple[str, str, str]]  # keyspace, name, fingerprint


def fingerprint_of(table: Table) -> str:
    """Return 128 bits of hash as hexadecimal digits, equal for equal tables in every process."""
    return xxhash.xxh3_128_hexdigest(msgspec.json.encode(table, order="deterministic"))


def encode_document(table: Table, version: str) -> bytes:
    """Return the document of a table."""
    return msgspec.json.encode(SchemaDocument(version, fingerprint_of(table), table), order="deterministic")


def decode_document(text: bytes) -> SchemaDocument:
    """Return what `encode_document` wrote. Raises `SchemaError` for anything else, another release's document too."""
    try:
        document = msgspec.json.decode(text, type=SchemaDocument)
    except msgspec.MsgspecError as error:
        raise SchemaError(f"not a schema document: {error}") from error
    if document.fingerprint != fingerprint_of(document.table):
        raise SchemaError(f"the document of {document.table.full_name} does not have its fingerprint")
    return document
