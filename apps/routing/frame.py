"""What a router says by itself, as Ethernet frames: ARP (RFC 826), neighbour discovery (4861), ICMP (792, 4443)."""

import ipaddress
import struct

import msgspec

from apps import headers as h
from apps.guard import ADVERTISEMENT, SOLICITATION
from apps.routing.pipeline import ARP, IPV4, IPV6

BROADCAST, NOBODY = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"
QUOTED = {IPV4: 548, IPV6: 1232}
"""Bytes of the packet that an ICMP error quotes at the most (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4)."""
_ETHERNET = 14
_ICMP, _ICMPV6, _FRAGMENT = 1, 58, 44
_ERRORS = (3, 4, 5, 11, 12)
"""ICMP types that are errors, which no error may answer; of ICMPv6 all below 128."""


class Heard(msgspec.Struct, frozen=True):
    """What matters of a frame that a switch has sent up. Addresses are text; "" where there is none."""

    eth_src: str
    eth_dst: str
    eth_type: int
    source: str = ""
    target: str = ""
    """Destination of an IP packet; of ARP and neighbour discovery the address in question."""
    mac: str = ""
    """The hardware address that ARP or neighbour discovery tells."""
    what: int = 0
    """ARP operation, or ICMPv6 type of neighbour discovery."""
    may_err: bool = False
    """An ICMP error may answer it (RFC 1122 section 3.2.2)."""


def heard(data: bytes) -> Heard:
    """Raises ValueError when it is cut off or nothing that a router answers."""
    try:
        return _heard(data)
    except (struct.error, IndexError) as error:
        raise ValueError(f"cut off: {error}") from error


def _heard(data: bytes) -> Heard:
    to, by, kind = data[:6].hex(":"), data[6:12].hex(":"), int.from_bytes(data[12:14])
    body = data[_ETHERNET:]
    if kind == ARP:
        (operation,) = struct.unpack_from("!H", body, 6)
        sender, target = ipaddress.IPv4Address(body[14:18]), ipaddress.IPv4Address(body[24:28])
        told = str(sender if operation == h.arp.ARP_REPLY else target)
        return Heard(by, to, kind, str(sender), told, body[8:14].hex(":"), operation)
    if kind == IPV4:
        source, target = ipaddress.IPv4Address(body[12:16]), ipaddress.IPv4Address(body[16:20])
        after = body[(body[0] & 15) * 4 :]
        first = not struct.unpack_from("!H", body, 6)[0] & 0x1FFF
        error = body[9] == _ICMP and (not after or after[0] in _ERRORS)
        return Heard(
            by, to, kind, str(source), str(target), may_err=first and not error and _one(source) and _one(target)
        )
    if kind == IPV6:
        source6, target6 = ipaddress.IPv6Address(body[8:24]), ipaddress.IPv6Address(body[24:40])
        next_header, after = body[6], body[40:]
        if next_header == _ICMPV6 and after[0] in (SOLICITATION, ADVERTISEMENT):
            return Heard(
                by, to, kind, str(source6), str(ipaddress.IPv6Address(after[8:24])), _told(after[24:]) or by, after[0]
            )  # fmt: skip
        error = next_header == _ICMPV6 and after[0] < 128
        may = next_header != _FRAGMENT and not error and _one(source6) and not target6.is_multicast
        return Heard(by, to, kind, str(source6), str(target6), may_err=may)
    raise ValueError(f"Ethernet type {kind:#06x}")


