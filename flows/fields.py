"""What a flow can match and set: OpenFlow's fields and Open vSwitch's registers.

Numbers, widths, masks and prerequisites: ovs-fields(7) and OpenFlow 1.5.1 section 7.2.3.8. Where OXM and NXM both have
a code point, Open vSwitch speaks OXM over OpenFlow 1.5, and so do we.
"""

from enum import Enum

import msgspec

OXM, NXM, REGISTERS = 0x8000, 0x0001, 0x8001
"""OXM classes: OpenFlow basic, Open vSwitch's own (NXM_NX), OpenFlow's packet registers."""

VLAN_PRESENT = 0x1000
"""The bit of VLAN_VID that says that there is a tag (OFPVID_PRESENT)."""
VLAN_NONE = 0x0000
"""VLAN_VID of a packet without a tag (OFPVID_NONE)."""

PORT_LIMIT = 0xFF00
"""OpenFlow ports of an Open vSwitch bridge are below (OFPP_MAX of OpenFlow 1.0)."""
PORT_NONE = 0xFFFF
"""What FirstLive writes when nothing is live (OFPP_NONE of OpenFlow 1.0)."""
PORT_IN_PORT, PORT_NORMAL, PORT_CONTROLLER, PORT_LOCAL = 0xFFFFFFF8, 0xFFFFFFFA, 0xFFFFFFFD, 0xFFFFFFFE
"""Reserved ports (OpenFlow 1.5.1 section 7.2.1)."""


class Kind(Enum):
    """How a value is written."""

    DECIMAL = "decimal"
    HEX = "hex"
    PORT = "port"
    MAC = "mac"
    IPV4 = "ipv4"
    IPV6 = "ipv6"
    CT_STATE = "ct_state"
    TCP_FLAGS = "tcp_flags"


Piece = tuple["Field", int, int, int]
"""(base, start, source, window): where a register's bits lie in a 64-bit one.

``value >> source & window`` lies in ``base`` from bit ``start`` on.
"""


class Need(msgspec.Struct, frozen=True):
    """A prerequisite: the match must fix ``mask`` bits of ``field`` to one of ``values``."""

    field: "Field"
    values: frozenset[int]
    mask: int
    or_absent: bool = False
    """Or leave ``field`` alone."""


