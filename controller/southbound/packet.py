"""Packets that a switch hands to the controller, and packets that the controller sends out of it."""

import struct
from collections.abc import Mapping

import msgspec

from controller.southbound.message import PACKET_OUT, message, oxm_fields

NO_BUFFER = 0xFFFFFFFF
_PACKET_IN = struct.Struct("!IHBBQ")
"""buffer_id, total_len, reason, table_id, cookie (section 7.4.1); a match follows, two bytes and the packet."""
_MATCH = struct.Struct("!HH")
_NXM_1, _BASIC, _PACKET_REGISTERS = 0x0001, 0x8000, 0x8001
_IN_PORT = 0
_REG0, _REG15, _XXREG0, _XXREG3 = 0, 15, 111, 114


class PacketIn(msgspec.Struct, frozen=True):
    """A packet that a flow has sent to the controller, with what the pipeline knew of it."""

    datapath_id: int
    table: int
    """Number of the table whose flow sent it."""
    cookie: int
    """Of that flow."""
    in_port: int
    """OpenFlow port by which it came in; 0 when the pipeline has cleared it."""
    registers: Mapping[int, int]
    """Register number 0 to 15 -> 32-bit value, of those that are not zero."""
    data: bytes
    """The Ethernet frame."""


def packet_in(datapath_id: int, body: bytes) -> PacketIn:
    """From what follows the header of an OFPT_PACKET_IN. Raises ValueError (struct.error too) when it is malformed."""
    _, _, _, table, cookie = _PACKET_IN.unpack_from(body)
    start = _PACKET_IN.size
    _, length = _MATCH.unpack_from(body, start)
    end = start + length
    data = start + (length + 7) // 8 * 8 + 2
    if length < _MATCH.size or data > len(body):
        raise ValueError(f"a match of {length} bytes in {len(body)}")
    in_port = 0
    registers: dict[int, int] = {}
    for kind, field, masked, at, size in oxm_fields(body, start + _MATCH.size, end):
        wide = size // 2 if masked else size
        value = int.from_bytes(body[at : at + wide], "big")
        if kind == _BASIC and field == _IN_PORT:
            in_port = value
        elif kind == _PACKET_REGISTERS and field < 8:  # OVS says registers as 64-bit ones in OpenFlow 1.5
            _spread(registers, field * 2, 2, value)
        elif kind == _NXM_1 and _REG0 <= field <= _REG15:
            _spread(registers, field, 1, value)
        elif kind == _NXM_1 and _XXREG0 <= field <= _XXREG3:
            _spread(registers, (field - _XXREG0) * 4, 4, value)
    return PacketIn(datapath_id, table, cookie, in_port, registers, body[data:])


def _spread(registers: dict[int, int], first: int, count: int, value: int) -> None:
    """A wide register holds the lower-numbered narrow one in its upper half."""
    for index in range(count):
        if part := value >> 32 * (count - 1 - index) & 0xFFFFFFFF:
            registers[first + index] = part


def packet_out(xid: int, in_port: int, data: bytes, actions: bytes) -> bytes:
    """Section 7.3.7. ``actions``: encoded actions. Raises ValueError when it all does not fit one message."""
    match = struct.pack("!HHIIxxxx", 1, 12, _BASIC << 16 | _IN_PORT << 9 | 4, in_port)
    body = struct.pack("!IHxx", NO_BUFFER, len(actions)) + match + actions + data
    if len(body) + 8 > 0xFFFF:
        raise ValueError(f"a packet-out of {len(body) + 8} bytes does not fit OpenFlow's 65,535")
    return message(PACKET_OUT, xid, body)
