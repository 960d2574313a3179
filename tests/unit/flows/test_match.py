"""Matches: one form for one set of packets, and no match that a switch would refuse."""

import pytest

from flows.fields import (
    ADDRESS,
    ADDRESS4,
    ETH_DST,
    ETH_SRC,
    ETH_TYPE,
    FLAGS,
    ICMPV6_CODE,
    ICMPV6_TYPE,
    IN_PORT,
    IP_PROTO,
    IP_TTL,
    IPV4_DST,
    IPV6_SRC,
    MAC,
    ND_TARGET,
    NETWORK_KEY,
    REG,
    TCP_FLAGS,
    UDP_DST,
    VLAN_PCP,
    VLAN_PRESENT,
    VLAN_VID,
    XREG,
    XXREG,
    Field,
)
from flows.match import Match
from flows.value import Value

IP: dict[Field, Value] = {ETH_TYPE: 0x0800}
IPV6: dict[Field, Value] = {ETH_TYPE: 0x86DD}

SAME: list[tuple[dict[Field, Value], dict[Field, Value]]] = [
    ({ETH_SRC: "fa:16:3e:00:00:01"}, {ETH_SRC: 0xFA163E000001}),
    ({ETH_SRC: "FA:16:3E:00:00:01"}, {ETH_SRC: "fa:16:3e:00:00:01"}),
    ({IN_PORT: 5, ETH_SRC: 1}, {ETH_SRC: 1, IN_PORT: 5}),
    ({**IP, IPV4_DST: "10.0.0.7/24"}, {**IP, IPV4_DST: (0x0A000000, 0xFFFFFF00)}),
    ({**IP, IPV4_DST: ("10.0.0.7", "255.255.255.0")}, {**IP, IPV4_DST: "10.0.0.0/24"}),
    ({**IP, IPV4_DST: "10.0.0.7/32"}, {**IP, IPV4_DST: "10.0.0.7"}),
    ({**IP, IPV4_DST: "10.0.0.7/0"}, IP),
    ({**IPV6, IPV6_SRC: "fd00:0::1/64"}, {**IPV6, IPV6_SRC: "fd00::/64"}),
    ({FLAGS: (0x3, 0x1)}, {FLAGS: (0x1, 0x1)}),
    ({FLAGS: (0x1, 0xFFFFFFFF)}, {FLAGS: 1}),
    ({FLAGS: (0, 0)}, {}),
    ({NETWORK_KEY: 5}, {XREG[0]: (5 << 32, 0xFFFFFFFF << 32)}),
    ({REG[0]: 5, REG[1]: 6}, {XREG[0]: 5 << 32 | 6}),
    ({REG[0]: 1, REG[1]: 2, REG[2]: 3, REG[3]: 4}, {XXREG[0]: 1 << 96 | 2 << 64 | 3 << 32 | 4}),
    ({ADDRESS: "10.0.0.1"}, {REG[8]: 0, REG[9]: 0, REG[10]: 0, ADDRESS4: 0x0A000001}),
    ({ADDRESS: "10.0.0.0/24"}, {REG[8]: 0, REG[9]: 0, REG[10]: 0, ADDRESS4: "10.0.0.0/24"}),
    ({MAC: "fa:16:3e:00:00:01"}, {REG[12]: 0xFA16, REG[13]: 0x3E000001}),
    ({XREG[0]: 5 << 32 | 6, REG[1]: 6}, {XREG[0]: 5 << 32 | 6}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_packets_are_the_same_match(one: dict[Field, Value], other: dict[Field, Value]) -> None:
    assert Match(one) == Match(other)
    assert hash(Match(one)) == hash(Match(other))
    assert Match(one).items == Match(other).items


def test_other_packets_are_another_match() -> None:
    assert Match({IN_PORT: 5}) != Match({IN_PORT: 6})
    assert Match({IN_PORT: 5}) != Match({})
    assert Match({VLAN_VID: 0}) != Match({})


REFUSED: list[tuple[dict[Field, Value], str]] = [
    ({**IP, UDP_DST: 67}, "udp_dst needs nw_proto 0x11"),
    ({**IP, IP_PROTO: 6, UDP_DST: 67}, "udp_dst needs nw_proto 0x11"),
    ({IP_PROTO: 17}, "nw_proto needs eth_type 0x800 or 0x86dd"),
    ({**IPV6, IPV4_DST: "10.0.0.1"}, "ip_dst needs eth_type 0x800"),
    ({**IP, IP_PROTO: 58, ICMPV6_TYPE: 135}, "icmpv6_type needs eth_type 0x86dd"),
    ({**IPV6, IP_PROTO: 58, ICMPV6_TYPE: 133, ND_TARGET: "::1"}, "nd_target needs icmpv6_type 0x87 or 0x88"),
    ({**IPV6, IP_PROTO: 58, ICMPV6_TYPE: 135, ICMPV6_CODE: 1, ND_TARGET: "::1"}, "nd_target needs icmpv6_code 0"),
    ({**IP, IP_PROTO: 17, TCP_FLAGS: 2}, "tcp_flags needs nw_proto 0x6"),
    ({IP_TTL: 1}, "nw_ttl needs eth_type 0x800 or 0x86dd"),
    ({**IP, IP_TTL: (1, 1)}, "nw_ttl takes no mask"),
    ({VLAN_PCP: 3}, "vlan_pcp needs vlan_vid 0x1000"),
    ({VLAN_VID: 0, VLAN_PCP: 3}, "vlan_pcp needs vlan_vid 0x1000"),
    ({IN_PORT: (1, 1)}, "in_port takes no mask"),
    ({IN_PORT: 0xFF00}, "no OpenFlow port"),
    ({ETH_TYPE: 0x10000}, "does not fit in 16 bits"),
    ({ETH_TYPE: -1}, "does not fit in 16 bits"),
    ({FLAGS: (1, 1 << 32)}, "does not fit in 32 bits"),
    ({ETH_DST: "10.0.0.1"}, "no mac value"),
    ({ETH_DST: "fa:16:3e:00:00"}, "no mac value"),
    ({ETH_DST: "fa:16:3e:00:00:0g"}, "no mac value"),
    ({**IP, IPV4_DST: "10.0.0.256"}, "no ipv4 value"),
    ({**IP, IPV4_DST: "10.0.0.0/33"}, "no ipv4 value"),
    ({**IP, IPV4_DST: "::1"}, "no ipv4 value"),
    ({**IP, IPV4_DST: ("10.0.0.0/24", "255.0.0.0")}, "a mask besides"),
    ({**IPV6, IPV6_SRC: "10.0.0.1"}, "no ipv6 value"),
    ({NETWORK_KEY: "five"}, "no hex value"),
    ({REG[0]: 5, XREG[0]: 6}, "two values for the same bits of xreg0"),
]


@pytest.mark.parametrize(("fields", "why"), REFUSED)
def test_what_a_switch_would_refuse_is_refused(fields: dict[Field, Value], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Match(fields)


def test_a_float_is_no_value() -> None:
    with pytest.raises(ValueError, match="neither a number nor text"):
        Match({NETWORK_KEY: 1.5})  # type: ignore[dict-item]


def test_get_reads_registers_of_any_width() -> None:
    match = Match({NETWORK_KEY: 5, ADDRESS: "10.0.0.1", FLAGS: (1, 1), VLAN_VID: VLAN_PRESENT | 7})
    assert match.get(NETWORK_KEY) == (5, 0xFFFFFFFF)
    assert match.get(ADDRESS) == (0x0A000001, ADDRESS.mask)
    assert match.get(ADDRESS4) == (0x0A000001, 0xFFFFFFFF)
    assert match.get(XXREG[0]) == (5 << 96, 0xFFFFFFFF << 96)
    assert match.get(FLAGS) == (1, 1)
    assert match.get(VLAN_VID) == (0x1007, 0x1FFF)
    assert match.get(MAC) is None
    assert match.get(IN_PORT) is None
