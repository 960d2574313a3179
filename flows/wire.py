"""OpenFlow 1.5 bytes of flows and meters (OpenFlow 1.5.1 sections 7.2 and 7.3.4).

Written as Open vSwitch itself writes them in a flow description, so that equal flows are equal bytes.
"""

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

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
from flows.fields import PORT_CONTROLLER, PORT_IN_PORT, PORT_NORMAL
from flows.flow import Flow, MeterConfig
from flows.match import Match

VERSION = 6
OFPT_FLOW_MOD, OFPT_METER_MOD = 14, 29
ADD, MODIFY, MODIFY_STRICT, DELETE, DELETE_STRICT = range(5)
METER_ADD, METER_MODIFY, METER_DELETE = range(3)
ALL_TABLES = 0xFF
ANY = 0xFFFFFFFF

NICIRA = 0x00002320
"""Experimenter of Open vSwitch's own actions."""
MULTIPATH, BUNDLE_LOAD, RESUBMIT_TABLE, OUTPUT_REG, CT, NAT, CT_CLEAR, CHECK_PKT_LARGER = 10, 13, 14, 15, 35, 36, 43, 49
"""Their subtypes (lib/ofp-actions.c)."""
HASH_SYMMETRIC_L3L4_UDP, HRW = 3, 2
"""Of a multipath: which fields, which algorithm."""
NXM_OF_IN_PORT = bytes((0, 0, 0, 2))
"""What a bundle's members are."""
NAT_SRC, NAT_DST = 1, 2
NAT_IPV4_MIN, NAT_IPV6_MIN, NAT_PROTO_MIN = 1, 4, 16
"""Of an NXAST_NAT: its flags, and what follows."""
OFPAT_OUTPUT, OFPAT_PUSH_VLAN, OFPAT_POP_VLAN, OFPAT_DEC_NW_TTL = 0, 17, 18, 24
OFPAT_SET_FIELD, OFPAT_COPY_FIELD, OFPAT_METER = 25, 28, 29
OFPAT_EXPERIMENTER = 0xFFFF
OFPIT_GOTO_TABLE, OFPIT_APPLY_ACTIONS = 1, 4

MOST_ACTIONS = 60_000
"""Bytes of a flow's actions: a message has 65,535 in all, and a bundle wraps it once more."""

_OUTPUT = struct.Struct("!HHIH6x")
_MOVE = struct.Struct("!HHHHH2x")
_RESUBMIT = struct.Struct("!HHIHHB3x")
_OUTPUT_REG = struct.Struct("!HHIHH4sH6x")
_CT = struct.Struct("!HHIHH4sHB3xH")
_NAT = struct.Struct("!HHIH2xHH")
_BUNDLE = struct.Struct("!HHIHHHH4sHH4s4x")
_MULTIPATH = struct.Struct("!HHIHHH2xHHI2xH4s")
_CHECK_LARGER = struct.Struct("!HHIHHH4s6x")
_FLOW_MOD = struct.Struct("!BBHIQQBBHHHIIIHH")
_METER_MOD = struct.Struct("!BBHIHHI")
_METER_BAND = struct.Struct("!HHII4x")
_EMPTY_MATCH = bytes((0, 1, 0, 4, 0, 0, 0, 0))


def body(flow: Flow) -> bytes:
    """Match and instructions: everything of a flow-mod after `importance`. ValueError when it is too large to send."""
    actions = flow.actions
    tail = b""
    if actions and type(last := actions[-1]) is Goto:
        actions = actions[:-1]
        tail = bytes((0, OFPIT_GOTO_TABLE, 0, 8, last.table.number, 0, 0, 0))
    if not actions:
        return match_bytes(flow.match) + tail
    applied = b"".join([_ENCODERS[type(action)](action) for action in actions])
    if len(applied) > MOST_ACTIONS:
        raise ValueError(f"{flow.table}: {len(actions)} actions, {len(applied):,} bytes, exceed an OpenFlow message")
    return b"%b\0\4%b\0\0\0\0%b%b" % (match_bytes(flow.match), (len(applied) + 8).to_bytes(2), applied, tail)


