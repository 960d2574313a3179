"""Law 3: canonical(dump(install(f))) == canonical(f) through a real switch; decode(encode(f)) == f.

The switch's bytes must be our bytes, ovs-ofctl's text must be our text, and os-ken must read what we have written.
"""

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from os_ken.ofproto import ofproto_parser, ofproto_v1_5, ofproto_v1_5_parser
from os_ken.ofproto.ofproto_protocol import ProtocolDesc

from flows.actions import CheckLarger, Ct, CtClear, DecTtl, FirstLive, Move, Nat, Set, Spread
from flows.cookie import cookie
from flows.decode import decode
from flows.fields import ETH_TYPE, FLAGS, IP_PROTO, IP_TTL, OUTPUT, PATH, TAG, TCP_DST, TCP_FLAGS, Field, Kind
from flows.flow import Flow, MeterConfig
from flows.match import Match
from flows.tables import BR_INT, BR_TUN, DELIVER, L2
from flows.text import text
from flows.value import Value, show
from flows.wire import ADD, ALL_TABLES, DELETE_STRICT, METER_ADD, body, delete_cookie, flow_mod, meter_mod
from tests.laws.vocabulary import METER, declared_flows, flows
from tests.switch.vswitch import Vswitch
from tests.switch.wire import Described, Wire

APP = 7
BRIDGES = (BR_INT, BR_TUN)
OSKEN = ProtocolDesc(version=ofproto_v1_5.OFP_VERSION)

OSKEN_NAMES = {
    "ip_src": "ipv4_src",
    "ip_dst": "ipv4_dst",
    "nw_proto": "ip_proto",
    "tun_id": "tunnel_id",
    "icmp_type": "icmpv4_type",
    "icmp_code": "icmpv4_code",
    "nd_target": "ipv6_nd_target",
    "nd_sll": "ipv6_nd_sll",
    "nd_tll": "ipv6_nd_tll",
    "tun_src": "tun_ipv4_src",
    "tun_dst": "tun_ipv4_dst",
}
"""Ours is Open vSwitch's name, os-ken's the standard's."""

batches = st.one_of(st.lists(flows(), min_size=1, max_size=30), st.lists(declared_flows(), min_size=1, max_size=30))

TCP: dict[Field, Value] = {ETH_TYPE: 0x0800, IP_PROTO: 6}
TCP6: dict[Field, Value] = {ETH_TYPE: 0x86DD, IP_PROTO: 6}
ROUTING = [
    Flow(L2, 0, Match({**TCP, IP_TTL: 1, TCP_DST: 5, TCP_FLAGS: (0x2, 0x12)}), (DecTtl(), Set(IP_TTL, 64))),
    *(Flow(L2, 0, Match({**TCP6, TCP_FLAGS: flags}), (Move(TCP_FLAGS, OUTPUT, 12),)) for flags in (0, 0x2, 0xFFF)),
    Flow(L2, 0, Match({**TCP6, TCP_FLAGS: (0xA00, 0xE00)}), (CtClear(), Move(IP_TTL, OUTPUT, 8))),
    *(Flow(L2, 0, Match(TCP), (Ct(0xFFFF, DELIVER, True, Nat("src", "203.0.113.5", port)),)) for port in (0, 80)),
    *(Flow(L2, 0, Match(TCP6), (Ct(TAG, None, True, Nat("dst", "fd00::5", port)), DecTtl())) for port in (0, 80)),
    Flow(L2, 0, Match(TCP), (Ct(0, DELIVER, nat=Nat()), Ct(0))),
    *(Flow(L2, 0, Match({}), (FirstLive(OUTPUT, tuple(range(65001 - n, 65001))),)) for n in range(1, 6)),
    Flow(L2, 0, Match({}), (Spread(PATH, 4), CheckLarger(1514, FLAGS, 31))),
]
"""What is rarely drawn, or only by itself."""


