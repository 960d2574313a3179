"""Switching: which network a packet is of, and on to the port, or all the ports, that it is for (br-int)."""

from collections.abc import Iterator

from apps.contract import EVERYWHERE, App, Wanted, on_host
from controller.view.network import ALWAYS, CHUNK, CHUNKS, LOCATION, NETWORK, PORT, TAG
from controller.view.view import View
from flows.actions import Goto, Move, Output, OutputField, PopVlan, PushVlan, Resubmit, Set
from flows.fields import ETH_DST, ETH_SRC, FLAGS, IN_PORT, NETWORK_KEY, OUTPUT, VLAN_PRESENT, VLAN_VID
from flows.fields import TAG as TAG_REGISTER
from flows.flow import Flow
from flows.match import Match
from flows.tables import CHUNK as CHUNK_TABLE
from flows.tables import (
    CLASSIFY,
    DELIVER,
    FLOOD,
    FROM_TUNNEL,
    L2,
    PATCH_TUN,
    PUNT,
    TUNNEL,
)
from flows.tables import TAG as TAG_TABLE

GROUP_BIT = ("01:00:00:00:00:00", "01:00:00:00:00:00")
"""IEEE 802: the bit that tells a group address from a station's."""


def boot(view: View, _: str) -> Iterator[Wanted]:
    yield EVERYWHERE, Flow(CLASSIFY, 0, Match({}), ())
    yield EVERYWHERE, Flow(L2, 30, Match({ETH_DST: GROUP_BIT}), (Goto(FLOOD),))
    yield EVERYWHERE, Flow(L2, 0, Match({}), (Goto(TUNNEL),))
    yield EVERYWHERE, Flow(FLOOD, 0, Match({}), ())
    yield EVERYWHERE, Flow(CHUNK_TABLE, 0, Match({}), ())
    yield EVERYWHERE, Flow(TUNNEL, 20, Match({FLAGS: (FROM_TUNNEL, FROM_TUNNEL)}), ())
    to_br_tun = (
        Resubmit(TAG_TABLE),
        PushVlan(),
        Set(VLAN_VID, VLAN_PRESENT),
        Move(TAG_REGISTER, VLAN_VID, 12),
        Output(PATCH_TUN),
    )
    yield EVERYWHERE, Flow(TUNNEL, 0, Match({}), to_br_tun)
    yield EVERYWHERE, Flow(TAG_TABLE, 0, Match({}), ())
    yield EVERYWHERE, Flow(DELIVER, 0, Match({}), (OutputField(OUTPUT),))


def local_port(view: View, id: str) -> Iterator[Wanted]:
    """From the port: its own MAC, untagged. To the port: its MAC in its network."""
    where, port = view.row(LOCATION, id), view.row(PORT, id)
    network = where and view.row(NETWORK, where.network_id)
    if where is None or port is None or not network or not where.ofport or not network.admin_state_up:
        return
    here = on_host(where.host)
    own = Match({IN_PORT: where.ofport, ETH_SRC: port.mac_address, VLAN_VID: 0})
    yield here, Flow(CLASSIFY, 20, own, (Set(NETWORK_KEY, network.vni), Goto(PUNT)))
    to_it = Match({NETWORK_KEY: network.vni, ETH_DST: port.mac_address})
    yield here, Flow(L2, 20, to_it, (Set(OUTPUT, where.ofport), Goto(DELIVER)))


def tag(view: View, key: tuple[str, str]) -> Iterator[Wanted]:
    """The network's local VLAN tag on one host, both ways."""
    host, network_id = key
    number, network = view.row(TAG, key), view.row(NETWORK, network_id)
    if number is None or network is None:
        return
    here = on_host(host)
    tagged = Match({IN_PORT: PATCH_TUN, VLAN_VID: VLAN_PRESENT | number})
    into = (PopVlan(), Set(NETWORK_KEY, network.vni), Set(FLAGS, FROM_TUNNEL, FROM_TUNNEL), Goto(L2))
    yield here, Flow(CLASSIFY, 20, tagged, into)
    yield here, Flow(TAG_TABLE, 20, Match({NETWORK_KEY: network.vni}), (Set(TAG_REGISTER, number),))


def flood(view: View, key: tuple[str, str]) -> Iterator[Wanted]:
    """All of a network's ports on one host, by chunks, so that one more port changes one small list."""
    host, network_id = key
    network = view.row(NETWORK, network_id)
    chunks = sorted(view.members(CHUNKS, key))
    if network is None or not chunks or not network.admin_state_up:
        return
    calls = [action for number in chunks for action in (Set(OUTPUT, number), Resubmit(CHUNK_TABLE))]
    yield on_host(host), Flow(FLOOD, 20, Match({NETWORK_KEY: network.vni}), (*calls, Goto(TUNNEL)))


def chunk(view: View, key: tuple[str, str, int]) -> Iterator[Wanted]:
    host, network_id, number = key
    network = view.row(NETWORK, network_id)
    ports = sorted(view.members(CHUNK, key))
    if network is None or not ports:
        return
    match = Match({NETWORK_KEY: network.vni, OUTPUT: number})
    yield on_host(host), Flow(CHUNK_TABLE, 20, match, tuple(Output(port) for port in ports))


APP = App(
    name="switching",
    number=1,
    units={ALWAYS: [boot], LOCATION: [local_port], TAG: [tag], CHUNKS: [flood], CHUNK: [chunk]},
)
