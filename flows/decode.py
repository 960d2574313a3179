"""Bytes -> flow: the inverse of wire.body, for what a switch says that it has."""

import struct
from collections.abc import Iterator
from typing import Literal

from flows.actions import (
    Action,
    CheckLarger,
    Ct,
    CtClear,
    DecTtl,
    FirstLive,
    Goto,
    InPort,
    Meter,
    Move,
    Nat,
    Normal,
    Output,
    OutputField,
    PopVlan,
    PushVlan,
    Resubmit,
    Set,
    Spread,
    ToController,
)
from flows.fields import CT_TUPLE, FIELDS, PORT_CONTROLLER, PORT_IN_PORT, PORT_NORMAL, Field
from flows.flow import Flow
from flows.match import Match
from flows.tables import BY_NUMBER
from flows.value import show_address
from flows.wire import (
    BUNDLE_LOAD,
    CHECK_PKT_LARGER,
    CT,
    CT_CLEAR,
    MULTIPATH,
    NAT,
    NAT_DST,
    NAT_IPV4_MIN,
    NAT_IPV6_MIN,
    NAT_PROTO_MIN,
    NAT_SRC,
    NICIRA,
    OFPAT_COPY_FIELD,
    OFPAT_DEC_NW_TTL,
    OFPAT_EXPERIMENTER,
    OFPAT_METER,
    OFPAT_OUTPUT,
    OFPAT_POP_VLAN,
    OFPAT_PUSH_VLAN,
    OFPAT_SET_FIELD,
    OFPIT_APPLY_ACTIONS,
    OFPIT_GOTO_TABLE,
    OUTPUT_REG,
    RESUBMIT_TABLE,
    action_bytes,
)

_HEADERS = {
    **{f.in_action: (f, False) for f in (*FIELDS, *CT_TUPLE)},
    **{f.exact: (f, False) for f in FIELDS},
    **{f.masked: (f, True) for f in FIELDS if f.maskable},
}
"""OXM header -> (field, whether a mask follows)."""


_SIDES: dict[int, Literal["src", "dst", ""]] = {0: "", NAT_SRC: "src", NAT_DST: "dst"}


class Undecodable(ValueError):
    """Not a flow of this vocabulary: an unknown field, action, instruction or table, or cut off."""


def decode(bridge: str, table: int, priority: int, body: bytes) -> Flow:
    """``body``: OXM match and instructions, each padded to 8 bytes, as in a flow description of OpenFlow 1.5.

    Only Undecodable is raised, whatever the bytes are.
    """
    try:
        size = int.from_bytes(body[2:4])
        if body[:2] != b"\0\1" or not 4 <= size <= len(body):
            raise Undecodable(f"no OXM match: {body.hex()}")
        match = Match({field: value if mask is None else (value, mask) for field, value, mask in _oxms(body[4:size])})
        instructions = body[size + -size % 8 :]
        return Flow(BY_NUMBER[bridge, table], priority, match, tuple(_instructions(bridge, instructions)))
    except KeyError as error:
        raise Undecodable(f"unknown: {error}: {body.hex()}") from error
    except (struct.error, IndexError) as error:
        raise Undecodable(f"cut off: {body.hex()}") from error
    except ValueError as error:
        raise Undecodable(f"{error}: {body.hex()}") from error


