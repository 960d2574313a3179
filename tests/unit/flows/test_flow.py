"""check(): a flow is what its table has declared, and what OpenFlow allows."""

from collections.abc import Sequence

import pytest

from flows.actions import (
    Action,
    CheckLarger,
    Ct,
    CtClear,
    DecTtl,
    FirstLive,
    Goto,
    Meter,
    Move,
    Nat,
    Output,
    OutputField,
    PopVlan,
    PushVlan,
    Resubmit,
    Set,
    Spread,
    ToController,
)
from flows.fields import (
    ADDRESS,
    ADDRESS4,
    ARP_SPA,
    ETH_SRC,
    ETH_TYPE,
    FLAGS,
    IN_PORT,
    IP_DSCP,
    IP_TTL,
    NETWORK_KEY,
    OUTPUT,
    PATH,
    REG,
    TAG,
    VLAN_PCP,
    VLAN_PRESENT,
    VLAN_VID,
    Field,
)
from flows.flow import Flow, check, slot
from flows.match import Match
from flows.table import Table
from flows.value import Value

FIRST = Table(
    "br-int",
    5,
    "first",
    "",
    matches=(IN_PORT, ETH_TYPE, ADDRESS, VLAN_VID),
    reads=(TAG, ARP_SPA),
    writes=(IN_PORT, FLAGS, ADDRESS, VLAN_VID, VLAN_PCP, IP_DSCP, IP_TTL, PATH),
    goto=("second", "zeroth"),
    calls=("second",),
)
SECOND = Table("br-int", 6, "second", "", reads=(OUTPUT,), outputs="a port")
ZEROTH = Table("br-int", 4, "zeroth", "")
ELSEWHERE = Table("br-tun", 6, "second", "")

IP: dict[Field, Value] = {ETH_TYPE: 0x0800}
IPV6: dict[Field, Value] = {ETH_TYPE: 0x86DD}
TAGGED: dict[Field, Value] = {VLAN_VID: VLAN_PRESENT | 5}


@pytest.mark.parametrize(
    ("table", "match", "actions"),
    [
        (FIRST, {}, []),
        (FIRST, {IN_PORT: 5, ADDRESS: "10.0.0.1"}, [Set(FLAGS, 1, 1), Resubmit(SECOND), Goto(SECOND)]),
        (FIRST, {REG[11]: 5}, [Set(ADDRESS4, 1), Set(REG[8], 1)]),
        (FIRST, {ETH_TYPE: 0x0806}, [Move(ARP_SPA, ADDRESS4, 32)]),
        (FIRST, TAGGED, [PopVlan(), PushVlan(), Set(VLAN_VID, VLAN_PRESENT), Move(TAG, VLAN_VID, 12)]),
        (FIRST, TAGGED, [Set(VLAN_PCP, 3), PushVlan()]),
        (FIRST, {ETH_TYPE: 0x0800}, [Set(IP_DSCP, 3)]),
        (FIRST, IPV6, [DecTtl(), Set(IP_TTL, 64), CtClear(), Ct(4096, SECOND, True, Nat("src", "fd00::1"))]),
        (FIRST, IP, [Ct(TAG, nat=Nat()), Ct(5, commit=True, nat=Nat("dst", "10.0.0.1", 80))]),
        (FIRST, {}, [FirstLive(PATH, (1, 2)), Spread(PATH, 2), CheckLarger(1500, FLAGS, 7), Set(IN_PORT, 0)]),
        (SECOND, {}, [Meter(1), OutputField(OUTPUT), Output(5), ToController()]),
    ],
)
def test_what_is_declared_is_right(table: Table, match: dict[Field, Value], actions: Sequence[Action]) -> None:
    check(Flow(table, 1, Match(match), tuple(actions)))


@pytest.mark.parametrize(
    ("table", "match", "actions", "why"),
    [
        (FIRST, {NETWORK_KEY: 5}, [], "does not declare that it matches xreg0"),
        (FIRST, {}, [Set(NETWORK_KEY, 5)], "does not declare that it writes reg0"),
        (FIRST, {}, [Move(NETWORK_KEY, FLAGS, 32)], "does not declare that it reads reg0"),
        (FIRST, {}, [OutputField(OUTPUT)], "does not declare that it reads reg3"),
        (FIRST, {}, [Output(1)], "does not declare that it outputs"),
        (FIRST, {}, [Resubmit(ZEROTH)], "does not declare that it calls br-int/zeroth"),
        (FIRST, {}, [Goto(ELSEWHERE)], "does not declare that it goes to br-tun/second"),
        (FIRST, {}, [Goto(ZEROTH)], "does not go forward"),
        (FIRST, {}, [Goto(SECOND), Set(FLAGS, 1)], "goto comes last"),
        (FIRST, {}, [Set(FLAGS, 1), Meter(1)], "a meter comes first"),
        (FIRST, {}, [PopVlan()], "no VLAN tag to pop"),
        (FIRST, TAGGED, [PushVlan(), PushVlan()], "2 VLAN tags at most"),
        (FIRST, {}, [Set(VLAN_VID, VLAN_PRESENT)], "without a VLAN tag for certain"),
        (FIRST, TAGGED, [PopVlan(), Set(VLAN_PCP, 3)], "without a VLAN tag for certain"),
        (FIRST, {}, [DecTtl()], "a TTL needs a match on ip or ipv6"),
        (FIRST, {}, [Set(IP_TTL, 64)], "nw_ttl needs a match on eth_type"),
        (FIRST, {}, [Ct(5)], "conntrack needs a match on ip or ipv6"),
        (FIRST, IP, [Ct(NETWORK_KEY)], "does not declare that it reads reg0"),
        (FIRST, IP, [Ct(5, ELSEWHERE)], "does not declare that it goes to br-tun/second"),
        (FIRST, IP, [Ct(5, commit=True, nat=Nat("src", "fd00::1"))], "nat to fd00::1 needs a match on its own family"),
        (FIRST, IPV6, [Ct(5, commit=True, nat=Nat("src", "10.0.0.1"))], "nat to 10.0.0.1 needs a match on its own"),
        (FIRST, {}, [FirstLive(OUTPUT, (1,))], "does not declare that it writes reg3"),
        (FIRST, {}, [Spread(OUTPUT, 2)], "does not declare that it writes reg3"),
        (FIRST, {}, [CheckLarger(1500, NETWORK_KEY, 7)], "does not declare that it writes reg0"),
        (SECOND, {}, [Set(IN_PORT, 0)], "does not declare that it writes in_port"),
        (FIRST, {}, [Move(ARP_SPA, ADDRESS4, 32)], "arp_spa needs a match on eth_type"),
        (FIRST, {ETH_TYPE: 0x0806}, [Set(IP_DSCP, 3)], "ip_dscp needs a match on eth_type"),
    ],
)
def test_what_is_wrong_is_named(table: Table, match: dict[Field, Value], actions: Sequence[Action], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check(Flow(table, 1, Match(match), tuple(actions)))


def test_priority() -> None:
    with pytest.raises(ValueError, match="no such priority"):
        check(Flow(FIRST, 0x10000, Match({}), ()))


def test_equal_flows_are_equal() -> None:
    one = Flow(FIRST, 1, Match({ETH_SRC: "fa:16:3e:00:00:01"}), (Set(FLAGS, 1), Goto(SECOND)))
    other = Flow(FIRST, 1, Match({ETH_SRC: 0xFA163E000001}), (Set(FLAGS, 1), Goto(SECOND)))
    assert one == other
    assert hash(one) == hash(other)
    assert slot(one) == slot(Flow(FIRST, 1, other.match, ()))
