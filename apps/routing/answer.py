"""What is said to packets that a router's flows have sent up: a function of the packet and the records."""

import ipaddress
from collections.abc import Callable, Iterable, Iterator

from apps.contract import Answer, Learned, PacketIn, PacketOut, Unknown
from apps.routing.frame import (
    EXPIRED,
    NO_NEIGHBOUR,
    NO_ROUTE,
    Heard,
    Reason,
    advertisement,
    announcement,
    error,
    heard,
    request,
    too_large,
)
from apps.routing.hop import attached, holds, interfaces
from apps.routing.interfaces import addresses
from apps.routing.pipeline import ADVERTISEMENT, ARP, IPV4, REPLY, SOLICITATION
from controller.model import Network, Port, Router
from controller.view.network import FLOATING_IP, NETWORK, OWNERS, PORT, ROUTER, SUBNET, SUBNETS_OF_NETWORK
from controller.view.topology import (
    HOSTS_OF_ROUTER,
    NETWORK_OF_KEY,
    PORTS_OF_MAC,
    ROUTER_OF_NUMBER,
    ROUTERS_OF_NETWORK,
    ROUTERS_OUTSIDE,
    SIZES,
    external,
    ranked,
)
from controller.view.view import View
from flows import fields as f
from flows import tables as t
from flows.actions import Action, Output, Resubmit, Set


def answer(packet: PacketIn, view: View) -> Iterable[Answer]:
    """Nothing for what is malformed or nobody's."""
    try:
        what = heard(packet.data)
    except ValueError:
        return
    network = _network(view, packet.register(f.NETWORK_KEY))
    if what.eth_type == ARP or what.mac:
        if network is not None:
            yield from _neighbours(view, packet, network, what)
        return
    router = _router(view, packet.register(f.ROUTER))
    if router is None or network is None:
        return
    if packet.table == t.NEXTHOP.number and not packet.register(f.FLAGS) & t.LARGER:
        yield from _unknown(view, packet, router, network, what)
    elif what.may_err:
        yield from _error(view, router, network, what, packet, _reason(view, packet, router, network, what))


def _network(view: View, key: int) -> Network | None:
    return next((view.row(NETWORK, id) for id in view.members(NETWORK_OF_KEY, key)), None)


def _router(view: View, number: int) -> Router | None:
    return next((view.row(ROUTER, id) for id in view.members(ROUTER_OF_NUMBER, number)), None)


# ---- ARP and neighbour discovery
def _neighbours(view: View, packet: PacketIn, network: Network, what: Heard) -> Iterator[Answer]:
    if (what.eth_type == ARP and (what.what == REPLY or packet.table == t.WATCH.number)) or what.what == ADVERTISEMENT:
        address = what.source if what.eth_type == ARP else what.target
        if _may_learn(view, network, address):
            yield Learned(network.id, address, what.mac)
    elif what.what == SOLICITATION and what.eth_type != ARP:
        port = _own(view, network, what.target)
        if port is not None:
            told = (what.eth_src, what.source) if what.source != "::" else ("33:33:00:00:00:01", "ff02::1")
            solicited = what.source != "::"
            yield PacketOut(
                advertisement(port.mac_address, what.target, *told, solicited=solicited), _back(packet, network)
            )


def _back(packet: PacketIn, network: Network) -> tuple[Action, ...]:
    """To where the packet came from."""
    if packet.table == t.INBOUND.number:
        return (Set(f.NETWORK_KEY, network.vni), Resubmit(t.TUNNEL))
    return (Output(packet.in_port),)


def _may_learn(view: View, network: Network, address: str) -> bool:
    """Only what is on the network's subnets, and no port's."""
    subnets = [view.row(SUBNET, id) for id in view.members(SUBNETS_OF_NETWORK, network.id)]
    on_it = any(subnet is not None and holds(subnet.cidr, address) for subnet in subnets)
    return on_it and not view.members(OWNERS, (network.id, address))


def _own(view: View, network: Network, address: str) -> Port | None:
    """The router's port that has an address on a network."""
    for router in (*view.members(ROUTERS_OF_NETWORK, network.id), *view.members(ROUTERS_OUTSIDE, network.id)):
        for port in ports_on(view, router, network.id):
            if address in addresses(port):
                return port
    return None


def ports_on(view: View, router_id: str, network_id: str) -> Iterator[Port]:
    """A router's interfaces, or its gateway, on a network."""
    router = view.row(ROUTER, router_id)
    gateway = view.row(PORT, router.gateway_port_id) if router and router.gateway_port_id else None
    if gateway is not None and gateway.network_id == network_id:
        yield gateway
    for port, network, _ in interfaces(view, router_id):
        if network.id == network_id:
            yield port


# ---- next hops that nobody knows
def _unknown(view: View, packet: PacketIn, router: Router, network: Network, what: Heard) -> Iterator[Answer]:
    address = _address(packet, what)
    asking = question(view, network, address, what.eth_src)
    if asking is None:
        return
    waiting = PacketOut(packet.data, (Set(f.NETWORK_KEY, network.vni), Resubmit(t.L2)))
    refusal = next(iter(_error(view, router, network, what, packet, NO_NEIGHBOUR)), None) if what.may_err else None
    yield Unknown(network.id, address, asking, waiting, refusal)