def _oxms(data: bytes) -> Iterator[tuple[Field, int, int | None]]:
    while data:
        field, has_mask = _HEADERS[data[:4]]
        size = field.size
        end = 4 + size * (1 + has_mask)
        if len(data) < end:
            raise Undecodable(f"cut off: {data.hex()}")
        yield (
            field,
            int.from_bytes(data[4 : 4 + size]),
            int.from_bytes(data[4 + size : end]) if has_mask else None,
        )
        data = data[end:]


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, all of it) of a list of structures with 16-bit type and length."""
    while data:
        kind, length = struct.unpack_from("!HH", data)
        if not 8 <= length <= len(data):
            raise Undecodable(f"bad length {length}: {data.hex()}")
        yield kind, data[:length]
        data = data[length:]


def _instructions(bridge: str, data: bytes) -> Iterator[Action]:
    for kind, part in _parts(data):
        if kind == OFPIT_APPLY_ACTIONS:
            for of, action in _parts(part[8:]):
                yield _action(bridge, of, action)
        elif kind == OFPIT_GOTO_TABLE:
            yield Goto(BY_NUMBER[bridge, part[4]])
        else:
            raise KeyError(f"instruction {kind}")


def _action(bridge: str, kind: int, data: bytes) -> Action:
    if kind == OFPAT_SET_FIELD:
        field, has_mask = _HEADERS[data[4:8]]
        value, mask = data[8 : 8 + (data[7] >> has_mask)], data[8 + (data[7] >> 1) : 8 + data[7]]
        return Set(field, int.from_bytes(value), int.from_bytes(mask) if has_mask else None)
    if kind == OFPAT_OUTPUT:
        _, _, port, max_len = struct.unpack_from("!HHIH", data)
        if port == PORT_CONTROLLER:
            return ToController(max_len)
        return InPort() if port == PORT_IN_PORT else Normal() if port == PORT_NORMAL else Output(port)
    if kind == OFPAT_COPY_FIELD:
        bits, src_offset, dst_offset, src, dst = struct.unpack_from("!HHH2x4s4s", data, 4)
        return Move(_HEADERS[src][0], _HEADERS[dst][0], bits, src_offset, dst_offset)
    if kind == OFPAT_METER:
        return Meter(int.from_bytes(data[4:8]))
    if kind == OFPAT_PUSH_VLAN and data[4:6] == b"\x81\0":
        return PushVlan()
    if kind == OFPAT_POP_VLAN:
        return PopVlan()
    if kind == OFPAT_DEC_NW_TTL:
        return DecTtl()
    if kind == OFPAT_EXPERIMENTER and int.from_bytes(data[4:8]) == NICIRA:
        return _nicira(bridge, int.from_bytes(data[8:10]), data)
    raise KeyError(f"action {data.hex()}")


def _nicira(bridge: str, subtype: int, data: bytes) -> Action:
    if subtype == RESUBMIT_TABLE and data[10:12] == b"\xff\xf8":
        return Resubmit(BY_NUMBER[bridge, data[12]])
    if subtype == OUTPUT_REG:
        field = _HEADERS[data[12:16]][0]
        if int.from_bytes(data[10:12]) == field.bits - 1:
            return OutputField(field)
    if subtype == CT:
        flags, source, zone, table, helper = struct.unpack_from("!H4sHB3xH", data, 10)
        if flags in (0, 1) and not helper and (zone == 15 or not any(source)):
            to = None if table == 0xFF else BY_NUMBER[bridge, table]
            return Ct(_HEADERS[source][0] if any(source) else zone, to, bool(flags), _nat(data[24:]))
    if subtype == CT_CLEAR:
        return CtClear()
    found: Action | None = None
    if subtype == BUNDLE_LOAD:
        count, dst = struct.unpack_from("!H2x4s", data, 20)
        found = FirstLive(_HEADERS[dst][0], struct.unpack_from(f"!{count}H", data, 32))
    elif subtype == MULTIPATH:
        count, dst = struct.unpack_from("!H8x4s", data, 18)
        found = Spread(_HEADERS[dst][0], count + 1)
    elif subtype == CHECK_PKT_LARGER:
        size, bit, dst = struct.unpack_from("!HH4s", data, 10)
        found = CheckLarger(size, _HEADERS[dst][0], bit)
    # Their other algorithms, hashes and parts of registers are not in this vocabulary.
    if found is not None and action_bytes(found) == data:
        return found
    raise KeyError(f"action {data.hex()}")


def _nat(data: bytes) -> Nat | None:
    """What a ct action has within."""
    if not data:
        return None
    kind, length, experimenter, subtype, flags, there = struct.unpack_from("!HHIH2xHH", data)
    size = {0: 0, NAT_IPV4_MIN: 4, NAT_IPV6_MIN: 16}[there & ~NAT_PROTO_MIN]
    if (kind, length, experimenter, subtype) != (OFPAT_EXPERIMENTER, len(data), NICIRA, NAT):
        raise KeyError(f"action {data.hex()} in ct")
    address = show_address(data[16 : 16 + size]) if size else ""
    return Nat(_SIDES[flags], address, struct.unpack_from("!H", data, 16 + size)[0] if there & NAT_PROTO_MIN else 0)
