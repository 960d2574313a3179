"""OpenFlow 1.5 messages, as far as the channel itself speaks them. Flow mods and meter mods come from flows.wire.

Layouts: OpenFlow Switch Specification 1.5.1, section 7. Every number is big-endian.
"""

import struct
from collections.abc import Iterator

VERSION = 0x06
"""The one wire version that this controller speaks: OpenFlow 1.5."""

HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY = 0, 1, 2, 3
FEATURES_REQUEST, FEATURES_REPLY = 5, 6
PACKET_IN, FLOW_REMOVED, PORT_STATUS, PACKET_OUT, FLOW_MOD = 10, 11, 12, 13, 14
MULTIPART_REQUEST, MULTIPART_REPLY, BARRIER_REQUEST, BARRIER_REPLY = 18, 19, 20, 21
GROUP_MOD = 15
SET_ASYNC = 28
METER_MOD = 29
REQUESTFORWARD = 32
BUNDLE_CONTROL, BUNDLE_ADD = 33, 34

MULTIPART_FLOW_DESC, MULTIPART_GROUP_DESC, MULTIPART_METER_DESC, MULTIPART_FLOW_MONITOR = 1, 7, 10, 16
BUNDLE_OVERHEAD = 16
MORE = 1
"""Flag of a multipart message that is not the last one."""

OPEN, CLOSE, COMMIT, DISCARD = 0, 2, 4, 6
"""Requests of BUNDLE_CONTROL; the reply to each is one more."""
ATOMIC_ORDERED = 3

REQUESTFORWARD_OF_OTHERS = struct.pack("!HHI", 11, 8, 0b11)
"""Body of SET_ASYNC (section 7.3.10): tell us of group mods and meter mods that come by other connections."""
FLOW_CHANGES_OF_OTHERS = struct.pack("!IIIHBBHH4x", 1, 0xFFFFFFFF, 0xFFFFFFFF, 0b1110, 0xFF, 0, 1, 4)
"""Body of a flow monitor request (section 7.3.5.18): what is added, removed and modified, in all tables. Changes by our
own connection come abbreviated."""
DELETE_GROUPS = struct.pack("!BBHIHxxIHxxI", VERSION, GROUP_MOD, 24, 0, 2, 0xFFFFFFFC, 0, 0xFFFFFFFF)
"""A whole message (section 7.3.4.3): every group goes, and the flows that lead to one."""

LARGEST = 0xFFFF
"""Bytes in the largest message: the header's length has 16 bits."""
HEADER = struct.Struct("!BBHI")
"""version, type, length, xid"""
_HELLO_ELEMENT = struct.Struct("!HH")
_BITMAP = 1
_BUNDLE = struct.Struct("!BBHIIHH")


def message(kind: int, xid: int, body: bytes = b"") -> bytes:
    return HEADER.pack(VERSION, kind, HEADER.size + len(body), xid) + body


def hello(xid: int) -> bytes:
    """Section 7.5.1, with the version bitmap that says 1.5 and nothing else."""
    return message(HELLO, xid, struct.pack("!HHI", _BITMAP, 8, 1 << VERSION))


def versions(version: int, body: bytes) -> set[int]:
    """The wire versions that a HELLO offers: its bitmap, else everything up to the header's version."""
    at = 0
    while at + _HELLO_ELEMENT.size <= len(body):
        kind, length = _HELLO_ELEMENT.unpack_from(body, at)
        if length < _HELLO_ELEMENT.size or at + length > len(body):
            break
        if kind == _BITMAP and length >= 8:
            (bits,) = struct.unpack_from("!I", body, at + 4)  # versions above 31 would be in words that follow
            return {bit for bit in range(32) if bits >> bit & 1}
        at += (length + 7) // 8 * 8
    return set(range(1, version + 1))


def named(versions: set[int]) -> str:
    """``OpenFlow 1.0, 1.3``"""
    return "OpenFlow " + (", ".join(f"1.{wire - 1}" for wire in sorted(versions)) or "of no version")


def bundle_control(bundle: int, request: int) -> bytes:
    """Body, section 7.3.9.2. Always atomic and ordered: OVS wants the same flags in every message of a bundle."""
    return struct.pack("!IHH", bundle, request, ATOMIC_ORDERED)


def bundle_add(xid: int, bundle: int, inner: bytes) -> bytes:
    """Section 7.3.9.6. The message inside gets the same xid as its wrapping (7.3.9.6: else OFPBFC_MSG_BAD_XID)."""
    length = _BUNDLE.size + len(inner)
    return b"".join(
        (
            _BUNDLE.pack(VERSION, BUNDLE_ADD, length, xid, bundle, 0, ATOMIC_ORDERED),
            inner[:4],
            xid.to_bytes(4, "big"),
            inner[8:],
        )
    )


def with_xid(xid: int, complete: bytes) -> bytes:
    return complete[:4] + xid.to_bytes(4, "big") + complete[8:]


def multipart(kind: int, body: bytes) -> bytes:
    """Body of a multipart request, section 7.3.5."""
    return struct.pack("!HH4x", kind, 0) + body


def oxm_fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, bool, int, int]]:
    """(class, field, has a mask, offset of the payload, its length) of each OXM TLV in data[start:end] (7.2.3.2).

    Raises ValueError when one reaches beyond the end.
    """
    at = start
    while at < end:
        if at + 4 > end:
            raise ValueError(f"an OXM header of {end - at} bytes")
        head = int.from_bytes(data[at : at + 4], "big")
        length = head & 0xFF
        if at + 4 + length > end:
            raise ValueError(f"OXM {head:#010x} reaches {at + 4 + length - end} bytes beyond its match")
        yield head >> 16, head >> 9 & 0x7F, bool(head & 0x100), at + 4, length
        at += 4 + length
