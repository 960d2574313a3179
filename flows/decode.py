"""Bytes -> flow: the inverse of wire.body, for what a switch says that it has."""

import struct
from collections.abc import Iterator

from flows.actions import (
    Action,
    Ct,
    Goto,
    InPort,
    Meter,
    Move,
    Normal,
    Output,
    OutputField,
    PopVlan,
    PushVlan,
    Resubmit,
    Set,
    ToController,
)
from flows.fields import CT_TUPLE, FIELDS, PORT_CONTROLLER, PORT_IN_PORT, PORT_NORMAL, Field
from flows.flow import Flow
from flows.match import Match
from flows.tables import BY_NUMBER
from flows.wire import (
    CT,
    NICIRA,
    OFPAT_COPY_FIELD,
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
)

_HEADERS = {
    **{f.in_action: (f, False) for f in (*FIELDS, *CT_TUPLE)},
    **{f.exact: (f, False) for f in FIELDS},
    **{f.masked: (f, True) for f in FIELDS if f.maskable},
}
"""OXM header -> (field, whether a mask follows)."""


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
    if kind == OFPAT_EXPERIMENTER:
        experimenter, subtype = struct.unpack_from("!IH", data, 4)
        if (experimenter, subtype) == (NICIRA, RESUBMIT_TABLE) and data[10:12] == b"\xff\xf8":
            return Resubmit(BY_NUMBER[bridge, data[12]])
        if (experimenter, subtype) == (NICIRA, OUTPUT_REG):
            field = _HEADERS[data[12:16]][0]
            if int.from_bytes(data[10:12]) == field.bits - 1:
                return OutputField(field)
        if (experimenter, subtype) == (NICIRA, CT) and len(data) == 24:
            flags, zone, bits, table, helper = struct.unpack_from("!H4sHB3xH", data, 10)
            if flags in (0, 1) and bits == 15 and not helper:
                return Ct(_HEADERS[zone][0], None if table == 0xFF else BY_NUMBER[bridge, table], bool(flags))
    raise KeyError(f"action {data.hex()}")
