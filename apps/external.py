"""Networks on a physical network: in and out through the patch to its bridge, untagged or by VLAN."""

from collections.abc import Iterator

from apps.contract import App, Lack, Wanted, on_host
from apps.overlay import to_host
from apps.switching import A_STATION, COMMIT, IPV4, IPV6, NEW
from controller.view.network import HOST, NETWORK, PEER, TAG
from controller.view.view import View
from flows import fields as f
from flows import tables as t
from flows.actions import Action, Goto, Output, PopVlan, PushVlan, Resubmit, Set
from flows.flow import Flow
from flows.match import Match
from flows.value import Value


def uplink(view: View, key: tuple[str, str]) -> Iterator[Wanted]:
    """One network on one host."""
    host, network_id = key
    network, peer = view.row(NETWORK, network_id), view.row(HOST, host)
    if view.row(TAG, key) is None or network is None or network.segment is None or peer is None:
        return
    here, segment = on_host(host), network.segment
    if (port := peer.uplink(network)) is None:
        yield Lack(f"its host does not reach the physical network {segment.physical_network}")
        return
    vid = f.VLAN_PRESENT | segment.vlan
    untag: tuple[Action, ...] = (PopVlan(),) if segment.vlan else ()
    tag: tuple[Action, ...] = (PushVlan(), Set(f.VLAN_VID, vid)) if segment.vlan else ()
    arrives = Match({f.IN_PORT: port, f.VLAN_VID: vid if segment.vlan else f.VLAN_NONE})
    into = (*untag, Set(f.NETWORK_KEY, network.vni), Set(f.FLAGS, t.FROM_TUNNEL, t.FROM_TUNNEL), Goto(t.OUTSIDE))
    yield here, Flow(t.CLASSIFY, 20, arrives, into)
    out = (*tag, Output(port))
    leaves = {f.NETWORK_KEY: network.vni}
    yield here, Flow(t.TUNNEL, 24, Match(leaves), out)
    for family in (IPV4, IPV6):
        new = Match({**leaves, f.CT_STATE: NEW, f.ETH_TYPE: family, f.ETH_DST: A_STATION})
        yield here, Flow(t.TUNNEL, 26, new, (Resubmit(t.TAG), COMMIT, *out))


def handed_over(view: View, key: tuple[str, str]) -> Iterator[Wanted]:
    """The patch to another host: BFD runs on it, and what it brings is for a router whose gateway this host is."""
    host, other = key
    port, peer = view.row(PEER, key), view.row(HOST, other)
    if port is None or peer is None or not peer.tunnel_ip:
        return
    here = on_host(host)
    from_there = Set(f.FLAGS, t.FROM_TUNNEL, t.FROM_TUNNEL)
    yield here, Flow(t.CLASSIFY, 20, Match({f.IN_PORT: port}), (from_there, Goto(t.STEERED)))
    there = (Set(f.TUNNEL_ID, t.HANDED), to_host(peer.tunnel_ip), Output(t.VXLAN))
    yield here, Flow(t.ARRIVAL, 30, Match({f.IN_PORT: port}), there)
    v6 = ":" in peer.tunnel_ip
    source: dict[f.Field, Value] = {f.TUN_SRC: 0, f.TUN_IPV6_SRC: peer.tunnel_ip} if v6 else {f.TUN_SRC: peer.tunnel_ip}
    comes = Match({f.IN_PORT: t.VXLAN, f.TUNNEL_ID: t.HANDED, **source})
    yield here, Flow(t.ARRIVAL, 30, comes, (Output(port),))


APP = App(name="external", number=9, units={TAG: [uplink], PEER: [handed_over]})
