"""PostgreSQL's array literals of one dimension: `{1,NULL,"a b"}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from cdc.types.base import Form

_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^",{}]*)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def quote_element(text: str) -> str:
    """Return an element in double quotes, which any text may stand in."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_array(literal: str) -> list[str | None]:
    """Return the elements, NULL as None. Raises ValueError."""
    if literal == "{}":
        return []
    elements: list[str | None] = []
    at = 0
    while at < len(literal) - 1:
        match = _ELEMENT.match(literal, at + 1)
        if match is None or literal[match.end()] not in ",}":
            raise ValueError("not an array literal")
        elements.append(_element(match))
        at = match.end()
    return elements


def _element(match: re.Match[str]) -> str | None:
    quoted, bare = match.groups()
    if quoted is not None:
        return _ESCAPED.sub(r"\1", quoted)
    return None if bare == "NULL" else _ESCAPED.sub(r"\1", bare)


def array_writer(element: Form) -> Callable[[Iterable[Any]], str]:
    """Return what makes an array literal of wire values."""
    to_text = element.to_text
    if element.quoted_in_array:
        return lambda values: (
            "{" + ",".join(["NULL" if value is None else quote_element(to_text(value)) for value in values]) + "}"
        )
    return lambda values: "{" + ",".join(["NULL" if value is None else to_text(value) for value in values]) + "}"
