"""Overlay: local VLAN tag to VXLAN network identifier and back, and which host has what (br-tun)."""

from collections.abc import Iterator

from apps.contract import EVERYWHERE, App, Wanted, on_host, on_network
from apps.switching import GROUP_BIT
from controller.view.network import ALWAYS, HOST, HOSTS_OF_NETWORK, LOCATION, NETWORK, PORT, TAG
from controller.view.view import View
from flows.actions import Goto, Output, PopVlan, PushVlan, Resubmit, Set
from flows.fields import ETH_DST, IN_PORT, TUN_DST, TUN_IPV6_DST, TUNNEL_ID, VLAN_PRESENT, VLAN_VID
from flows.flow import Flow
from flows.match import Match
from flows.tables import ARRIVAL, PATCH_INT, PEER, TO_TAG, TO_VNI, TUNNEL_FLOOD, UNICAST, VXLAN


def boot(view: View, _: str) -> Iterator[Wanted]:
    yield EVERYWHERE, Flow(ARRIVAL, 20, Match({IN_PORT: PATCH_INT}), (Goto(TO_VNI),))
    yield EVERYWHERE, Flow(ARRIVAL, 20, Match({IN_PORT: VXLAN}), (Goto(TO_TAG),))
    yield EVERYWHERE, Flow(UNICAST, 30, Match({ETH_DST: GROUP_BIT}), (Goto(TUNNEL_FLOOD),))
    for table in (ARRIVAL, TO_VNI, TO_TAG, UNICAST, TUNNEL_FLOOD):
        yield EVERYWHERE, Flow(table, 0, Match({}), ())
    yield EVERYWHERE, Flow(PEER, 0, Match({}), (Output(VXLAN),))


def tag(view: View, key: tuple[str, str]) -> Iterator[Wanted]:
    host, network_id = key
    number, network = view.row(TAG, key), view.row(NETWORK, network_id)
    if number is None or network is None or network.segment is not None:
        return
    here, vid = on_host(host), VLAN_PRESENT | number
    to_vni = (PopVlan(), Set(TUNNEL_ID, network.vni), Goto(UNICAST))
    yield here, Flow(TO_VNI, 20, Match({VLAN_VID: vid}), to_vni)
    to_tag = (PushVlan(), Set(VLAN_VID, vid), Output(PATCH_INT))
    yield here, Flow(TO_TAG, 20, Match({TUNNEL_ID: network.vni}), to_tag)


def unicast(view: View, id: str) -> Iterator[Wanted]:
    """A port's MAC -> the host where it lives. The same flow on every host: its own drops it in `peer`."""
    where, port = view.row(LOCATION, id), view.row(PORT, id)
    network = where and view.row(NETWORK, where.network_id)
    peer = where and view.row(HOST, where.host)
    if where is None or port is None or not network or network.segment or not peer or not peer.tunnel_ip:
        return
    match = Match({TUNNEL_ID: network.vni, ETH_DST: port.mac_address})
    yield on_network(where.network_id), Flow(UNICAST, 20, match, (to_host(peer.tunnel_ip), Goto(PEER)))


def flood(view: View, network_id: str) -> Iterator[Wanted]:
    """Every host that has the network, ourselves too: `peer` leaves us out, so that all hosts share one flow."""
    network = view.row(NETWORK, network_id)
    peers = [view.row(HOST, host) for host in sorted(view.members(HOSTS_OF_NETWORK, network_id))]
    addresses = [peer.tunnel_ip for peer in peers if peer is not None and peer.tunnel_ip]
    if network is None or network.segment or not addresses:
        return
    copies = tuple(action for address in addresses for action in (to_host(address), Resubmit(PEER)))
    yield on_network(network_id), Flow(TUNNEL_FLOOD, 20, Match({TUNNEL_ID: network.vni}), copies)


def ourselves(view: View, host: str) -> Iterator[Wanted]:
    peer = view.row(HOST, host)
    if peer is not None and peer.tunnel_ip:
        field = TUN_IPV6_DST if ":" in peer.tunnel_ip else TUN_DST
        yield on_host(host), Flow(PEER, 20, Match({field: peer.tunnel_ip}), ())


def to_host(address: str) -> Set:
    return Set(TUN_IPV6_DST if ":" in address else TUN_DST, address)


APP = App(
    name="overlay",
    number=2,
    units={ALWAYS: [boot], TAG: [tag], LOCATION: [unicast], HOSTS_OF_NETWORK: [flood], HOST: [ourselves]},
)