def match_bytes(match: Match) -> bytes:
    """OXM match, padded to 8 bytes."""
    parts = []
    for field, value, mask in match.items:
        if mask is None:
            parts.append(field.exact + value.to_bytes(field.size))
        else:
            size = field.size
            parts.append(field.masked + value.to_bytes(size) + mask.to_bytes(size))
    inside = b"".join(parts)
    length = 4 + len(inside)
    return b"\0\1" + length.to_bytes(2) + inside + bytes(-length % 8)


def action_bytes(action: Action) -> bytes:
    """One action. TypeError for Goto, which is an instruction."""
    encoder = _ENCODERS.get(type(action))
    if encoder is None:
        raise TypeError(f"{action} is no action on the wire")
    return encoder(action)


def _set(action: Set) -> bytes:
    field, mask = action.field, action.bits
    if mask is None:
        header = field.in_action
        oxm = header + action.number.to_bytes(header[3])
    else:
        oxm = field.masked + action.number.to_bytes(field.size) + mask.to_bytes(field.size)
    pad = -(4 + len(oxm)) % 8
    return b"\0\x19" + (4 + len(oxm) + pad).to_bytes(2) + oxm + bytes(pad)


@lru_cache(maxsize=1024)
def _move(a: Move) -> bytes:
    head = _MOVE.pack(OFPAT_COPY_FIELD, 24, a.bits, a.src_offset, a.dst_offset)
    return head + a.src.in_action + a.dst.in_action + bytes(4)


@lru_cache(maxsize=65536)
def _output(action: Output) -> bytes:
    return _OUTPUT.pack(OFPAT_OUTPUT, 16, action.port, 0)


@lru_cache(maxsize=64)
def _output_field(action: OutputField) -> bytes:
    field = action.field
    return _OUTPUT_REG.pack(OFPAT_EXPERIMENTER, 24, NICIRA, OUTPUT_REG, field.bits - 1, field.exact, 0xFFFF)


@lru_cache(maxsize=256)
def _resubmit(action: Resubmit) -> bytes:
    in_port = PORT_IN_PORT & 0xFFFF
    return _RESUBMIT.pack(OFPAT_EXPERIMENTER, 16, NICIRA, RESUBMIT_TABLE, in_port, action.table.number)


@lru_cache(maxsize=4096)
def _ct(action: Ct) -> bytes:
    table = 0xFF if action.table is None else action.table.number
    # A number stands where else the register's bits do, and no register beside it.
    source, zone = (bytes(4), action.zone) if isinstance(action.zone, int) else (action.zone.exact, 15)
    nat = b"" if action.nat is None else _nat(action.nat)
    return _CT.pack(OFPAT_EXPERIMENTER, 24 + len(nat), NICIRA, CT, int(action.commit), source, zone, table, 0) + nat


def _nat(nat: Nat) -> bytes:
    address = nat.packed
    port = nat.port.to_bytes(2) if nat.port else b""
    there = {0: 0, 4: NAT_IPV4_MIN, 16: NAT_IPV6_MIN}[len(address)] | (NAT_PROTO_MIN if port else 0)
    flags = {"": 0, "src": NAT_SRC, "dst": NAT_DST}[nat.side]
    return _padded(_NAT.pack(OFPAT_EXPERIMENTER, 0, NICIRA, NAT, flags, there) + address + port)


@lru_cache(maxsize=4096)
def _first_live(action: FirstLive) -> bytes:
    count = len(action.ports)
    head = _BUNDLE.pack(
        OFPAT_EXPERIMENTER, 0, NICIRA, BUNDLE_LOAD, 0, 0, 0, NXM_OF_IN_PORT, count, 31, action.field.exact
    )
    return _padded(head + struct.pack(f"!{count}H", *action.ports))


