"""IP packets as frames, and back; every checksum that matters is looked at."""

import ipaddress
import struct
from typing import NamedTuple, Self

from tests.hosts.frame import IPV4, IPV6, mac_text, octets

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
SYN, SYN_ACK = 0x02, 0x12
ECHO, ECHO_REPLY = 8, 0
_VLAN = 0x8100
_PAYLOAD = b"tunbridge"


class Packet(NamedTuple):
    """TCP, UDP, or an ICMP echo: then ``sport`` is its identifier, and ``dport`` its type."""

    from_mac: str
    to_mac: str
    source: str
    target: str
    protocol: int
    sport: int
    dport: int
    ttl: int = 64
    vlan: int = 0
    flags: int = SYN

    def answer(self) -> Self:
        """What the other side says to it."""
        turned = self._replace(
            from_mac=self.to_mac, to_mac=self.from_mac, source=self.target, target=self.source, ttl=64, flags=SYN_ACK
        )
        if self.protocol == ICMP:
            return turned._replace(dport=ECHO_REPLY)
        return turned._replace(sport=self.dport, dport=self.sport)

    def refusal(self) -> bytes:
        """A frame: ICMP port unreachable, from whom it was sent to."""
        quoted = self._ip()[:28]
        body = struct.pack("!BBHI", 3, 3, 0, 0) + quoted
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        back = self.answer()
        return _ethernet(
            back.to_mac, back.from_mac, IPV4, back.vlan, _header4(ICMP, 64, back.source, back.target, body)
        )

    def frame(self) -> bytes:
        kind = IPV6 if ":" in self.source else IPV4
        return _ethernet(self.to_mac, self.from_mac, kind, self.vlan, self._ip())

    def _ip(self) -> bytes:
        if self.protocol == ICMP:
            body = struct.pack("!BBHHH", self.dport, 0, 0, self.sport, 1) + _PAYLOAD
            at, sum = 2, checksum(body)
        else:
            if self.protocol == TCP:
                numbers = (1, 0) if self.flags == SYN else (100, 2)
                body = struct.pack("!HHIIBBHHH", self.sport, self.dport, *numbers, 0x50, self.flags, 8192, 0, 0)
            else:
                body = struct.pack("!HHHH", self.sport, self.dport, 8 + len(_PAYLOAD), 0) + _PAYLOAD
            at, sum = (16 if self.protocol == TCP else 6), _transport(self.source, self.target, self.protocol, body)
        body = body[:at] + struct.pack("!H", sum) + body[at + 2 :]
        if ":" not in self.source:
            return _header4(self.protocol, self.ttl, self.source, self.target, body)
        head = struct.pack("!IHBB", 6 << 28, len(body), self.protocol, self.ttl)
        return head + _packed(self.source) + _packed(self.target) + body


def parse(frame: bytes) -> Packet | None:
    """None: neither TCP nor UDP nor an ICMP echo. ValueError: a wrong checksum."""
    vlan, kind, at = 0, int.from_bytes(frame[12:14]), 14
    if kind == _VLAN:
        vlan, kind, at = int.from_bytes(frame[14:16]) & 0xFFF, int.from_bytes(frame[16:18]), 18
    ip = frame[at:]
    if kind == IPV4:
        if checksum(ip[:20]):
            raise ValueError(f"checksum of IP: {frame.hex()}")
        protocol, ttl, body = ip[9], ip[8], ip[20 : int.from_bytes(ip[2:4])]
        source, target = str(ipaddress.IPv4Address(ip[12:16])), str(ipaddress.IPv4Address(ip[16:20]))
    elif kind == IPV6:
        protocol, ttl, body = ip[6], ip[7], ip[40 : 40 + int.from_bytes(ip[4:6])]
        source, target = str(ipaddress.IPv6Address(ip[8:24])), str(ipaddress.IPv6Address(ip[24:40]))
    else:
        return None
    flags = 0
    if protocol in (TCP, UDP):
        sport, dport = struct.unpack_from("!HH", body)
        flags = body[13] if protocol == TCP else SYN
        wrong = _transport(source, target, protocol, body)
    elif protocol == ICMP and body[0] in (ECHO, ECHO_REPLY):
        (sport,), dport, flags = struct.unpack_from("!H", body, 4), body[0], SYN
        wrong = checksum(body)
    else:
        return None
    if wrong:
        raise ValueError(f"checksum of protocol {protocol}: {frame.hex()}")
    return Packet(mac_text(frame[6:12]), mac_text(frame[:6]), source, target, protocol, sport, dport, ttl, vlan, flags)


def quoted(frame: bytes) -> tuple[str, str, str, str] | None:
    """Of an untagged ICMP error: source, target, and the same of what it quotes."""
    if frame[12:14] != b"\x08\x00" or frame[23] != ICMP or frame[34] != 3:
        return None
    inner = frame[42:]
    return tuple(str(ipaddress.IPv4Address(ip[at : at + 4])) for ip in (frame[14:], inner) for at in (12, 16))  # type: ignore[return-value]


def tagged(frame: bytes, vlan: int) -> bytes:
    return frame[:12] + struct.pack("!HH", _VLAN, vlan) + frame[12:] if vlan else frame


def untagged(frame: bytes) -> tuple[int, bytes]:
    """VLAN (0: none) and the frame without it."""
    if int.from_bytes(frame[12:14]) == _VLAN:
        return int.from_bytes(frame[14:16]) & 0xFFF, frame[:12] + frame[16:]
    return 0, frame


def checksum(data: bytes) -> int:
    """RFC 1071; 0 over what holds its right checksum."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _ethernet(to: str, by: str, kind: int, vlan: int, payload: bytes) -> bytes:
    return tagged(octets(to) + octets(by) + struct.pack("!H", kind) + payload, vlan)


def _packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def _header4(protocol: int, ttl: int, source: str, target: str, body: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, ttl, protocol, 0) + _packed(source) + _packed(target)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def _transport(source: str, target: str, protocol: int, body: bytes) -> int:
    return checksum(_packed(source) + _packed(target) + struct.pack("!II", len(body), protocol) + body)
