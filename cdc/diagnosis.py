"""Says what is wrong with a record that could not be decoded; slow, thorough, and only for those."""

from __future__ import annotations

import typing
from collections.abc import Collection, Mapping
from typing import Annotated, Any

import msgspec

from cdc.errors import BadRecord, InvalidValue, MalformedRecord, MissingKey, UnexpectedEnvelope, UnknownColumn, ValueOutOfRange

_FAILURES = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_Fields = dict[str, msgspec.Raw]
_NULL = b"null"


def diagnose(payload: bytes, source: type, columns: Mapping[str, Any], required: Collection[str]) -> BadRecord | None:
    """Return the first thing wrong with an envelope, or None if nothing is found.

    `columns` maps the fields of `after` to annotations of their cells; `required` are those that must have a value.
    """
    try:
        envelope = _fields(payload, "the record")
        for name in ("op", "source", "after"):
            if name not in envelope:
                return UnexpectedEnvelope(f"the record has no {name}")
        _expect(envelope["op"], str, "op")
        _expect(envelope["source"], source, "source")
        _check_columns(_fields(envelope["after"], "after"), columns, required)
    except BadRecord as problem:
        return problem
    return None


def _fields(json: bytes | msgspec.Raw, what: str) -> _Fields:
    try:
        return msgspec.json.decode(json, type=_Fields)
    except msgspec.ValidationError as error:
        raise UnexpectedEnvelope(f"{what} is not a JSON object") from error
    except _FAILURES as error:
        raise MalformedRecord(f"{what} is not JSON: {error}") from error


def _expect(json: msgspec.Raw, annotation: Any, what: str) -> None:
    try:
        msgspec.json.decode(json, type=annotation)
    except msgspec.ValidationError as error:
        kind = ValueOutOfRange if _is_out_of_range(json, annotation) else UnexpectedEnvelope
        raise kind(f"{what}: {error}") from error
    except _FAILURES as error:
        raise MalformedRecord(f"{what} is not JSON: {error}") from error


def _check_columns(after: _Fields, columns: Mapping[str, Any], required: Collection[str]) -> None:
    unknown = sorted(after.keys() - columns.keys())
    if unknown:
        raise UnknownColumn(f"the table has no column {', '.join(map(repr, unknown))}")
    for name in sorted(required):
        if _is_null(after.get(name)):
            raise MissingKey(f"the partition key column {name!r} is absent or null")
    for name, json in after.items():
        _check_cell(json, columns[name], name)


def _is_null(json: msgspec.Raw | None) -> bool:
    if json is None or bytes(json) == _NULL:
        return True
    try:
        return bytes(msgspec.json.decode(json, type=_Fields).get("value", _NULL)) == _NULL
    except _FAILURES:
        return False


def _check_cell(json: msgspec.Raw, annotation: Any, name: str) -> None:
    try:
        msgspec.json.decode(json, type=annotation)
    except msgspec.ValidationError as error:
        kind = ValueOutOfRange if _is_out_of_range(json, annotation) else InvalidValue
        raise kind(f"column {name!r}: {error}") from error
    except _FAILURES as error:
        raise MalformedRecord(f"column {name!r} is not JSON: {error}") from error


def _is_out_of_range(json: msgspec.Raw, annotation: Any) -> bool:
    """Return whether only the size of a number is wrong: no number is that large, or the type's limits are narrower."""
    try:
        msgspec.json.decode(json)
    except msgspec.ValidationError:
        return True
    except _FAILURES:
        return False
    try:
        msgspec.json.decode(json, type=_without_limits(annotation))
    except _FAILURES:
        return False
    return True


def _without_limits(annotation: Any) -> Any:
    """Return an annotation without the limits of its numbers, at any depth."""
    if typing.get_origin(annotation) is Annotated:
        return _without_limits(typing.get_args(annotation)[0])
    arguments = typing.get_args(annotation)
    if not arguments or typing.get_origin(annotation) is typing.Literal:
        return annotation
    bare = tuple(map(_without_limits, arguments))
    if typing.get_origin(annotation) in (typing.Union, type(int | str)):
        return typing.Union[bare]  # noqa: UP007 - made at run time
    return typing.get_origin(annotation)[bare]
