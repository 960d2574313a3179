"""What the actions that routers need do in a real switch: what their docstrings say."""

import re
from collections.abc import Iterator

import pytest

from flows.actions import (
    Action,
    CheckLarger,
    Ct,
    DecTtl,
    FirstLive,
    Goto,
    Nat,
    Output,
    OutputField,
    Resubmit,
    Set,
    Spread,
)
from flows.fields import (
    CT_STATE,
    CT_TRACKED,
    ETH_TYPE,
    FLAGS,
    ICMPV4_TYPE,
    IN_PORT,
    IP_PROTO,
    IP_TTL,
    IPV4_DST,
    IPV4_SRC,
    NETWORK_KEY,
    OUTPUT,
    PATH,
    PORT_NONE,
    Field,
)
from flows.flow import Flow
from flows.match import Match
from flows.tables import BR_INT, BR_TUN, CLASSIFY, L2, PATCH_INT, PATCH_TUN
from flows.value import Value
from flows.wire import ADD, ALL_TABLES, body, delete_cookie, flow_mod
from tests.hosts.until import until
from tests.switch.vswitch import Vswitch
from tests.switch.wire import Wire

UDP = "in_port=1,udp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=9"
PING = "in_port=1,icmp,nw_src=10.0.0.1,nw_dst=10.0.0.2,icmp_type=8,icmp_code=0,nw_ttl=9"
IP: dict[Field, Value] = {ETH_TYPE: 0x0800}


@pytest.fixture(scope="module")
def switch() -> Iterator[Vswitch]:
    """br-int with ports 1 to 5 and its patch to br-tun."""
    with Vswitch() as switch:
        for number, bridge in enumerate((BR_INT, BR_TUN), 1):
            switch.add_bridge(bridge, number)
        for port in range(1, 6):
            switch.add_port(BR_INT, f"p{port}", port)
        patch = {"type": "patch", "options:peer": "to-int"}
        switch.add_port(BR_INT, "to-tun", PATCH_TUN, **patch)
        switch.add_port(BR_TUN, "to-int", PATCH_INT, **patch | {"options:peer": "to-tun"})
        yield switch


def install(switch: Vswitch, *flows: Flow) -> None:
    with Wire(switch.management(BR_INT)) as wire:
        adds = [flow_mod(ADD, f.table.number, f.priority, 1 << 56, body(f)) for f in flows]
        assert wire.send([delete_cookie(ALL_TABLES, 0, 0), *adds]) == []


def first(*actions: Action, match: dict[Field, Value] | None = None) -> Flow:
    return Flow(CLASSIFY, 1, Match(match or {}), actions)


def trace(switch: Vswitch, packet: str) -> str:
    return switch.appctl("ofproto/trace", BR_INT, packet)


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text
    return match[1]


def final(switch: Vswitch, packet: str = UDP) -> str:
    return found(r"Final flow: (.*)", trace(switch, packet))


def to_datapath(switch: Vswitch, packet: str = UDP) -> str:
    return found(r"Datapath actions: (.*)", trace(switch, packet))


def admin(switch: Vswitch, port: int, state: str) -> None:
    """Returns when OpenFlow shows it."""
    switch.appctl("netdev-dummy/set-admin-state", f"p{port}", state)
    until(lambda: "PORT_DOWN" in switch.ofctl("dump-ports-desc", BR_INT, str(port)), state == "down")


def test_the_first_live_port_is_taken(switch: Vswitch) -> None:
    install(switch, first(FirstLive(OUTPUT, (77, 2, 3, PATCH_TUN)), OutputField(OUTPUT)))
    taken = []
    try:
        for port in (2, 3):
            taken.append(found("output port is (.*)", trace(switch, UDP)))
            admin(switch, port, "down")
        taken.append(found("output port is (.*)", trace(switch, UDP)))
    finally:
        for port in (2, 3):
            admin(switch, port, "up")
    assert taken == ["2", "3", str(PATCH_TUN)]  # 77 does not exist, and a patch is always live


def test_when_nothing_is_live_output_drops_and_a_later_table_can_tell(switch: Vswitch) -> None:
    install(
        switch,
        first(Set(OUTPUT, 0xFFFFFFFF), FirstLive(OUTPUT, (77, 78)), OutputField(OUTPUT), Goto(L2)),
        Flow(L2, 1, Match({OUTPUT: PORT_NONE}), (Set(NETWORK_KEY, 7),)),
    )
    assert to_datapath(switch) == "drop"
    assert "reg0=0x7,reg3=0xffff," in final(switch)