def _one(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Is it one host's?"""
    return not (address.is_multicast or address.is_unspecified or address.is_loopback or int(address) == 0xFFFFFFFF)


def _told(options: bytes) -> str:
    """The link-layer address among the options of neighbour discovery (RFC 4861 section 4.6.1)."""
    while len(options) >= 8 and options[1]:
        if options[0] in (h.icmpv6.nd_option_sla.option_type(), h.icmpv6.nd_option_tla.option_type()):
            return options[2:8].hex(":")
        options = options[options[1] * 8 :]
    return ""


def request(mac: str, address: str, target: str) -> bytes:
    """Who has ``target``? Of either family."""
    if ":" not in target:
        question = h.arp.arp(opcode=h.arp.ARP_REQUEST, src_mac=mac, src_ip=address, dst_mac=NOBODY, dst_ip=target)
        return _frame(BROADCAST, mac, ARP, question)
    group = ipaddress.IPv6Address((0xFF0200000000000000000001FF << 24) | int(ipaddress.IPv6Address(target)) & 0xFFFFFF)
    told = h.icmpv6.nd_option_sla(hw_src=mac)
    solicitation = h.icmpv6.nd_neighbor(dst=target, option=told)
    message = h.icmpv6.icmpv6(type_=h.icmpv6.ND_NEIGHBOR_SOLICIT, data=solicitation)
    to = "33:33:" + group.packed[-4:].hex(":")
    head = h.ipv6.ipv6(nxt=h.in_proto.IPPROTO_ICMPV6, hop_limit=255, src=address, dst=str(group))
    return _frame(to, mac, IPV6, head, message)


def announcement(mac: str, address: str) -> bytes:
    """To all: this address is at this MAC (RFC 5227 section 3; RFC 4861 section 7.2.6)."""
    if ":" not in address:
        told = h.arp.arp(opcode=h.arp.ARP_REQUEST, src_mac=mac, src_ip=address, dst_mac=NOBODY, dst_ip=address)
        return _frame(BROADCAST, mac, ARP, told)
    return advertisement(mac, address, "33:33:00:00:00:01", "ff02::1", solicited=False)


def advertisement(mac: str, address: str, to_mac: str, to: str, *, solicited: bool = True) -> bytes:
    flags = 0b101 | (0b010 if solicited else 0)  # router, solicited, override
    body = h.icmpv6.nd_neighbor(res=flags, dst=address, option=h.icmpv6.nd_option_tla(hw_src=mac))
    message = h.icmpv6.icmpv6(type_=h.icmpv6.ND_NEIGHBOR_ADVERT, data=body)
    head = h.ipv6.ipv6(nxt=h.in_proto.IPPROTO_ICMPV6, hop_limit=255, src=address, dst=to)
    return _frame(to_mac, mac, IPV6, head, message)


class Reason(msgspec.Struct, frozen=True):
    """An ICMP error: (type, code) of ICMP and of ICMPv6."""

    v4: tuple[int, int]
    v6: tuple[int, int]
    mtu: int = 0


EXPIRED = Reason((11, 0), (3, 0))
NO_ROUTE = Reason((3, 0), (1, 0))
NO_NEIGHBOUR = Reason((3, 1), (1, 3))


def too_large(mtu: int) -> Reason:
    """RFC 1191 section 4, RFC 8201."""
    return Reason((3, 4), (2, 0), mtu)


def error(reason: Reason, mac: str, address: str, to: str, cause: bytes) -> bytes:
    """From a router's address, to whoever sent the frame ``cause``."""
    quoted = cause[_ETHERNET:]
    if ":" in address:
        type, code = reason.v6
        body6 = h.icmpv6.icmpv6(type_=type, code=code, data=reason.mtu.to_bytes(4) + quoted[: QUOTED[IPV6]])
        head6 = h.ipv6.ipv6(nxt=h.in_proto.IPPROTO_ICMPV6, hop_limit=64, src=address, dst=to)
        return _frame(NOBODY, mac, IPV6, head6, body6)
    type, code = reason.v4
    short = quoted[: QUOTED[IPV4]]
    rest = h.icmp.TimeExceeded(data=short) if reason is EXPIRED else h.icmp.dest_unreach(mtu=reason.mtu, data=short)
    head = h.ipv4.ipv4(proto=h.in_proto.IPPROTO_ICMP, src=address, dst=to, ttl=64)
    return _frame(NOBODY, mac, IPV4, head, h.icmp.icmp(type_=type, code=code, csum=0, data=rest))


def _frame(to: str, by: str, kind: int, *layers: object) -> bytes:
    made = h.packet.Packet()
    made.add_protocol(h.ethernet.ethernet(dst=to, src=by, ethertype=kind))
    for layer in layers:
        made.add_protocol(layer)
    made.serialize()
    return bytes(made.data)
