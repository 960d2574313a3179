"""Switching: which network a packet is of, and on to the port, or all the ports, that it is for (br-int)."""

from collections.abc import Iterator

from apps.contract import EVERYWHERE, App, Wanted, on_host
from apps.security.sets import STATE, flags_of, set_id
from controller.view.network import (
    ALWAYS,
    CHUNK,
    CHUNKS,
    LOCATION,
    NETWORK,
    PORT,
    SETS_HERE,
    TAG,
    TRUSTED,
    ChunkKey,
    SetKey,
)
from controller.view.view import View
from flows import tables as t
from flows.actions import Action, Ct, Goto, Move, Output, OutputField, PopVlan, PushVlan, Resubmit, Set
from flows.fields import (
    CT_NEW,
    CT_STATE,
    CT_TRACKED,
    ETH_DST,
    ETH_SRC,
    ETH_TYPE,
    FLAGS,
    IN_PORT,
    NETWORK_KEY,
    OUTPUT,
    SET,
    VLAN_PRESENT,
    VLAN_VID,
)
from flows.fields import TAG as TAG_REGISTER
from flows.flow import Flow
from flows.match import Match

GROUP_BIT = ("01:00:00:00:00:00", "01:00:00:00:00:00")
"""IEEE 802: the bit that tells a group address from a station's."""
A_STATION = ("00:00:00:00:00:00", "01:00:00:00:00:00")
IPV4, IPV6 = 0x0800, 0x86DD
NEW = (CT_NEW | CT_TRACKED, CT_NEW | CT_TRACKED)
COMMIT = Ct(TAG_REGISTER, commit=True)


def boot(view: View, _: str) -> Iterator[Wanted]:
    for table in (t.CLASSIFY, t.CHUNKS, t.CHUNK, t.TAG):
        yield EVERYWHERE, Flow(table, 0, Match({}), ())
    yield EVERYWHERE, Flow(t.FLOOD, 0, Match({}), (Goto(t.TUNNEL),))
    yield EVERYWHERE, Flow(t.L2, 30, Match({ETH_DST: GROUP_BIT}), (Goto(t.FLOOD),))
    yield EVERYWHERE, Flow(t.L2, 0, Match({}), (Goto(t.TUNNEL),))
    yield EVERYWHERE, Flow(t.TUNNEL, 30, Match({FLAGS: (t.FROM_TUNNEL, t.FROM_TUNNEL)}), ())
    tag = Resubmit(t.TAG)
    out = (PushVlan(), Set(VLAN_VID, VLAN_PRESENT), Move(TAG_REGISTER, VLAN_VID, 12), Output(t.PATCH_TUN))
    yield EVERYWHERE, Flow(t.TUNNEL, 0, Match({}), (tag, *out))
    yield EVERYWHERE, Flow(t.DELIVER, 0, Match({}), (OutputField(OUTPUT),))
    for family in (IPV4, IPV6):
        # Only now, when nothing refuses it any more, is a new connection remembered. Groups have none.
        new = Match({CT_STATE: NEW, ETH_TYPE: family, ETH_DST: A_STATION})
        yield EVERYWHERE, Flow(t.TUNNEL, 20, new, (tag, COMMIT, *out))
        yield EVERYWHERE, Flow(t.DELIVER, 20, Match({CT_STATE: NEW, ETH_TYPE: family}), (COMMIT, OutputField(OUTPUT)))


def local_port(view: View, id: str) -> Iterator[Wanted]:
    """From the port: its own MACs (any, if it is trusted), untagged. To the port: its MAC in its network."""
    where, port = view.row(LOCATION, id), view.row(PORT, id)
    network = where and view.row(NETWORK, where.network_id)
    if where is None or port is None or not network or not where.ofport or not network.admin_state_up:
        return
    here, flags = on_host(where.host), flags_of(view, where.set)
    of_it = (Set(SET, set_id(where.set)), Set(FLAGS, flags, STATE))
    into = (Set(NETWORK_KEY, network.vni), *of_it, Goto(t.PUNT))
    untagged = {IN_PORT: where.ofport, VLAN_VID: 0}
    if where.set == TRUSTED:
        yield here, Flow(t.CLASSIFY, 10, Match(untagged), into)
    else:
        for mac in dict.fromkeys([port.mac_address, *(pair.mac_address for pair in port.allowed_address_pairs)]):
            yield here, Flow(t.CLASSIFY, 20, Match({**untagged, ETH_SRC: mac}), into)
    to_it = Match({NETWORK_KEY: network.vni, ETH_DST: port.mac_address})
    yield here, Flow(t.L2, 20, to_it, (Set(OUTPUT, where.ofport), *of_it, Goto(t.ADMIT)))


def tag(view: View, key: tuple[str, str]) -> Iterator[Wanted]:
    """The network's local VLAN tag on one host, both ways; of a physical network's, only its conntrack zone."""
    host, network_id = key
    number, network = view.row(TAG, key), view.row(NETWORK, network_id)
    if number is None or network is None:
        return
    here = on_host(host)
    if network.segment is None:
        tagged = Match({IN_PORT: t.PATCH_TUN, VLAN_VID: VLAN_PRESENT | number})
        into = (PopVlan(), Set(NETWORK_KEY, network.vni), Set(FLAGS, t.FROM_TUNNEL, t.FROM_TUNNEL), Goto(t.L2))
        yield here, Flow(t.CLASSIFY, 20, tagged, into)
    yield here, Flow(t.TAG, 20, Match({NETWORK_KEY: network.vni}), (Set(TAG_REGISTER, number),))


def flood(view: View, key: tuple[str, str]) -> Iterator[Wanted]:
    """All of a network's ports on one host, a set of security groups at a time: what its rules say is asked once."""
    host, network_id = key
    network = view.row(NETWORK, network_id)
    sets = sorted(view.members(SETS_HERE, key))
    if network is None or not sets or not network.admin_state_up:
        return
    calls: list[Action] = []
    for each in sets:
        flags = flags_of(view, each) | t.INGRESS
        calls += [Set(SET, set_id(each)), Set(FLAGS, flags, STATE | t.INGRESS | t.ALLOWED), Resubmit(t.HEAR)]
    yield on_host(host), Flow(t.FLOOD, 20, Match({NETWORK_KEY: network.vni}), (*calls, Goto(t.TUNNEL)))


def chunks(view: View, key: tuple[str, str, SetKey]) -> Iterator[Wanted]:
    """By chunks, so that one more port changes one small list."""
    host, network_id, each = key
    network = view.row(NETWORK, network_id)
    numbers = sorted(view.members(CHUNKS, key))
    if network is None or not numbers:
        return
    calls = tuple(action for number in numbers for action in (Set(OUTPUT, number), Resubmit(t.CHUNK)))
    yield on_host(host), Flow(t.CHUNKS, 20, Match({NETWORK_KEY: network.vni, SET: set_id(each)}), calls)


def chunk(view: View, key: ChunkKey) -> Iterator[Wanted]:
    host, network_id, each, number = key
    network = view.row(NETWORK, network_id)
    ports = sorted(view.members(CHUNK, key))
    if network is None or not ports:
        return
    match = Match({NETWORK_KEY: network.vni, SET: set_id(each), OUTPUT: number})
    yield on_host(host), Flow(t.CHUNK, 20, match, tuple(Output(port) for port in ports))


APP = App(
    name="switching",
    number=1,
    units={
        ALWAYS: [boot],
        LOCATION: [local_port],
        TAG: [tag],
        SETS_HERE: [flood],
        CHUNKS: [chunks],
        CHUNK: [chunk],
    },
)
