"""IP protocols by the names that the Networking API knows (neutron-lib: ``constants.IP_PROTOCOL_MAP``)."""

PROTOCOLS: dict[str, int] = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": 1,
    "igmp": 2,
    "ip": 0,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
"""Name -> number (IANA, Assigned Internet Protocol Numbers)."""


def protocol_number(protocol: str | None) -> int | None:
    """0 to 255 of a name or of a number as text; None, which is any protocol, stays None."""
    return None if protocol is None else PROTOCOLS[protocol] if protocol in PROTOCOLS else int(protocol)
