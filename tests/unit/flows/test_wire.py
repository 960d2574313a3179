"""Messages, against os-ken; hostile bytes; cookies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from os_ken.ofproto import ofproto_parser, ofproto_v1_5, ofproto_v1_5_parser
from os_ken.ofproto.ofproto_protocol import ProtocolDesc

from flows.actions import Action, CheckLarger, Ct, CtClear, FirstLive, Goto, Nat, Output, Set, Spread
from flows.cookie import app_of, cookie
from flows.decode import Undecodable, decode
from flows.fields import ETH_TYPE, IN_PORT, OUTPUT
from flows.flow import Flow, MeterConfig
from flows.match import Match
from flows.table import Table
from flows.tables import ARRIVAL, CLASSIFY, DELIVER, L2, PUNT, TO_VNI
from flows.wire import (
    ADD,
    ALL_TABLES,
    DELETE_STRICT,
    METER_ADD,
    METER_DELETE,
    METER_MODIFY,
    action_bytes,
    body,
    delete_cookie,
    flow_mod,
    meter_mod,
)

OSKEN = ProtocolDesc(version=ofproto_v1_5.OFP_VERSION)
HERE, THERE = Table("br-int", 20, "here", ""), Table("br-int", 40, "there", "")
FLOW = Flow(HERE, 20, Match({IN_PORT: 5}), (Set(OUTPUT, 5), Goto(THERE)))


def osken_writes(message: ofproto_v1_5_parser.MsgBase, xid: int) -> bytes:
    message.xid = xid
    message.serialize()
    return bytes(message.buf)


@pytest.mark.parametrize("command", [ADD, DELETE_STRICT])
def test_flow_mod(command: int) -> None:
    message = flow_mod(command, 20, 7, 0x0102030405060708, body(FLOW), xid=9)
    read = ofproto_parser.msg(OSKEN, *ofproto_parser.header(message), message)
    assert (read.command, read.table_id, read.priority, read.cookie) == (command, 20, 7, 0x0102030405060708)
    assert (read.cookie_mask, read.idle_timeout, read.hard_timeout, read.flags) == (0, 0, 0, 0)
    assert (read.out_port, read.out_group) == (ofproto_v1_5.OFPP_ANY, ofproto_v1_5.OFPG_ANY)
    assert osken_writes(read, 9) == message


def test_delete_cookie() -> None:
    expected = ofproto_v1_5_parser.OFPFlowMod(
        OSKEN,
        cookie=1 << 56,
        cookie_mask=0xFF << 56,
        table_id=ALL_TABLES,
        command=ofproto_v1_5.OFPFC_DELETE,
        priority=0,
        buffer_id=ofproto_v1_5.OFP_NO_BUFFER,
        out_port=ofproto_v1_5.OFPP_ANY,
        out_group=ofproto_v1_5.OFPG_ANY,
    )
    assert delete_cookie(ALL_TABLES, 1 << 56, 0xFF << 56, xid=3) == osken_writes(expected, 3)


@pytest.mark.parametrize("command", [METER_ADD, METER_MODIFY, METER_DELETE])
def test_meter_mod(command: int) -> None:
    bands = [] if command == METER_DELETE else [ofproto_v1_5_parser.OFPMeterBandDrop(1000, 100)]
    flags = ofproto_v1_5.OFPMF_PKTPS | ofproto_v1_5.OFPMF_BURST
    expected = ofproto_v1_5_parser.OFPMeterMod(OSKEN, command, flags, 5, bands)
    assert meter_mod(command, MeterConfig("br-int", 5, 1000, 100), xid=4) == osken_writes(expected, 4)


def test_goto_is_no_action_on_the_wire() -> None:
    with pytest.raises(TypeError):
        action_bytes(Goto(L2))


def test_a_cookie_is_its_flow() -> None:
    others = [
        Flow(THERE, FLOW.priority, FLOW.match, FLOW.actions),
        Flow(HERE, 21, FLOW.match, FLOW.actions),
        Flow(HERE, 20, Match({IN_PORT: 6}), FLOW.actions),
        Flow(HERE, 20, FLOW.match, (Set(OUTPUT, 6), Goto(THERE))),
        Flow(HERE, 20, FLOW.match, ()),
    ]
    assert len({cookie(1, flow) for flow in [FLOW, *others]}) == 6
    assert cookie(1, FLOW) == cookie(1, FLOW, body(FLOW))
    assert app_of(cookie(1, FLOW)) == 1
    assert cookie(2, FLOW) ^ cookie(1, FLOW) == 3 << 56


def test_a_cookie_knows_its_bridge() -> None:
    assert (ARRIVAL.number, TO_VNI.number) == (CLASSIFY.number, PUNT.number)
    assert cookie(1, Flow(ARRIVAL, 0, Match({}), ())) != cookie(1, Flow(CLASSIFY, 0, Match({}), ()))


def test_a_cookie_stays_the_same_for_ever() -> None:
    """Other figures here mean that a restart after an upgrade rewrites every flow on every host."""
    assert cookie(1, FLOW) == COOKIE


COOKIE = 72446963354686891


@pytest.mark.parametrize("app", [0, 256])
def test_apps_are_from_1_to_255(app: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 255"):
        cookie(app, FLOW)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_flow_or_undecodable(data: bytes) -> None:
    for candidate in (data, b"\0\1\0\4\0\0\0\0" + data):
        with_limits(candidate)


ROUTING: tuple[Action, ...] = (
    Ct(5, DELIVER, True, Nat("src", "fd00::1", 80)),
    Ct(5, nat=Nat()),
    FirstLive(OUTPUT, (1, 2, 3, 4, 5)),
    Spread(OUTPUT, 3),
    CheckLarger(1500, OUTPUT, 5),
    CtClear(),
    Output(7),
)


@given(st.integers(0), st.binary(min_size=1, max_size=4), st.integers(0))
def test_a_damaged_flow_is_a_flow_or_undecodable(at: int, damage: bytes, cut: int) -> None:
    sound = body(Flow(L2, 20, Match({IN_PORT: 5, ETH_TYPE: 0x0800}), (Set(OUTPUT, 5), *ROUTING, Goto(DELIVER))))
    at %= len(sound)
    with_limits(sound[:at] + damage + sound[at + len(damage) :])
    with_limits(sound[: cut % len(sound)])


def with_limits(data: bytes) -> None:
    try:
        flow = decode("br-int", L2.number, 1, data)
    except Undecodable:
        return
    assert decode("br-int", L2.number, 1, body(flow)) == flow
