"""CQL types from their notation, for tables of cases."""

from __future__ import annotations

from cdc.schema import CqlType

ADDRESS = CqlType(
    "udt",
    (CqlType("text"), CqlType("int"), CqlType("set", (CqlType("text"),), frozen=True)),
    udt_name="addr",
    field_names=("street", "zip", "tags"),
)
PERSON = CqlType(
    "udt",
    (
        CqlType("text"),
        CqlType("udt", ADDRESS.arguments, frozen=True, udt_name="addr", field_names=ADDRESS.field_names),
        CqlType("uuid"),
        CqlType("timestamp"),
        CqlType("blob"),
    ),
    udt_name="person",
    field_names=("name", "home", "id", "seen", "photo"),
)
_UDTS = {"addr": ADDRESS, "person": PERSON}


def cql(notation: str) -> CqlType:
    """Return the type of a notation such as `frozen<map<text, addr>>`."""
    name, _, inner = notation.strip().partition("<")
    arguments = _split(inner[:-1]) if inner else []
    if name == "frozen":
        bare = cql(arguments[0])
        return CqlType(bare.name, bare.arguments, True, bare.udt_name, bare.field_names, bare.dimension)
    if name == "vector":
        return CqlType(name, (cql(arguments[0]),), dimension=int(arguments[1]))
    return _UDTS.get(name) or CqlType(name, tuple(map(cql, arguments)))


def _split(inner: str) -> list[str]:
    parts, depth = [""], 0
    for character in inner:
        depth += (character == "<") - (character == ">")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts
