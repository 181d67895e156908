"""JSON as jsonb prints it, numbers exact."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

_decoder = json.JSONDecoder(parse_int=Decimal, parse_float=Decimal)


def parse_jsonb(text: str) -> Any:
    """Return the value with every number as a Decimal, scale kept."""
    return _decoder.decode(text)


def array_json(to_json: Callable[[Any], str]) -> Callable[[Iterable[Any]], str]:
    """Return what writes a JSON array of values."""
    return lambda values: "[" + ",".join(["null" if value is None else to_json(value) for value in values]) + "]"
