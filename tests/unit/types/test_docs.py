"""`docs/types.md` has every type, with what it becomes."""

from __future__ import annotations

import re
from pathlib import Path

from cdc.schema import CqlType
from cdc.types.registry import built_in_registry, codec_for

DOCUMENTED = dict(
    re.findall(r"^\| `(\w+)` \| ([^|]+) \|", (Path(__file__).parents[3] / "docs" / "types.md").read_text("utf-8"), re.MULTILINE)
)
ARGUMENTS = {"list": 1, "set": 1, "vector": 1, "map": 2, "tuple": 2, "udt": 2}


def test_every_type_has_its_line() -> None:
    assert set(DOCUMENTED) == built_in_registry().names


def test_every_line_tells_the_postgres_type() -> None:
    wrong = {name: line for name, line in DOCUMENTED.items() if line.strip() not in _lines(name)}

    assert wrong == {}


def _lines(name: str) -> set[str]:
    return {f"`{_postgres(name, CqlType('int'))}`", _array_line(name)}


def _array_line(name: str) -> str:
    made = _postgres(name, CqlType("int")), _postgres(name, CqlType("tuple", (CqlType("int"),)))
    return "array of a scalar type, else `jsonb`" if made == ("integer[]", "jsonb") else ""


def _postgres(name: str, argument: CqlType) -> str:
    count = ARGUMENTS.get(name, 0)
    names = ("a", "b") if name == "udt" else ()
    dimension = 3 if name == "vector" else None
    return codec_for(CqlType(name, (argument,) * count, True, None, names, dimension)).postgres
