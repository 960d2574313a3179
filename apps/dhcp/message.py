"""DHCP messages on the wire (RFC 2131 section 2, options RFC 2132).

Decoding is our own: os-ken's option parser stops at the first pad option and takes file names for ASCII. Encoding is
os-ken's.
"""

import struct
from collections.abc import Mapping

import msgspec
from netaddr import IPAddress

from apps import headers as h

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)

(MASK, ROUTER, DNS, MTU, REQUESTED, LEASE, TYPE, SERVER_ID, RENEWAL, REBINDING, ROUTES) = (
    1, 3, 6, 26, 50, 51, 53, 54, 58, 59, 121,
)  # fmt: skip
PAD, END, OVERLOAD = 0, 255, 52
COOKIE = b"\x63\x82\x53\x63"
BROADCAST_FLAG = 0x8000
BROADCAST_MAC, BROADCAST, UNSPECIFIED = "ff:ff:ff:ff:ff:ff", "255.255.255.255", "0.0.0.0"


class Request(msgspec.Struct, frozen=True):
    """What a client sent."""

    type: int
    mac: str
    xid: int
    flags: int
    ciaddr: str
    options: Mapping[int, bytes]

    def address(self, option: int) -> str:
        """An option that is one address; "" where it is absent or malformed."""
        value = self.options.get(option, b"")
        return str(IPAddress(int.from_bytes(value))) if len(value) == 4 else ""


def decode(frame: bytes) -> Request:
    """An Ethernet frame with IPv4, UDP and DHCP in it. ValueError says what is wrong with it."""
    try:
        if frame[12:14] != b"\x08\x00":
            raise ValueError("not IPv4")
        start = 14 + (frame[14] & 0xF) * 4
        (length,) = struct.unpack_from("!H", frame, start + 4)
        message = frame[start + 8 : start + length]
        op, hardware, size, _, xid, _, flags, ciaddr = struct.unpack_from("!BBBBIHH4s", message)
    except (struct.error, IndexError) as error:
        raise ValueError("truncated") from error
    if (op, hardware, size) != (1, 1, 6) or message[236:240] != COOKIE:
        raise ValueError("not a DHCP request over Ethernet")
    options = decode_options(message[240:])
    if len(options.get(TYPE, b"")) != 1:
        raise ValueError("no message type")
    return Request(
        options[TYPE][0], message[28:34].hex(":"), xid, flags, str(IPAddress(int.from_bytes(ciaddr))), options
    )


def decode_options(data: bytes) -> dict[int, bytes]:
    """Option -> value. Parts of one option are joined (RFC 3396); what is cut off at the end is left out."""
    options: dict[int, bytes] = {}
    at = 0
    while at < len(data) and data[at] != END:
        if data[at] == PAD:
            at += 1
            continue
        if at + 1 >= len(data) or at + 2 + data[at + 1] > len(data):
            break
        value = data[at + 2 : at + 2 + data[at + 1]]
        options[data[at]] = options.get(data[at], b"") + value
        at += 2 + len(value)
    return options


class Reply(msgspec.Struct, frozen=True):
    """What the server says: offer, acknowledgement or refusal."""

    type: int
    server: str
    server_mac: str
    yiaddr: str
    options: Mapping[int, bytes]
    siaddr: str = UNSPECIFIED
    boot_file: str = ""


def encode(request: Request, reply: Reply) -> bytes:
    """The frame that carries a reply to where RFC 2131 section 4.1 says: no relay is ever between."""
    everyone = reply.type == NAK or (request.flags & BROADCAST_FLAG and request.ciaddr == UNSPECIFIED)
    options = {TYPE: bytes([reply.type]), SERVER_ID: IPAddress(reply.server).packed, **reply.options}
    parts = [
        h.dhcp.option(code, value[at : at + 255])
        for code, value in options.items()
        for at in range(0, max(len(value), 1), 255)
    ]
    # RFC 1542 section 2.1: a BOOTP message has at least 300 octets, 240 of them before the options.
    end = bytes([END]).ljust(60 - sum(2 + len(part.value) for part in parts), b"\0")
    ciaddr = UNSPECIFIED if reply.type == NAK else request.ciaddr
    frame = h.packet.Packet()
    frame.add_protocol(h.ethernet.ethernet(BROADCAST_MAC if everyone else request.mac, reply.server_mac))
    to = BROADCAST if everyone else next(a for a in (ciaddr, reply.yiaddr, BROADCAST) if a != UNSPECIFIED)
    frame.add_protocol(h.ipv4.ipv4(src=reply.server, dst=to, proto=17, ttl=64))
    frame.add_protocol(h.udp.udp(67, 68))
    frame.add_protocol(
        h.dhcp.dhcp(
            2,
            request.mac,
            h.dhcp.options([*parts, end]),
            xid=request.xid,
            flags=request.flags,
            ciaddr=ciaddr,
            yiaddr=reply.yiaddr,
            siaddr=reply.siaddr,
            boot_file=reply.boot_file,
        )
    )
    frame.serialize()
    return bytes(frame.data)
