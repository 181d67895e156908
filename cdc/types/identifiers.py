"""uuid, timeuuid and inet."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from cdc.errors import InvalidValue
from cdc.schema import CqlType
from cdc.types.base import Builder, Building, Form
from cdc.types.integers import of_width

if TYPE_CHECKING:
    from cdc.types.registry import TypeRegistry

_UUID_SHAPE = b"00000000-0000-0000-0000-000000000000"
_SHAPES = bytes.maketrans(b"0123456789abcdef", b"0" * 16)  # every digit becomes 0: half the time of a regular expression
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!\Z)|\Z)){4}").match
_SIGNS = 0x8080_8080_8080_8080


def register(registry: TypeRegistry) -> None:
    """Add uuid, timeuuid and inet."""
    registry.add("uuid", _uuid_builder(uuid_order))
    registry.add("timeuuid", _uuid_builder(timeuuid_order))
    registry.add("inet", build_inet)


def _uuid_builder(sort_key: Callable[[bytes], bytes]) -> Builder:
    def build(cql: CqlType, building: Building) -> Form:  # noqa: ARG001 - a UUID is the same in every role
        return Form(
            cql=cql,
            postgres="uuid",
            wire=str,
            to_text=_uuid_text,
            to_json=lambda value: f'"{_uuid_text(value)}"',
            parse_text=_parse_uuid,
            parse_json=_parse_uuid,
            decode=_decode_uuid,
            sort_key=sort_key,
            parse_bound=lambda text: _parse_uuid(_uuid_text(text)) if text else b"",
            postgres_order=False,
            fixed_length=16,
        )

    return build


def build_inet(cql: CqlType, building: Building) -> Form:  # noqa: ARG001 - an address is the same in every role
    """Return the form of inet; on the wire Java's `name/address`, the name empty."""
    return Form(
        cql=cql,
        postgres="inet",
        wire=str,
        to_text=_inet_text,
        to_json=lambda value: f'"{_inet_text(value)}"',
        parse_text=_parse_inet,
        parse_json=_parse_inet,
        decode=lambda serialized: str(ip_address(serialized)),
        sort_key=bytes,
        parse_bound=lambda text: _parse_inet(text) if text else b"",
        postgres_order=False,
    )


def uuid_order(serialized: bytes) -> bytes:
    """Return bytes in the order of `UUIDType`: the version, the time of version 1, then all bytes unsigned."""
    if len(serialized) < 16:
        return b""
    version = serialized[6] >> 4
    time = _time_first(serialized) if version == 1 else b""
    return bytes((version,)) + time + serialized


def timeuuid_order(serialized: bytes) -> bytes:
    """Return bytes in the order of `TimeUUIDType`: the time, then the other bytes as signed ones."""
    if len(serialized) < 16:
        return b""
    return _time_first(serialized) + (int.from_bytes(serialized[8:], "big") ^ _SIGNS).to_bytes(8, "big")


def _time_first(serialized: bytes) -> bytes:
    return serialized[6:8] + serialized[4:6] + serialized[:4]


def _uuid_text(value: str) -> str:
    if value.encode().translate(_SHAPES) != _UUID_SHAPE:
        raise InvalidValue(f"not a UUID: {value[:40]!r}")
    return value


def _parse_uuid(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))


def _decode_uuid(serialized: bytes) -> str:
    digits = of_width(serialized, 16).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _inet_text(value: str) -> str:
    address = value[value.rfind("/") + 1 :]
    return address if _IPV4(address) else _canonical(address)


@lru_cache(maxsize=16_384)
def _canonical(address: str) -> str:
    return str(_address(address))


def _parse_inet(text: str) -> bytes:
    return _address(text).packed


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        address = ip_address(text.partition("%")[0].partition("/")[0])
    except ValueError as error:
        raise InvalidValue(f"not an address: {text[:60]!r}") from error
    # Java shows a mapped address as the IPv4 address, so both must be one text
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
