"""One step of a routed packet: into a network, towards a next hop."""

import ipaddress
from collections.abc import Iterator

from apps.routing.pipeline import CLEAN, IPV4, IPV6
from controller.model import Network, Port, Router, Subnet
from controller.view.network import NETWORK, PORT, ROUTER, SUBNET
from controller.view.topology import INTERFACES, INTERFACES_OF_SUBNET, SIZES
from controller.view.view import View
from flows import fields as f
from flows import tables as t
from flows.actions import Action, CheckLarger, DecTtl, Goto, Move, Resubmit, Set
from flows.value import Value

ETHERNET = 14
"""Bytes of its header, which Open vSwitch counts and an MTU does not."""


def family(address: str) -> int:
    """EtherType of an address or prefix."""
    return IPV6 if ":" in address else IPV4


def source(address: str) -> f.Field:
    return f.IPV6_SRC if ":" in address else f.IPV4_SRC


def destination(address: str) -> f.Field:
    return f.IPV6_DST if ":" in address else f.IPV4_DST


def to_prefix(router: Router, prefix: str) -> dict[f.Field, Value]:
    """Fields that a router's packets to a prefix have."""
    return {f.ROUTER: router.number, f.ETH_TYPE: family(prefix), destination(prefix): prefix}


def from_prefix(router: Router, prefix: str) -> dict[f.Field, Value]:
    return {f.ROUTER: router.number, f.ETH_TYPE: family(prefix), source(prefix): prefix}


def length(prefix: str) -> int:
    return ipaddress.ip_network(prefix).prefixlen


def towards(network: Network, nexthop: str | None, version: int) -> tuple[Action, ...]:
    """Look the next hop up (None: the destination itself). ``version``: 4 or 6."""
    address: Action
    if version == 4:
        address = Set(f.ADDRESS4, nexthop) if nexthop else Move(f.IPV4_DST, f.ADDRESS4, 32)
    else:
        address = Set(f.ADDRESS, nexthop) if nexthop else Move(f.IPV6_DST, f.ADDRESS, 128)
    known = (Set(f.MAC, 0), address, Resubmit(t.NEIGHBOUR), Goto(t.NEXTHOP))
    # It is the router's packet now: it may go back to the port that it came from, whose own address is known to it.
    return (Set(f.NETWORK_KEY, network.vni), Set(f.IN_PORT, 0), CLEAN, *known)


def into(
    view: View, router: Router, port: Port, network: Network, nexthop: str | None, version: int
) -> tuple[Action, ...]:
    """Through an interface."""
    return (
        *shrinks(view, router, network),
        DecTtl(),
        Set(f.ETH_SRC, port.mac_address),
        *towards(network, nexthop, version),
    )


def shrinks(view: View, router: Router, network: Network) -> tuple[Action, ...]:
    """A look at the size of what comes from inside, where it may exceed a network's MTU."""
    sizes = view.row(SIZES, router.id)
    return (larger_than(network.mtu),) if sizes is not None and network.mtu < sizes.largest else ()


def larger_than(mtu: int) -> CheckLarger:
    return CheckLarger(mtu + ETHERNET, f.FLAGS, t.LARGER_BIT)


def router_of(view: View, id: str) -> Router | None:
    """One that is up."""
    router = view.row(ROUTER, id)
    return router if router is not None and router.admin_state_up else None


def interfaces(view: View, router: str) -> Iterator[tuple[Port, Network, list[Subnet]]]:
    """In the order of their ids: port, its network, and the subnets of its addresses."""
    for id in sorted(view.members(INTERFACES, router)):
        if (found := attached(view, id)) is not None:
            yield found


def attached(view: View, port_id: str) -> tuple[Port, Network, list[Subnet]] | None:
    port = view.row(PORT, port_id)
    network = port and view.row(NETWORK, port.network_id)
    if port is None or not network:
        return None
    rows = [view.row(SUBNET, fixed.subnet_id) for fixed in port.fixed_ips]
    return port, network, [row for row in rows if row is not None]


def interface_of_subnet(view: View, router: str, subnet: str) -> tuple[Port, Network] | None:
    """The interface that has an address of a subnet."""
    for id in sorted(view.members(INTERFACES_OF_SUBNET, (router, subnet))):
        if (found := attached(view, id)) is not None:
            return found[:2]
    return None


def interface_towards(view: View, router: str, nexthop: str) -> tuple[Port, Network] | None:
    """The interface on whose subnet an address is."""
    for port, network, subnets in interfaces(view, router):
        if any(holds(subnet.cidr, nexthop) for subnet in subnets):
            return port, network
    return None


def holds(prefix: str, address: str) -> bool:
    network, one = ipaddress.ip_network(prefix), ipaddress.ip_address(address)
    return network.version == one.version and one in network
