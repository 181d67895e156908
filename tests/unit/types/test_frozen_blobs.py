"""Blobs inside frozen containers, which the connector writes as the whole container."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from cdc.types.registry import codec_for
from tests.unit.types.notation import cql


def from_event(notation: str, value: Any) -> str:
    codec = codec_for(cql(notation))
    return codec.from_event(msgspec.json.decode(msgspec.json.encode(value), type=codec.wire))


def container(notation: str, text: str) -> str:
    return base64.b64encode(codec_for(cql(notation)).serialize(text)).decode()


@pytest.mark.parametrize(
    ("notation", "value", "want"),
    [
        (
            "frozen<list<blob>>",
            ["AAAAAwAAAAEBAAAAAgIDAAAAAA=="] * 3,
            '{"\\\\x01","\\\\x0203","\\\\x"}',
        ),
        (
            "frozen<map<text, blob>>",
            dict.fromkeys("ab", "AAAAAgAAAAFhAAAAAgoLAAAAAWIAAAAB/w=="),
            '{"a":"0x0a0b","b":"0xff"}',
        ),
        (
            "tuple<int, frozen<tuple<text, blob>>, timestamp>",
            {
                "field1": 1,
                "field2": {"field1": "in", "field2": "AAAABAAAAAEAAAAMAAAAAmluAAAAAv8AAAAACAAAAAAAAAPo"},
                "field3": 1,
            },
            '[1,["in","0xff00"],"1970-01-01 00:00:01.000Z"]',
        ),
    ],
)
def test_recorded_containers_give_the_true_blobs(notation: str, value: Any, want: str) -> None:
    assert from_event(notation, value) == want


def test_a_null_blob_leaves_the_rest_as_it_is() -> None:
    got = from_event("frozen<person>", {"name": "Ann", "home": None, "id": None, "seen": None, "photo": None})

    assert got == '{"name":"Ann","home":null,"id":null,"seen":null,"photo":null}'


def test_blobs_of_a_collection_that_is_not_frozen_are_right_already() -> None:
    assert from_event("map<text, blob>", {"a": "AQ=="}) == '{"a":"0x01"}'


def test_each_element_of_a_collection_that_is_not_frozen_is_a_container_of_its_own() -> None:
    first, second = '["a", "0x01"]', '["b", "0x02"]'
    wire = [{"field1": name, "field2": container("tuple<text, blob>", text)} for name, text in (("a", first), ("b", second))]

    assert from_event("list<frozen<tuple<text, blob>>>", wire) == '[["a","0x01"],["b","0x02"]]'


def test_a_blob_as_key_of_a_frozen_map_is_found_though_all_keys_have_become_one() -> None:
    whole = container("frozen<map<blob, int>>", '{"0x01": 1, "0x02": 2}')

    assert from_event("frozen<map<blob, int>>", [[whole, 2]]) == '{"0x01":1,"0x02":2}'


def test_the_outermost_container_counts_however_deep_the_blob_lies() -> None:
    notation = "frozen<map<text, frozen<list<frozen<tuple<int, blob>>>>>>"
    text = '{"k":[[1,"0xaa"],[2,"0xbb"]]}'
    whole = container(notation, text)

    assert from_event(notation, {"k": [{"field1": 1, "field2": whole}, {"field1": 2, "field2": whole}]}) == text
