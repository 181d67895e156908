"""Serialised values against those of an independent implementation, the Python driver of Cassandra (3.30.1)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cdc.types.registry import codec_for
from tests.unit.types.notation import cql

VECTORS = json.loads((Path(__file__).parent / "native_vectors.json").read_text("ascii"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['cql']}-{vector['text'][:20]}")
def test_text_serialises_to_the_bytes_that_the_driver_writes(vector: dict[str, str]) -> None:
    codec = codec_for(cql(vector["cql"]))

    got = codec.serialize(vector["text"])

    assert got.hex() == vector["hex"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['cql']}-{vector['text'][:20]}")
def test_bytes_that_the_driver_writes_survive_as_text(vector: dict[str, str]) -> None:
    codec = codec_for(cql(vector["cql"]))

    got = codec.serialize(codec.to_text(bytes.fromhex(vector["hex"])))

    assert got.hex() == vector["hex"]
