"""Which packets are for the DHCP server, and where it is."""

from collections.abc import Iterator
from hashlib import blake2b

from apps.allowance import PUNT_HERE
from apps.contract import EVERYWHERE, Wanted, on_network
from controller.model import Subnet
from controller.view.network import NETWORK, OWNERS, SUBNET, SUBNETS_OF_NETWORK
from controller.view.view import View
from flows.actions import Goto, Set
from flows.fields import ADDRESS, ETH_TYPE, IP_PROTO, MAC, NETWORK_KEY, UDP_DST, UDP_SRC
from flows.flow import Flow
from flows.match import Match
from flows.tables import ADDRESS as ADDRESS_TABLE
from flows.tables import NEIGHBOUR, PUNT

CLIENT, SERVER = 68, 67
ON_LINK = "169.254.169.254"
"""The server's address where a subnet has no gateway; option 121 tells that it is on the link (RFC 3442)."""


def boot(view: View, _: str) -> Iterator[Wanted]:
    yield EVERYWHERE, Flow(PUNT, 0, Match({}), (Goto(ADDRESS_TABLE),))


def requests(view: View, network_id: str) -> Iterator[Wanted]:
    """Only where we serve: on other networks a tenant's own server may answer."""
    network = view.row(NETWORK, network_id)
    if network is None or not any(served(view, network_id)):
        return
    match = Match({NETWORK_KEY: network.vni, ETH_TYPE: 0x0800, IP_PROTO: 17, UDP_SRC: CLIENT, UDP_DST: SERVER})
    yield on_network(network_id), Flow(PUNT, 20, match, PUNT_HERE)


def server(view: View, network_id: str) -> Iterator[Wanted]:
    """The server's address answers ARP, so that a lease can be renewed by unicast; unless a port has it."""
    network = view.row(NETWORK, network_id)
    if network is None:
        return
    for address in sorted({server_address(subnet) for subnet in served(view, network_id)}):
        if not view.members(OWNERS, (network_id, address)):
            match = Match({NETWORK_KEY: network.vni, ADDRESS: address})
            yield on_network(network_id), Flow(NEIGHBOUR, 20, match, (Set(MAC, server_mac(network_id)),))


def served(view: View, network_id: str) -> Iterator[Subnet]:
    for id in view.members(SUBNETS_OF_NETWORK, network_id):
        subnet = view.row(SUBNET, id)
        if subnet is not None and subnet.enable_dhcp and subnet.ip_version == 4:
            yield subnet


def server_address(subnet: Subnet) -> str:
    return subnet.gateway_ip or ON_LINK


def server_mac(network_id: str) -> str:
    """Locally administered, the same on every host and after every restart."""
    digest = blake2b(network_id.encode(), digest_size=5).digest().hex(":")
    return f"0a:{digest}"
