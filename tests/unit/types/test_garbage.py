"""Whatever arrives, a codec gives text or bad data: nothing else is raised."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from cdc.errors import BadRecord
from cdc.schema import CqlType
from cdc.types.base import NulPolicy
from cdc.types.registry import codec_for
from tests.unit.types.strategies import container_types, scalar_types, typed_values

ANY_TYPE = scalar_types() | container_types(blobs=True)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["field1", "field2"]), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(ANY_TYPE, ANY_JSON, st.sampled_from(NulPolicy))
def test_any_json_is_refused_or_becomes_text(cql: CqlType, value: Any, policy: NulPolicy) -> None:
    codec = codec_for(cql, policy)

    for from_event in (codec.from_event, codec.key_from_event, codec.partition_key_from_event):
        with suppress(BadRecord, msgspec.MsgspecError):
            text = from_event(msgspec.json.decode(msgspec.json.encode(value), type=codec.wire))
            assert "\0" not in text


@settings(deadline=None)
@given(typed_values(ANY_TYPE))
def test_blobs_that_are_no_container_are_refused(typed: tuple[CqlType, Any]) -> None:
    cql, value = typed
    codec = codec_for(cql)

    with suppress(BadRecord):
        codec.from_event(msgspec.json.decode(msgspec.json.encode(value), type=codec.wire))


@settings(deadline=None)
@given(ANY_TYPE, st.binary(max_size=24))
def test_any_bytes_are_refused_or_become_text(cql: CqlType, serialized: bytes) -> None:
    codec = codec_for(cql)

    for to_text in (codec.to_text, codec.key_to_text, codec.partition_key_to_text):
        with suppress(BadRecord):
            to_text(serialized)


@settings(deadline=None)
@given(ANY_TYPE, st.text(max_size=24) | st.from_regex(r"[-+]?[0-9]{1,9}([-:.][0-9]{0,3}){0,4}", fullmatch=True))
def test_any_bound_is_refused_or_becomes_bytes(cql: CqlType, bound: str) -> None:
    with suppress(BadRecord):
        codec_for(cql).from_bound(bound)