def test_paths_are_from_0_and_the_same_in_both_directions(switch: Vswitch) -> None:
    install(switch, first(Set(PATH, 0xFFFFFFFF), Spread(PATH, 3)))

    def path(source: int, sport: int, destination: int, dport: int) -> int:
        packet = f"in_port=1,udp,nw_src=10.0.0.{source},nw_dst=10.0.0.{destination},udp_src={sport},udp_dst={dport}"
        return int(found(r"NXM_NX_REG7\[\] is now (\w+)", trace(switch, packet)), 0)

    there = [path(1, port, 2, 53) for port in range(30)]
    assert there == [path(2, 53, 1, port) for port in range(30)]
    assert set(there) == {0, 1, 2}


@pytest.mark.parametrize(("size", "larger"), [(99, False), (100, False), (101, True)])
@pytest.mark.parametrize("tag", [b"", b"\x81\0\0\5"])
def test_larger_counts_ethernet_header_and_tag(switch: Vswitch, tag: bytes, size: int, larger: bool) -> None:
    install(
        switch,
        first(CheckLarger(100, FLAGS, 7), Goto(L2)),
        Flow(L2, 2, Match({FLAGS: (0x80, 0x80)}), (Output(4),)),
        Flow(L2, 1, Match({}), (Output(5),)),
    )
    before = sent(switch)
    head = bytes.fromhex("020000000002020000000001") + tag + b"\x88\xb5"
    switch.appctl("netdev-dummy/receive", "p1", head.ljust(size, b"\0").hex())
    until(lambda: sent(switch), (before[0] + larger, before[1] + (not larger)))


def sent(switch: Vswitch) -> tuple[int, ...]:
    """Packets that have left by ports 4 and 5."""
    counters = (switch.ofctl("dump-ports", BR_INT, str(port)) for port in (4, 5))
    return tuple(int(found(r"tx pkts=(\d+)", text)) for text in counters)


def test_ttl(switch: Vswitch) -> None:
    install(switch, first(DecTtl(), Goto(L2), match=IP), Flow(L2, 1, Match({}), (Output(2),)))
    assert to_datapath(switch).startswith("set(ipv4(ttl=8))")
    for ttl in (0, 1):
        assert "output:2" not in trace(switch, UDP.replace("nw_ttl=9", f"nw_ttl={ttl}"))


def test_a_caller_goes_on_when_the_ttl_is_over(switch: Vswitch) -> None:
    called = Flow(L2, 1, Match(IP), (DecTtl(), Set(NETWORK_KEY, 7)))
    install(switch, first(Resubmit(L2), Output(2)), called)
    traced = trace(switch, UDP.replace("nw_ttl=9", "nw_ttl=1"))
    assert "reg0" not in traced
    assert "output:2" in traced


def test_an_answer_is_made_of_an_echo_request(switch: Vswitch) -> None:
    """It may leave by the port that it came from, as the packet comes from none."""
    sets = (Set(ICMPV4_TYPE, 0), Set(IPV4_SRC, "10.0.0.2"), Set(IPV4_DST, "10.0.0.1"), Set(IP_TTL, 64), Set(IN_PORT, 0))
    install(switch, first(*sets, Output(1), match={**IP, IP_PROTO: 1, ICMPV4_TYPE: 8}))
    assert to_datapath(switch, PING).startswith("set(ipv4(src=10.0.0.2,dst=10.0.0.1,ttl=64)),set(icmp(type=0,code=0)),")


def test_nat_without_a_table(switch: Vswitch) -> None:
    """What follows matches the old address, and knows nothing of conntrack."""
    install(
        switch,
        first(Ct(4096, commit=True, nat=Nat("src", "203.0.113.5")), Goto(L2), match=IP),
        Flow(L2, 1, Match({**IP, IPV4_SRC: "10.0.0.1", CT_STATE: (0, CT_TRACKED)}), (Output(2),)),
    )
    assert re.fullmatch(r"ct\(commit,zone=4096,nat\(src=203\.0\.113\.5\)\),\d+", to_datapath(switch))
