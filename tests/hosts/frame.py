"""Ethernet frames by hand: what a test sends and what it looks for."""

import socket
import struct
from dataclasses import dataclass

BROADCAST = "ff:ff:ff:ff:ff:ff"
ARP, IPV4, IPV6, TEST = 0x0806, 0x0800, 0x86DD, 0x88B5
"""Ethernet types; TEST is IEEE 802's first for local experiments."""
REQUEST, REPLY = 1, 2


def octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def mac_text(data: bytes) -> str:
    return data.hex(":")


def ethernet(destination: str, source: str, kind: int, payload: bytes) -> bytes:
    return octets(destination) + octets(source) + struct.pack("!H", kind) + payload


@dataclass(frozen=True)
class Arp:
    """RFC 826, Ethernet and IPv4."""

    operation: int
    sender_mac: str
    sender: str
    target_mac: str
    target: str

    def payload(self) -> bytes:
        return (
            struct.pack("!HHBBH", 1, IPV4, 6, 4, self.operation)
            + octets(self.sender_mac)
            + socket.inet_aton(self.sender)
            + octets(self.target_mac)
            + socket.inet_aton(self.target)
        )


def parse_arp(frame: bytes) -> Arp | None:
    """None where the frame is no ARP."""
    if len(frame) < 42 or frame[12:14] != struct.pack("!H", ARP):
        return None
    (operation,) = struct.unpack_from("!H", frame, 20)
    return Arp(
        operation,
        mac_text(frame[22:28]),
        socket.inet_ntoa(frame[28:32]),
        mac_text(frame[32:38]),
        socket.inet_ntoa(frame[38:42]),
    )


def arp_request(mac: str, sender: str, target: str) -> bytes:
    return ethernet(BROADCAST, mac, ARP, Arp(REQUEST, mac, sender, "00:00:00:00:00:00", target).payload())


def datagram(destination_mac: str, source_mac: str, source: str, destination: str, data: bytes, port: int = 9) -> bytes:
    """An IPv4 UDP packet (RFC 791, RFC 768) without UDP checksum, to the given port (9: discard)."""
    total = 28 + len(data)
    head = struct.pack("!BBHHHBBH", 0x45, 0, total, 0, 0, 64, socket.IPPROTO_UDP, 0)
    head += socket.inet_aton(source) + socket.inet_aton(destination)
    head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
    return ethernet(destination_mac, source_mac, IPV4, head + struct.pack("!HHHH", 4000, port, 8 + len(data), 0) + data)


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def syn(destination_mac: str, source_mac: str, source: str, source_port: int, destination: str, port: int) -> bytes:
    """The first packet of a TCP connection (RFC 9293, section 3.1)."""
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, socket.IPPROTO_TCP, 0)
    head = head[:10] + struct.pack("!H", _checksum(head + addresses)) + addresses
    tcp = struct.pack("!HHIIHHHH", source_port, port, 0, 0, 0x5002, 65535, 0, 0)
    check = _checksum(addresses + struct.pack("!HH", socket.IPPROTO_TCP, len(tcp)) + tcp)
    return ethernet(destination_mac, source_mac, IPV4, head + tcp[:16] + struct.pack("!HH", check, 0))
