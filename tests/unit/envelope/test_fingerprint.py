"""Copies share a fingerprint, different mutations never do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdc.event import UNKNOWN
from cdc.fingerprint import Fingerprints, split
from tests.fixtures.events import TS, as_json, envelope, table_of, written

TABLE = table_of("CREATE TABLE k.t (a int PRIMARY KEY, file text, m map<text,text>)")
AFTER = {"a": written(1), "file": written("x")}
of_topic = Fingerprints("cdc.k.t")


def fingerprints(values: Sequence[bytes | None]) -> list[bytes]:
    return split(of_topic(values))


def fingerprint(value: bytes) -> bytes:
    (one,) = fingerprints([value])
    return one


def of(op: str = "i", after: dict[str, Any] | None = None, **source: Any) -> bytes:
    return fingerprint(as_json(envelope(TABLE, op, AFTER if after is None else after, **source)))


def test_it_has_128_bits() -> None:
    assert len(of()) == 16


@pytest.mark.parametrize("source", [{"file": "CommitLog-7-2.log"}, {"pos": 7}, {"file": "", "pos": -1}])
def test_replicas_share_it(source: dict[str, Any]) -> None:
    assert of(**source) == of()


def test_the_time_of_the_connector_does_not_count() -> None:
    document = envelope(TABLE, "i", AFTER)
    assert fingerprint(as_json(document | {"ts_ms": 1_999_999_999_999})) == of()


OTHERS = {
    "op": of("u"),
    "write timestamp": of(ts_us=TS + 1),
    "snapshot": of(snapshot="true"),
    "keyspace": of(keyspace="kk"),
    "table": of(table="tt"),
    "a value": of(after={"a": written(1), "file": written("y")}),
    "a null in place of a value": of(after={"a": written(1), "file": written(None)}),
    "an absent cell": of(after={"a": written(1), "file": None}),
    "an expiry": of(after={"a": written(1), "file": written("x", TS)}),
    "the topic": Fingerprints("cdc.k.u")([as_json(envelope(TABLE, "i", AFTER))]),
    "text that looks like the source": of(
        after={"a": written(1), "file": written('","file":"a","pos":1,"keyspace":"k"'), "m": written({"file": "b", "pos": "2"})}
    ),
}


def test_whatever_else_differs_makes_another() -> None:
    assert UNKNOWN not in OTHERS.values()
    assert len({of(), *OTHERS.values()}) == len(OTHERS) + 1


def test_values_that_look_like_file_and_pos_count() -> None:
    first = of(after={"a": written(1), "m": written({"file": "1", "pos": "2", "keyspace": "3"})})
    second = of(after={"a": written(1), "m": written({"file": "9", "pos": "8", "keyspace": "3"})})
    assert UNKNOWN not in (first, second)
    assert first != second


_GOOD = as_json(envelope(TABLE, "i", AFTER))
LAYOUTS = {
    "empty": b"",
    "spaced": _GOOD.replace(b",", b", "),
    "op before ts_ms": b'{"op":"i",' + _GOOD[1:],
    "no file": _GOOD.replace(b'"file":"C', b'"fiel":"C'),
    "no pos": _GOOD.replace(b'"pos"', b'"sop"'),
    "something between file and pos": _GOOD.replace(b'"pos"', b'"ts_us":1,"pos"'),
    "something between pos and keyspace": _GOOD.replace(b'"keyspace"', b'"ts_us":1,"keyspace"'),
    "a nested source": _GOOD.replace(b'"file":"C', b'"more":{},"file":"C'),
    "a quote in the file": _GOOD.replace(b'"file":"C', b'"file":"\\"C'),
    "pos as text": _GOOD.replace(b'"pos":1004241', b'"pos":"1004241"'),
    "pos as a fraction": _GOOD.replace(b'"pos":1004241', b'"pos":1.5'),
    "ts_ms of another length": _GOOD.replace(b'"ts_ms":17', b'"ts_ms":1', 1),
    "only a head": _GOOD[:40],
    "only a source": _GOOD[: _GOOD.index(b',"keyspace"')],
    "ts_ms as text": _GOOD.replace(b'"ts_ms":17', b'"ts_ms":"17', 1),
    "no source": b'{"ts_ms":1,"op":"i","after":{"m":{"file":"1","pos":2,"keyspace":"k"}}}',
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_another_layout_has_none(case: str) -> None:
    assert fingerprint(LAYOUTS[case]) == UNKNOWN


def test_one_layout_says_nothing_of_the_next() -> None:
    known = fingerprint(_GOOD)
    for case, layout in LAYOUTS.items():
        assert (case, fingerprint(layout), fingerprint(_GOOD)) == (case, UNKNOWN, known)


@pytest.mark.parametrize("case", LAYOUTS)
def test_many_at_once_have_the_same_as_one_by_one(case: str) -> None:
    alike = [as_json(envelope(TABLE, op, AFTER, pos=pos, ts_us=TS + pos)) for op, pos in (("i", 1), ("u", 22), ("d", 333))]
    assert fingerprints([]) == []
    one_by_one = list(map(fingerprint, alike))
    assert fingerprints([*alike, LAYOUTS[case], None, *alike]) == [*one_by_one, UNKNOWN, UNKNOWN, *one_by_one]


def test_it_is_the_same_from_every_process_and_after_many_layouts() -> None:
    first = of()
    for number in range(200):
        of(cluster="x" * number)
    assert of() == first
    assert Fingerprints("cdc.k.t")([_GOOD]) == first


@pytest.mark.parametrize("wrapping", [b'{"schema":{"doc":"a \\"payload\\":1"},"payload":%b}', b'{"schema":null,"payload":%b}'])
def test_the_schema_beside_an_event_does_not_count(wrapping: bytes) -> None:
    both = [wrapping % as_json(envelope(TABLE, "i", AFTER, pos=pos)) for pos in (1, 2)]
    assert UNKNOWN not in (prints := fingerprints(both))
    assert len(set(prints)) == 1


@settings(max_examples=2_000)
@given(st.sampled_from(["cut", "flip", "insert"]), st.integers(0, len(_GOOD) - 1), st.integers(0, 255))
def test_what_is_damaged_has_another_or_none(damage: str, at: int, octet: int) -> None:
    changed = {
        "cut": _GOOD[:at],
        "flip": _GOOD[:at] + bytes((octet,)) + _GOOD[at + 1 :],
        "insert": _GOOD[:at] + bytes((octet,)) + _GOOD[at:],
    }[damage]
    if _what_counts(changed) != _what_counts(_GOOD):
        assert fingerprint(changed) != fingerprint(_GOOD)


def _what_counts(value: bytes) -> object:
    """Return what the hash is made of, as an expression says it; None for an event of another layout."""
    match = re.match(
        rb'\{"ts_ms":\d{13}(,"op":"[a-zA-Z]","source":\{[^{}]{0,2048}?),"file":"[^"\\]*","pos":-?\d{1,19},"keyspace":"(.*)',
        value,
        re.DOTALL,
    )
    return match and match.groups()


def test_the_hash_is_all_of_it() -> None:
    """Every byte that counts is in the hash, wherever it stands in a long value."""
    long = as_json(envelope(TABLE, "i", {"a": written(1), "file": written("x" * 5_000)}))
    places = range(long.index(b"xxx"), long.rindex(b"xxx"), 7)
    changed = [long[:at] + b"y" + long[at + 1 :] for at in places]
    assert len({*fingerprints(changed), fingerprint(long)}) == len(places) + 1
