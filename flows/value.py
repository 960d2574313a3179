"""Values as text: MACs, IP addresses and prefixes, numbers."""

import socket
from functools import lru_cache

from flows.fields import PORT_IN_PORT, PORT_LIMIT, Field, Kind

Value = int | str | tuple[int | str, int | str]
"""A number; text; or either with a mask. Text is a MAC, an IP address, a prefix (``10.0.0.0/24``) or a number."""


def parse(field: Field, value: Value) -> tuple[int, int | None]:
    """Value and mask, canonical: mask None when every bit counts, no value bit outside the mask.

    ValueError when it is not a value of this field. A mask of 0 is returned as it is.
    """
    if type(value) is int and 0 <= value <= field.limit:
        return value, None
    if type(value) is tuple:
        return _with_mask(field, *value)
    if isinstance(value, str):
        return _from_text(field, value)
    if isinstance(value, int):
        return _checked(field, int(value), None)
    raise ValueError(f"{field}: {value!r} is neither a number nor text")


def _checked(field: Field, number: int, mask: int | None) -> tuple[int, int | None]:
    for bits in (number, mask or 0):
        if not 0 <= bits <= field.mask:
            raise ValueError(f"{field}: {bits:#x} does not fit in {field.bits} bits")
    if field.kind is Kind.PORT and PORT_LIMIT <= number < PORT_IN_PORT:
        raise ValueError(f"{field}: {number:#x} is no OpenFlow port of Open vSwitch")
    if mask is None or mask == field.mask:
        return number, None
    if not field.maskable:
        raise ValueError(f"{field} takes no mask")
    return number & mask, mask


def _with_mask(field: Field, value: int | str, mask: int | str) -> tuple[int, int | None]:
    numbers = []
    for given in (value, mask):
        number, own_mask = parse(field, given)
        if own_mask is not None:
            raise ValueError(f"{field}: {given!r} is a prefix, and has a mask besides")
        numbers.append(number)
    return _checked(field, *numbers)


@lru_cache(maxsize=1 << 16)
def _from_text(field: Field, text: str) -> tuple[int, int | None]:
    kind = field.kind
    address, slash, length = text.partition("/")
    try:
        if len(address) == 17 and address.count(":") == 5 and "::" not in address:
            number, bits, is_a = int.from_bytes(bytes.fromhex(address.replace(":", ""))), 0, Kind.MAC
        elif ":" in address:
            number, bits, is_a = int.from_bytes(socket.inet_pton(socket.AF_INET6, address)), 128, Kind.IPV6
        elif "." in address:
            number, bits, is_a = int.from_bytes(socket.inet_pton(socket.AF_INET, address)), 32, Kind.IPV4
        else:
            number, bits, is_a = int(address, 0), 0, kind
        mask = None
        if slash:
            if not 0 <= int(length) <= bits:
                raise ValueError(length)
            mask = field.mask & ~((1 << bits - int(length)) - 1)
    except (ValueError, OSError) as error:
        raise ValueError(f"{field}: {text!r} is no {kind.value} value") from error
    if is_a is not kind and kind in (Kind.MAC, Kind.IPV4, Kind.IPV6):
        raise ValueError(f"{field}: {text!r} is no {kind.value} value")
    return _checked(field, number, mask)


@lru_cache(maxsize=1 << 16)
def show(kind: Kind, value: int) -> str:
    """Text as ovs-ofctl writes it."""
    if kind is Kind.MAC:
        return value.to_bytes(6).hex(":")
    if kind is Kind.IPV4:
        return socket.inet_ntop(socket.AF_INET, value.to_bytes(4))
    if kind is Kind.IPV6:
        return socket.inet_ntop(socket.AF_INET6, value.to_bytes(16))
    if kind is Kind.HEX:
        return hexadecimal(value)
    if kind is Kind.PORT:
        return PORT_NAMES.get(value, str(value))
    return str(value)


def packed_address(text: str) -> bytes:
    """4 bytes of an IPv4 address, 16 of an IPv6 address. ValueError."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except OSError as error:
        raise ValueError(f"{text!r} is no IP address") from error


def show_address(packed: bytes) -> str:
    """Canonical text of 4 or 16 bytes. ValueError."""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


PORT_NAMES = {
    0xFFFFFFF8: "IN_PORT",
    0xFFFFFFF9: "TABLE",
    0xFFFFFFFA: "NORMAL",
    0xFFFFFFFB: "FLOOD",
    0xFFFFFFFC: "ALL",
    0xFFFFFFFD: "CONTROLLER",
    0xFFFFFFFE: "LOCAL",
    0xFFFFFFFF: "ANY",
}


def hexadecimal(value: int) -> str:
    """C's ``%#x``: no prefix for 0."""
    return f"{value:#x}" if value else "0"


def prefix_length(mask: int, bits: int) -> int | None:
    """Of a mask that is a prefix, else None."""
    host = ~mask & (1 << bits) - 1
    return None if host & host + 1 else bits - host.bit_length()