@pytest.fixture(scope="module")
def switch() -> Iterator[Vswitch]:
    with Vswitch() as switch:
        for number, bridge in enumerate(BRIDGES, 1):
            switch.add_bridge(bridge, number)
            with Wire(switch.management(bridge)) as wire:
                assert wire.send([meter_mod(METER_ADD, MeterConfig(bridge, METER, 100, 10))]) == []
        yield switch


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(batch=batches)
@example(batch=ROUTING)
def test_round_trip(switch: Vswitch, batch: list[Flow]) -> None:
    for bridge in BRIDGES:
        # A priority of its own for each, so that none replaces another and none is the default, which is not shown.
        mine = {n: Flow(f.table, n, f.match, f.actions) for n, f in enumerate(batch, 1) if f.table.bridge == bridge}
        if mine:
            with Wire(switch.management(bridge)) as wire:
                round_trip(switch, bridge, wire, mine)


def round_trip(switch: Vswitch, bridge: str, wire: Wire, wanted: dict[int, Flow]) -> None:
    assert wire.send([delete_cookie(ALL_TABLES, 0, 0)]) == []
    messages = {n: flow_mod(ADD, f.table.number, n, cookie(APP, f), body(f)) for n, f in wanted.items()}
    assert wire.send(messages.values()) == []

    installed = {flow.priority: flow for flow in wire.flows()}
    for n, flow in wanted.items():
        assert installed.pop(n) == Described(flow.table.number, n, cookie(APP, flow), body(flow)), text(flow)
        assert decode(bridge, flow.table.number, n, body(flow)) == flow
        read_by_osken(flow)
    assert not installed

    assert dump(switch, bridge) == {n: text(flow) for n, flow in wanted.items()}

    # From our text, ovs-ofctl makes the same flows.
    assert wire.send(flow_mod(DELETE_STRICT, f.table.number, n, 0, body(f)) for n, f in wanted.items()) == []
    assert wire.flows() == []
    switch.ofctl("add-flows", bridge, "-", stdin="\n".join(map(text, wanted.values())))
    again = {flow.priority: flow.body for flow in wire.flows()}
    assert again == {n: body(flow) for n, flow in wanted.items()}


def dump(switch: Vswitch, bridge: str) -> dict[int, str]:
    """Priority -> ovs-ofctl's line, with what it leaves out and without the cookie."""
    lines = {}
    for line in switch.ofctl("dump-flows", bridge, options=("--no-stats", "--no-names")).splitlines():
        line = re.sub(r"cookie=0x[0-9a-f]+, ", "", line).strip()
        line = line if line.startswith("table=") else f"table=0, {line}"
        lines[int(re.search(r"priority=(\d+)", line)[1])] = line  # type: ignore[index]
    return lines


def read_by_osken(flow: Flow) -> None:
    # Its parser takes the padding after OFPAT_COPY_FIELD for a third field: Open vSwitch alone judges moves.
    without = Flow(flow.table, flow.priority, flow.match, tuple(a for a in flow.actions if not isinstance(a, Move)))
    message = flow_mod(ADD, flow.table.number, flow.priority, cookie(APP, flow), body(without))
    version, kind, length, xid = ofproto_parser.header(message)
    read = ofproto_parser.msg(OSKEN, version, kind, length, xid, message)
    assert (read.table_id, read.priority, read.cookie) == (flow.table.number, flow.priority, cookie(APP, flow))
    assert dict(read.match.items()) == dict(in_osken_terms(flow.match))
    again = ofproto_v1_5_parser.OFPFlowMod(
        OSKEN, cookie=read.cookie, table_id=read.table_id, priority=read.priority, buffer_id=read.buffer_id,
        out_port=read.out_port, out_group=read.out_group, match=read.match, instructions=read.instructions,
    )  # fmt: skip
    again.set_xid(xid)
    again.serialize()
    assert bytes(again.buf) == message, text(flow)


def in_osken_terms(match: Match) -> Iterator[tuple[str, object]]:
    for field, value, mask in match.items:
        as_text = field.kind in (Kind.MAC, Kind.IPV4, Kind.IPV6)
        shown = [show(field.kind, number) if as_text else number for number in (value, mask) if number is not None]
        yield OSKEN_NAMES.get(field.name, field.name), shown[0] if mask is None else tuple(shown)
