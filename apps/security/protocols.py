"""IP protocols by the names that the API takes (neutron-lib: IP_PROTOCOL_MAP; IANA: protocol numbers)."""

ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132
WITH_PORTS = (TCP, UDP, SCTP)
"""Protocols whose ports Open vSwitch can match."""

NUMBERS = {
    "hopopt": 0, "icmp": ICMP, "igmp": 2, "ipip": 4, "tcp": TCP, "egp": 8, "udp": UDP, "dccp": 33, "ipv6-encap": 41,
    "ipv6-route": 43, "ipv6-frag": 44, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "icmpv6": ICMPV6,
    "ipv6-icmp": ICMPV6, "ipv6-nonxt": 59, "ipv6-opts": 60, "ospf": 89, "vrrp": 112, "pgm": 113, "sctp": SCTP,
    "udplite": 136,
}  # fmt: skip
ANY = (None, "", "any", "ip", "0", "-1")


def number_of(protocol: str | None, ethertype: str) -> int | None:
    """None: any protocol. ICMP means each family's own."""
    if protocol in ANY:
        return None
    name = str(protocol).lower()
    number = NUMBERS[name] if name in NUMBERS else int(name)
    return ICMPV6 if number == ICMP and ethertype == "IPv6" else number
