"""What is installed on a switch, from its multipart replies: flows with their counters, meters."""

import struct
from collections.abc import Iterator

import msgspec

ALL_FLOWS = struct.pack("!B3xII4xQQHH4x", 0xFF, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 1, 4)
"""Body of a flow description request (section 7.3.5.2): every table, port, group and cookie, an empty match."""
ALL_METERS = struct.pack("!I4x", 0xFFFFFFFF)
ALL_GROUPS = struct.pack("!I4x", 0xFFFFFFFC)

_FLOW = struct.Struct("!HxxBxH8xQ")
"""length, table_id, priority, (timeouts, flags, importance), cookie; a match, statistics and instructions follow."""
_PAIR = struct.Struct("!HH")
_COUNTER = struct.Struct("!HBBQ")
_METER = struct.Struct("!HHI")
_BAND = struct.Struct("!HHII")
_PACKETS, _BYTES = 4, 5
_ABBREVIATED, _RESUMED = 4, 6
"""Events of a flow monitor (section 7.3.5.18)."""


class InstalledFlow(msgspec.Struct, frozen=True, gc=False):
    """A flow as the switch gives it back. It may spell a match otherwise than it was sent."""

    table: int
    priority: int
    cookie: int
    packets: int
    octets: int
    match: bytes
    """ofp_match with its padding: what a strict delete needs."""
    instructions: bytes

    @property
    def raw(self) -> bytes:
        """Match and instructions, as they follow the fixed part of a flow mod."""
        return self.match + self.instructions


def installed_flows(body: bytes) -> Iterator[InstalledFlow]:
    """From the body of one OFPMP_FLOW_DESC reply (7.3.5.2). Raises ValueError or struct.error on a malformed one."""
    at, end = 0, len(body)
    while at < end:
        length, table, priority, cookie = _FLOW.unpack_from(body, at)
        match = at + _FLOW.size
        _, size = _PAIR.unpack_from(body, match)
        statistics = match + (size + 7) // 8 * 8
        _, size = _PAIR.unpack_from(body, statistics)
        instructions = statistics + (size + 7) // 8 * 8
        following = at + length
        if not at < match < statistics < instructions <= following <= end:
            raise ValueError(
                f"the parts of a flow description of {length} bytes do not fit, {end - at} bytes to the end"
            )
        packets, octets = _counters(body, statistics + 4, statistics + size)
        yield InstalledFlow(
            table, priority, cookie, packets, octets, body[match:statistics], body[instructions:following]
        )
        at = following


def _counters(body: bytes, at: int, end: int) -> tuple[int, int]:
    """Packets and bytes of OXS statistics (7.2.4.1). OVS leaves out what it does not know; then it is 0."""
    packets = octets = 0
    while at + 4 <= end:
        field, length = body[at + 2] >> 1, body[at + 3]
        if length == 8:
            value = int.from_bytes(body[at + 4 : at + 12], "big")
            if field == _PACKETS:
                packets = value
            elif field == _BYTES:
                octets = value
        at += 4 + length
    return packets, octets


def installed_meters(body: bytes) -> Iterator[tuple[int, tuple[int, int]]]:
    """(meter id, (rate, burst) of its first band) from the body of one OFPMP_METER_DESC reply (7.3.5.15)."""
    at, end = 0, len(body)
    while at < end:
        length, _, meter = _METER.unpack_from(body, at)
        if length < _METER.size or at + length > end:
            raise ValueError(f"a meter of {length} bytes, {end - at} bytes before the end")
        rate = burst = 0
        if length >= _METER.size + _BAND.size:
            _, _, rate, burst = _BAND.unpack_from(body, at + _METER.size)
        yield meter, (rate, burst)
        at += length


def installed_groups(body: bytes) -> Iterator[int]:
    """Ids, from the body of one OFPMP_GROUP_DESC reply (7.3.5.11)."""
    at, end = 0, len(body)
    while at < end:
        length, _, group = _METER.unpack_from(body, at)
        if length < _METER.size or at + length > end:
            raise ValueError(f"a group of {length} bytes, {end - at} bytes before the end")
        yield group
        at += length


def foreign_changes(body: bytes) -> bool:
    """Does one update of a flow monitor (7.3.5.18) tell of more than what we have done ourselves?"""
    at, end = 0, len(body)
    while at < end:
        length, event = _PAIR.unpack_from(body, at)
        if length < _PAIR.size:
            raise ValueError(f"a flow update of {length} bytes")
        if event not in (_ABBREVIATED, _RESUMED):
            return True
        at += length
    return False