class Field(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One field. Compared by identity."""

    name: str
    """Open vSwitch's name, as in ``set_field:VALUE->name``."""
    source: str
    """Its name in ``move:source[]->…``."""
    oxm_class: int
    number: int
    size: int
    """Bytes of a value on the wire."""
    bits: int
    """Bits that a value can have."""
    kind: Kind
    order: int
    """Where Open vSwitch puts it in a match that it sends."""
    label: str
    """Its name in a match as ovs-ofctl prints it."""
    needs: tuple[Need, ...] = ()
    maskable: bool = True
    writable: bool = True
    span: int = 0
    """Bits that an action reads or writes. Not always ``bits``: VLAN_PRESENT is no bit of the packet."""
    pieces: tuple[Piece, ...] = ()
    """Of a register that is not 64 bits wide: where it lies. A match is held in 64-bit registers (see Match)."""
    mask: int = 0
    """All its bits."""
    limit: int = 0
    """A number from 0 to here is a value without further questions."""
    exact: bytes = b""
    """OXM header of a value without a mask."""
    masked: bytes = b""
    """OXM header of a value with a mask."""
    in_action: bytes = b""
    """OXM header in an action, value without a mask. It is ``exact`` but for IN_PORT: 16 bits (NXM_OF_IN_PORT)."""

    def __repr__(self) -> str:
        return self.name


def _field(
    name: str, source: str, oxm_class: int, number: int, bits: int, kind: Kind, order: int, label: str = "",
    needs: tuple[Need, ...] = (), maskable: bool = True, writable: bool = True, size: int = 0, span: int = 0,
    pieces: tuple[Piece, ...] = (), in_action: bytes = b"",
) -> Field:  # fmt: skip
    size = size or (bits + 7) // 8
    exact = oxm_class << 16 | number << 9 | size
    mask = (1 << bits) - 1
    masked = oxm_class << 16 | number << 9 | 0x100 | size * 2
    return Field(
        name, source, oxm_class, number, size, bits, kind, order, label or name, needs, maskable, writable,
        span or bits, pieces, mask, PORT_LIMIT - 1 if kind is Kind.PORT else mask,
        exact.to_bytes(4), masked.to_bytes(4), in_action or exact.to_bytes(4),
    )  # fmt: skip


def _needs(field: Field, *values: int, mask: int = 0) -> tuple[Need, ...]:
    return (Need(field, frozenset(values), mask or field.mask),)


_D, _X, _M, _4, _6 = Kind.DECIMAL, Kind.HEX, Kind.MAC, Kind.IPV4, Kind.IPV6

# fmt: off
# The order is that in which Open vSwitch itself writes a match (lib/nx-match.c), so that equal flows are equal bytes.
IN_PORT = _field("in_port", "NXM_OF_IN_PORT", OXM, 0, 32, Kind.PORT, 0, maskable=False, span=16,
                in_action=bytes((0, 0, 0, 2)))
ETH_SRC = _field("eth_src", "NXM_OF_ETH_SRC", OXM, 4, 48, _M, 1, "dl_src")
ETH_DST = _field("eth_dst", "NXM_OF_ETH_DST", OXM, 3, 48, _M, 2, "dl_dst")
ETH_TYPE = _field("eth_type", "NXM_OF_ETH_TYPE", OXM, 5, 16, _X, 3, "dl_type", maskable=False, writable=False)
VLAN_VID = _field("vlan_vid", "OXM_OF_VLAN_VID", OXM, 6, 13, _D, 4, span=12)
VLAN_PCP = _field("vlan_pcp", "OXM_OF_VLAN_PCP", OXM, 7, 3, _D, 5, "dl_vlan_pcp",
                  _needs(VLAN_VID, VLAN_PRESENT, mask=VLAN_PRESENT), maskable=False)

_IPV4, _IPV6 = _needs(ETH_TYPE, 0x0800), _needs(ETH_TYPE, 0x86DD)
_IP, _ARP = _needs(ETH_TYPE, 0x0800, 0x86DD), _needs(ETH_TYPE, 0x0806)
IPV4_SRC = _field("ip_src", "NXM_OF_IP_SRC", OXM, 11, 32, _4, 6, "nw_src", _IPV4)
IPV4_DST = _field("ip_dst", "NXM_OF_IP_DST", OXM, 12, 32, _4, 7, "nw_dst", _IPV4)
IPV6_SRC = _field("ipv6_src", "NXM_NX_IPV6_SRC", OXM, 26, 128, _6, 6, "", _IPV6)
IPV6_DST = _field("ipv6_dst", "NXM_NX_IPV6_DST", OXM, 27, 128, _6, 7, "", _IPV6)
IP_DSCP = _field("ip_dscp", "OXM_OF_IP_DSCP", OXM, 8, 6, _D, 8, "", _IP, maskable=False)
IP_TTL = _field("nw_ttl", "NXM_NX_IP_TTL", NXM, 29, 8, _D, 9, "", _IP, maskable=False)
IP_PROTO = _field("nw_proto", "NXM_OF_IP_PROTO", OXM, 10, 8, _D, 10, "", _IP, maskable=False, writable=False)

_TCP, _UDP, _SCTP = _needs(IP_PROTO, 6), _needs(IP_PROTO, 17), _needs(IP_PROTO, 132)
_ICMP, _ICMPV6 = _needs(IP_PROTO, 1) + _IPV4, _needs(IP_PROTO, 58) + _IPV6
TCP_SRC = _field("tcp_src", "NXM_OF_TCP_SRC", OXM, 13, 16, _D, 12, "tp_src", _TCP)
TCP_DST = _field("tcp_dst", "NXM_OF_TCP_DST", OXM, 14, 16, _D, 13, "tp_dst", _TCP)
TCP_FLAGS = _field("tcp_flags", "NXM_NX_TCP_FLAGS", OXM, 42, 12, Kind.TCP_FLAGS, 14, "", _TCP, writable=False)
UDP_SRC = _field("udp_src", "NXM_OF_UDP_SRC", OXM, 15, 16, _D, 14, "tp_src", _UDP)
UDP_DST = _field("udp_dst", "NXM_OF_UDP_DST", OXM, 16, 16, _D, 15, "tp_dst", _UDP)
SCTP_DST = _field("sctp_dst", "OXM_OF_SCTP_DST", OXM, 18, 16, _D, 15, "tp_dst", _SCTP)
ICMPV4_TYPE = _field("icmp_type", "NXM_OF_ICMP_TYPE", OXM, 19, 8, _D, 16, "", _ICMP, maskable=False)
ICMPV4_CODE = _field("icmp_code", "NXM_OF_ICMP_CODE", OXM, 20, 8, _D, 17, "", _ICMP, maskable=False)
ICMPV6_TYPE = _field("icmpv6_type", "NXM_NX_ICMPV6_TYPE", OXM, 29, 8, _D, 18, "icmp_type", _ICMPV6, maskable=False)
ICMPV6_CODE = _field("icmpv6_code", "NXM_NX_ICMPV6_CODE", OXM, 30, 8, _D, 19, "icmp_code", _ICMPV6, maskable=False)
_CODE = (Need(ICMPV6_CODE, frozenset({0}), 0xFF, or_absent=True),)
_SOLICIT, _ADVERT = _needs(ICMPV6_TYPE, 135) + _CODE, _needs(ICMPV6_TYPE, 136) + _CODE
_ND = _needs(ICMPV6_TYPE, 135, 136) + _CODE
ND_TARGET = _field("nd_target", "NXM_NX_ND_TARGET", OXM, 31, 128, _6, 20, "", _ND)
ND_SLL = _field("nd_sll", "NXM_NX_ND_SLL", OXM, 32, 48, _M, 21, "", _SOLICIT)
ND_TLL = _field("nd_tll", "NXM_NX_ND_TLL", OXM, 33, 48, _M, 22, "", _ADVERT)
# Open vSwitch keeps 8 of the 16 bits.
ARP_OP = _field("arp_op", "NXM_OF_ARP_OP", OXM, 21, 8, _D, 23, "", _ARP, maskable=False, size=2, span=16)
ARP_SPA = _field("arp_spa", "NXM_OF_ARP_SPA", OXM, 22, 32, _4, 24, "", _ARP)
ARP_TPA = _field("arp_tpa", "NXM_OF_ARP_TPA", OXM, 23, 32, _4, 25, "", _ARP)
ARP_SHA = _field("arp_sha", "NXM_NX_ARP_SHA", OXM, 24, 48, _M, 26, "", _ARP)
ARP_THA = _field("arp_tha", "NXM_NX_ARP_THA", OXM, 25, 48, _M, 27, "", _ARP)

TUNNEL_ID = _field("tun_id", "NXM_NX_TUN_ID", OXM, 38, 64, _X, 28)
TUN_SRC = _field("tun_src", "NXM_NX_TUN_IPV4_SRC", NXM, 31, 32, _4, 29)
TUN_DST = _field("tun_dst", "NXM_NX_TUN_IPV4_DST", NXM, 32, 32, _4, 30)
TUN_IPV6_SRC = _field("tun_ipv6_src", "NXM_NX_TUN_IPV6_SRC", NXM, 109, 128, _6, 31)
TUN_IPV6_DST = _field("tun_ipv6_dst", "NXM_NX_TUN_IPV6_DST", NXM, 110, 128, _6, 32)

# The same 64 bytes in three widths, the first register in the highest bits of the wider one.
FIRST_REGISTER, LAST_REGISTER = 33, 40
XREG = tuple(_field(f"xreg{n}", f"OXM_OF_PKT_REG{n}", REGISTERS, n, 64, _X, FIRST_REGISTER + n) for n in range(8))
REG = tuple(
    _field(f"reg{n}", f"NXM_NX_REG{n}", NXM, n, 32, _X, FIRST_REGISTER + n // 2,
           pieces=((XREG[n // 2], 0 if n % 2 else 32, 0, 0xFFFFFFFF),))
    for n in range(16)
)
XXREG = tuple(
    _field(f"xxreg{n}", f"NXM_NX_XXREG{n}", NXM, 111 + n, 128, _X, FIRST_REGISTER + 2 * n,
           pieces=((XREG[2 * n], 0, 64, XREG[0].mask), (XREG[2 * n + 1], 0, 0, XREG[0].mask)))
    for n in range(4)
)

# What conntrack knows of a packet. Of the tuple, Open vSwitch lets actions read what the match has made certain: a
# connection that is established, or a packet that replies or is related (is_ct_valid in lib/flow.h).
CT_STATE = _field("ct_state", "NXM_NX_CT_STATE", NXM, 105, 32, Kind.CT_STATE, 41, writable=False)
_TUPLE = (("nw_proto", 119, 8, _D), ("nw_src", 120, 32, _4), ("nw_dst", 121, 32, _4), ("ipv6_src", 122, 128, _6),
          ("ipv6_dst", 123, 128, _6), ("tp_src", 124, 16, _D), ("tp_dst", 125, 16, _D))
CT_NW_PROTO, CT_NW_SRC, CT_NW_DST, CT_IPV6_SRC, CT_IPV6_DST, CT_TP_SRC, CT_TP_DST = (
    _field(f"ct_{name}", f"NXM_NX_CT_{name.upper()}", NXM, number, bits, kind, 42 + at, writable=False)
    for at, (name, number, bits, kind) in enumerate(_TUPLE)
)
CT_TUPLE = (CT_NW_PROTO, CT_NW_SRC, CT_NW_DST, CT_IPV6_SRC, CT_IPV6_DST, CT_TP_SRC, CT_TP_DST)
"""Of the connection's original direction. For reading: nothing here matches on them."""
# fmt: on

CT_NEW, CT_ESTABLISHED, CT_RELATED, CT_REPLY, CT_INVALID, CT_TRACKED = (1 << bit for bit in range(6))
CT_FLAGS = {
    CT_NEW: "new", CT_ESTABLISHED: "est", CT_RELATED: "rel", CT_REPLY: "rpl", CT_INVALID: "inv", CT_TRACKED: "trk",
}  # fmt: skip
TCP_FLAG_NAMES = {
    1 << bit: name
    for bit, name in enumerate(
        ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]", "[800]")
    )
}
"""RFC 9293 section 3.1, RFC 3168, and the bits that have no name."""

FIELDS: tuple[Field, ...] = (
    IN_PORT, ETH_SRC, ETH_DST, ETH_TYPE, VLAN_VID, VLAN_PCP, IPV4_SRC, IPV4_DST, IPV6_SRC, IPV6_DST, IP_DSCP, IP_TTL,
    IP_PROTO, TCP_SRC, TCP_DST, TCP_FLAGS, UDP_SRC, UDP_DST, SCTP_DST, ICMPV4_TYPE, ICMPV4_CODE, ICMPV6_TYPE,
    ICMPV6_CODE, ND_TARGET, ND_SLL, ND_TLL, ARP_OP, ARP_SPA, ARP_TPA, ARP_SHA, ARP_THA, TUNNEL_ID, TUN_SRC, TUN_DST,
    TUN_IPV6_SRC, TUN_IPV6_DST,
    *XREG, *REG, *XXREG, CT_STATE,
)  # fmt: skip
"""Every field."""

NETWORK_KEY = REG[0]
SERVICE = REG[1]
REMOTE = REG[2]
OUTPUT = REG[3]
ROUTER = REG[4]
FLAGS = REG[5]
TAG = REG[6]
PATH = REG[7]
ADDRESS = XXREG[2]
ADDRESS4 = REG[11]
MAC = XREG[6]
SET = XREG[7]

PURPOSES: dict[str, tuple[Field, str]] = {
    "NETWORK_KEY": (NETWORK_KEY, "The network that the packet is in: its VNI, the same on every host."),
    "SERVICE": (
        SERVICE,
        "Destination port or ICMP code in bits 0 to 15, IP protocol in 16 to 23, ICMP type in 24 to 31.",
    ),
    "REMOTE": (REMOTE, "The remote group whose rules are asked; 0: rules without one."),
    "OUTPUT": (OUTPUT, "The OpenFlow port to deliver to; within a flood, the number of the chunk."),
    "ROUTER": (ROUTER, "The router that the packet is in: its number."),
    "FLAGS": (FLAGS, "Bits; see below."),
    "TAG": (TAG, "The network's local VLAN tag on this host."),
    "PATH": (PATH, "Which of a route's next hops is taken."),
    "ADDRESS": (ADDRESS, "The address in question: the claimed sender's, then the one asked for; IPv4 as a number."),
    "ADDRESS4": (ADDRESS4, "Those low 32 bits of ADDRESS."),
    "SET": (SET, "The set of security groups in question: the sender's, then the receiver's."),
    "MAC": (MAC, "The MAC in question, in the low 48 bits; 0: unknown."),
}
"""Register names: what each holds. The only place where registers are given out."""
