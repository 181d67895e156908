"""The JSON of a dead letter: fixed names, for other programs read them; the record's bytes untouched."""

from __future__ import annotations

import base64
import zlib
from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from cdc.event import Rejected


class DeadLetter(msgspec.Struct, frozen=True):
    """One record that could not be applied. `original_event` is the value as text, null if it is not UTF-8 or too big.

    With `compression` "zlib" the bytes in `key_base64` and `value_base64` are compressed with it; both are null where the
    bytes stand in PostgreSQL.
    """

    original_event: str | None
    error_type: str
    error_message: str
    attempt_count: int
    first_failure_timestamp: str
    last_failure_timestamp: str
    source_topic: str
    source_partition: int
    source_offset: int
    stage: str
    sqlstate: str | None
    key_base64: str | None
    value_base64: str | None
    compression: Literal["zlib"] | UnsetType = UNSET


def dead_letter(rejected: Rejected, at: datetime) -> DeadLetter:
    """Return the letter of a rejected record. Bad data is tried once: no retry makes it good."""
    record = rejected.record
    instant = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return DeadLetter(
        original_event=_as_text(record.value),
        error_type=rejected.error_type,
        error_message=rejected.message,
        attempt_count=1,
        first_failure_timestamp=instant,
        last_failure_timestamp=instant,
        source_topic=record.topic,
        source_partition=record.partition,
        source_offset=record.offset,
        stage=rejected.stage,
        sqlstate=rejected.sqlstate,
        key_base64=_as_base64(record.key),
        value_base64=_as_base64(record.value),
    )


def compressed(letter: DeadLetter, rejected: Rejected) -> DeadLetter:
    """Return the letter with its bytes compressed and without the text."""
    return msgspec.structs.replace(
        letter,
        original_event=None,
        key_base64=_as_base64(_deflate(rejected.record.key)),
        value_base64=_as_base64(_deflate(rejected.record.value)),
        compression="zlib",
    )


def without_bytes(letter: DeadLetter) -> DeadLetter:
    """Return the letter for PostgreSQL, whose JSON knows no U+0000 and which keeps the bytes beside it."""
    return msgspec.structs.replace(
        letter,
        original_event=None,
        error_message=letter.error_message.replace("\0", "\\u0000"),
        key_base64=None,
        value_base64=None,
    )


def encode(letter: DeadLetter) -> bytes:
    """Return the letter as it stands in Kafka."""
    return msgspec.json.encode(letter)


def original_bytes(letter: DeadLetter) -> tuple[bytes | None, bytes | None]:
    """Return key and value of the record as Kafka delivered them: what a replay sends again."""
    key, value = _from_base64(letter.key_base64), _from_base64(letter.value_base64)
    if letter.compression == "zlib":
        return _inflate(key), _inflate(value)
    return key, value


def _as_text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _as_base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _from_base64(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def _deflate(data: bytes | None) -> bytes | None:
    return None if data is None else zlib.compress(data, 9)


def _inflate(data: bytes | None) -> bytes | None:
    return None if data is None else zlib.decompress(data)
