"""What all containers share: their parts decoded, and the blobs in them repaired.

The connector writes every blob inside a frozen container as the bytes of the whole outermost frozen container. Nothing else
of the value is wrong, and those bytes hold the truth, so the value is decoded again from any blob in it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from types import GenericAlias
from typing import Any

from cdc.codec.native import Part
from cdc.errors import InvalidValue
from cdc.types.base import Building, Form

FindBlob = Callable[[Any], bytes | None]
Repair = Callable[[Any], Any]


def decode_part(form: Form, serialized: Part) -> Any:
    """Return the wire value of a part; null, or zero bytes where the type has no such value, is None."""
    if serialized is None or not (serialized or form.empty_is_value):
        return None
    return form.decode(serialized)


def first_blob(pairs: Iterable[tuple[FindBlob | None, Any]]) -> bytes | None:
    """Return the first blob among values beside what finds one in each."""
    for find, value in pairs:
        if find is not None and value is not None and (blob := find(value)) is not None:
            return blob
    return None


def repair_from_blob(building: Building, find_blob: FindBlob | None, decode: Callable[[bytes], Any]) -> Repair | None:
    """Return the repair of a frozen container, None where there is nothing to repair or a container above does it."""
    if find_blob is None or building.inside_frozen:
        return None

    def repair(value: Any) -> Any:
        serialized = find_blob(value)
        if serialized is None:
            return value
        try:
            return decode(serialized)
        except (ValueError, ArithmeticError, IndexError, struct.error) as error:
            raise InvalidValue(f"a blob inside a frozen container is not the container's bytes: {error}") from error

    return repair


def repaired(form: Form, value: Any) -> Any:
    """Return a part as it should have been written."""
    return value if value is None or form.repair is None else form.repair(value)


def list_of(wire: Any) -> Any:
    """Return the annotation of a list."""
    return GenericAlias(list, (wire,))


def map_of(key: Any, value: Any) -> Any:
    """Return the annotation of a map: an object, or pairs where the keys are not strings on the wire."""
    return GenericAlias(dict, (str, value)) | list_of(GenericAlias(tuple, (key, value)))