@lru_cache(maxsize=256)
def _spread(action: Spread) -> bytes:
    return _MULTIPATH.pack(
        OFPAT_EXPERIMENTER, 32, NICIRA, MULTIPATH, HASH_SYMMETRIC_L3L4_UDP, 0, HRW, action.count - 1, 0, 31,
        action.field.exact,
    )  # fmt: skip


@lru_cache(maxsize=256)
def _check_larger(action: CheckLarger) -> bytes:
    return _CHECK_LARGER.pack(
        OFPAT_EXPERIMENTER, 24, NICIRA, CHECK_PKT_LARGER, action.size, action.bit, action.field.exact
    )


def _padded(action: bytes) -> bytes:
    """To 8 bytes, its length filled in."""
    length = len(action) + -len(action) % 8
    return action[:2] + length.to_bytes(2) + action[4:] + bytes(length - len(action))


_IN_PORT = _OUTPUT.pack(OFPAT_OUTPUT, 16, PORT_IN_PORT, 0)
_NORMAL = _OUTPUT.pack(OFPAT_OUTPUT, 16, PORT_NORMAL, 0)
_PUSH_VLAN = struct.pack("!HHH2x", OFPAT_PUSH_VLAN, 8, 0x8100)
_POP_VLAN = struct.pack("!HH4x", OFPAT_POP_VLAN, 8)
_DEC_TTL = struct.pack("!HH4x", OFPAT_DEC_NW_TTL, 8)
_CT_CLEAR = struct.pack("!HHIH6x", OFPAT_EXPERIMENTER, 16, NICIRA, CT_CLEAR)

_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    Set: _set,
    Move: _move,
    Output: _output,
    OutputField: _output_field,
    Resubmit: _resubmit,
    InPort: lambda _: _IN_PORT,
    Normal: lambda _: _NORMAL,
    PushVlan: lambda _: _PUSH_VLAN,
    PopVlan: lambda _: _POP_VLAN,
    ToController: lambda a: _OUTPUT.pack(OFPAT_OUTPUT, 16, PORT_CONTROLLER, a.max_len),
    Ct: _ct,
    CtClear: lambda _: _CT_CLEAR,
    DecTtl: lambda _: _DEC_TTL,
    FirstLive: _first_live,
    Spread: _spread,
    CheckLarger: _check_larger,
    Meter: lambda a: struct.pack("!HHI", OFPAT_METER, 8, a.id),
}


def flow_mod(command: int, table: int, priority: int, cookie: int, body: bytes, xid: int = 0) -> bytes:
    """OFPT_FLOW_MOD without time-outs. DELETE_STRICT deletes whatever the cookie is."""
    return (
        _FLOW_MOD.pack(
            VERSION, OFPT_FLOW_MOD, 48 + len(body), xid, cookie, 0, table, command, 0, 0, priority, ANY, ANY, ANY, 0, 0
        )
        + body
    )


def delete_cookie(table: int, cookie: int, mask: int = (1 << 64) - 1, xid: int = 0) -> bytes:
    """Deletes the flows of a table, or of ALL_TABLES, whose cookie agrees with ``cookie`` in the bits of ``mask``."""
    return (
        _FLOW_MOD.pack(VERSION, OFPT_FLOW_MOD, 56, xid, cookie, mask, table, DELETE, 0, 0, 0, ANY, ANY, ANY, 0, 0)
        + _EMPTY_MATCH
    )


PKTPS, BURST = 2, 4


def meter_mod(command: int, meter: MeterConfig, xid: int = 0) -> bytes:
    """OFPT_METER_MOD: one band that drops."""
    band = b"" if command == METER_DELETE else _METER_BAND.pack(1, 16, meter.rate, meter.burst)
    head = _METER_MOD.pack(VERSION, OFPT_METER_MOD, 16 + len(band), xid, command, PKTPS | BURST, meter.id)
    return head + band