def _address(packet: PacketIn, what: Heard) -> str:
    """The one that was looked up."""
    words = [packet.register(f.REG[number]) for number in range(8, 12)]
    if what.eth_type == IPV4:
        return str(ipaddress.IPv4Address(words[3]))
    return str(ipaddress.IPv6Address(sum(word << 32 * (3 - at) for at, word in enumerate(words))))


def question(view: View, network: Network, address: str, mac: str) -> PacketOut | None:
    """Ask all of a network for an address, in the name of the port that has this MAC there."""
    for id in view.members(PORTS_OF_MAC, (network.id, mac)):
        port = view.row(PORT, id)
        own = _source(view, port, address) if port else None
        if own is not None:
            return PacketOut(request(mac, own, address), (Set(f.NETWORK_KEY, network.vni), Resubmit(t.FLOOD)))
    return None


def _source(view: View, port: Port, target: str) -> str | None:
    """The port's address from which a target is asked for: one of the target's subnet, else of its family."""
    same = [fixed for fixed in port.fixed_ips if (":" in fixed.ip_address) == (":" in target)]
    for fixed in same:
        subnet = view.row(SUBNET, fixed.subnet_id)
        if subnet is not None and holds(subnet.cidr, target):
            return fixed.ip_address
    return same[0].ip_address if same else None


def whom_to_ask(view: View, key: tuple[str, str], there: Callable[[str], bool]) -> tuple[str, PacketOut] | None:
    """A host and a question for an address on a network that somebody may need; None: no router is there any more."""
    if (network := view.row(NETWORK, key[0])) is None:
        return None
    for router in (*view.members(ROUTERS_OF_NETWORK, key[0]), *view.members(ROUTERS_OUTSIDE, key[0])):
        for port in ports_on(view, router, key[0]):
            for host in (*ranked(view, router), *sorted(view.members(HOSTS_OF_ROUTER, router))):
                asking = question(view, network, key[1], port.mac_address) if there(host) else None
                if asking is not None:
                    return host, asking
    return None


def announce(view: View, network: Network, mac: str, address: str) -> PacketOut:
    """To the physical network: this address is here now."""
    return PacketOut(announcement(mac, address), (Set(f.NETWORK_KEY, network.vni), Resubmit(t.TUNNEL)))


# ---- ICMP errors
def _reason(view: View, packet: PacketIn, router: Router, network: Network, what: Heard) -> Reason:
    if packet.register(f.FLAGS) & t.LARGER:
        return too_large(_mtu(view, packet, router, network, what))
    return NO_ROUTE if packet.table == t.ROUTE.number else EXPIRED


def _mtu(view: View, packet: PacketIn, router: Router, network: Network, what: Heard) -> int:
    """Of the network where the packet was to go."""
    if packet.table == t.EXIT.number:
        outer = view.row(NETWORK, external(view, router.id) or "")
        return outer.mtu if outer is not None else network.mtu
    if packet.table != t.INBOUND.number:
        return network.mtu
    for id in view.members(OWNERS, (network.id, what.target)):
        holder = view.row(PORT, id)
        floating = view.row(FLOATING_IP, holder.device_id) if holder else None
        inner = attached(view, floating.port_id) if floating and floating.port_id else None
        if inner is not None:
            return inner[1].mtu
    sizes = view.row(SIZES, router.id)
    return sizes.smallest if sizes is not None else network.mtu


def _error(
    view: View, router: Router, network: Network, what: Heard, packet: PacketIn, reason: Reason
) -> Iterator[PacketOut]:
    """To the sender of a packet, by the router's own routes; outside, to the next hop towards it."""
    number = Set(f.ROUTER, router.number)
    if packet.table == t.INBOUND.number:
        gateway = view.row(PORT, router.gateway_port_id) if router.gateway_port_id else None
        own = _source(view, gateway, what.source) if gateway else None
        if gateway is not None and own is not None:
            frame = error(reason, gateway.mac_address, own, what.source, packet.data)
            yield PacketOut(frame, (number, Resubmit(t.UPLINK)))
        return
    came_by = network.id if packet.table != t.NEXTHOP.number else ""
    if (found := _towards(view, router, what.source, came_by)) is not None:
        port, own = found
        yield PacketOut(error(reason, port.mac_address, own, what.source, packet.data), (number, Resubmit(t.ROUTE)))


def _towards(view: View, router: Router, address: str, network: str) -> tuple[Port, str] | None:
    """The interface on whose subnet an address is, else that on a network, else any of the family; its own address."""
    found: tuple[Port, str] | None = None
    for port, on, subnets in interfaces(view, router.id):
        if (own := _source(view, port, address)) is not None:
            if on.id == network:
                found = port, own
            if any(holds(subnet.cidr, address) for subnet in subnets):
                return port, own
            found = found or (port, own)
    return found
