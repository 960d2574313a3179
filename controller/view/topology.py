"""Routers in the view: their interfaces, the hosts that have them, and where external addresses are.

What follows from several rows of different keys is *derived*: a recorded function of the view gives the row, and is run
again when something that it read has changed.
"""

from collections.abc import Callable, Hashable, Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from controller.model import Port
from controller.model.router import GATEWAY, INTERFACE
from controller.view import network as n
from controller.view.source import Index, Rows, Source
from controller.view.view import View

GATEWAYS_MAX = 3
"""Gateway hosts of a router: the active one, and two that stand by."""


def _of_router(*owners: str) -> Callable[[str, Port], bool]:
    return lambda _, port: port.device_owner in owners and bool(port.device_id)


_is_interface, _is_either, _is_gateway = _of_router(INTERFACE), _of_router(INTERFACE, GATEWAY), _of_router(GATEWAY)

ROUTER_OF_PORT: Index[str, str] = Index(
    "router of port", n.PORT, lambda id, port: [(id, port.device_id)] if _is_either(id, port) else []
)
"""Port that is a router's interface or gateway -> the router."""
INTERFACES: Index[str, str] = Index(
    "interfaces", n.PORT, lambda id, port: [(port.device_id, id)] if _is_interface(id, port) else []
)
"""Router -> ports."""
INTERFACES_OF_SUBNET: Index[tuple[str, str], str] = Index(
    "interfaces of subnet",
    n.PORT,
    lambda id, port: (
        [((port.device_id, fixed.subnet_id), id) for fixed in port.fixed_ips] if _is_interface(id, port) else []
    ),
)
"""(router, subnet) -> ports."""
PORTS_OF_ROUTER: Index[str, str] = Index(
    "ports of router", n.PORT, lambda id, port: [(port.device_id, id)] if _is_either(id, port) else []
)
"""Router -> its interfaces and its gateway."""
NETWORKS_OF_ROUTER: Index[str, str] = Index(
    "networks of router",
    n.PORT,
    lambda id, port: [(port.device_id, port.network_id)] if _is_interface(id, port) else [],
)
ROUTERS_OF_NETWORK: Index[str, str] = Index(
    "routers of network",
    n.PORT,
    lambda id, port: [(port.network_id, port.device_id)] if _is_interface(id, port) else [],
)
EXTERNAL_OF_ROUTER: Index[str, str] = Index(
    "external network of router",
    n.PORT,
    lambda id, port: [(port.device_id, port.network_id)] if _is_gateway(id, port) else [],
)
HOSTS_OF_PHYSICAL: Index[str, str] = Index(
    "hosts of physical network", n.HOST, lambda host, peer: [(name, host) for name, _ in peer.uplinks]
)
ASKING_TO_BE_GATEWAY: Index[str, str] = Index(
    "gateways of physical network",
    n.HOST,
    lambda host, peer: [(name, host) for name, _ in peer.uplinks] if peer.gateway else [],
)


NETWORK_OF_KEY: Index[int, str] = Index("network of key", n.NETWORK, lambda id, row: [(row.vni, id)])
ROUTER_OF_NUMBER: Index[int, str] = Index("router of number", n.ROUTER, lambda id, row: [(row.number, id)])
PORTS_OF_MAC: Index[tuple[str, str], str] = Index(
    "ports of MAC", n.PORT, lambda id, port: [((port.network_id, port.mac_address), id)]
)
"""(network, MAC) -> ports."""
ROUTERS_OUTSIDE: Index[str, str] = Index(
    "routers outside",
    n.PORT,
    lambda id, port: [(port.network_id, port.device_id)] if _is_gateway(id, port) else [],
)
"""External network -> the routers that have a gateway on it."""


class Hosting(msgspec.Struct, frozen=True):
    """Where a floating IP is translated. ``central``: by the gateways of its router, else by the port's own host."""

    hosts: tuple[str, ...]
    central: bool


class Sizes(msgspec.Struct, frozen=True):
    """MTUs of the networks behind a router, bytes."""

    largest: int
    smallest: int


class Presence(msgspec.Struct, frozen=True):
    """What a host must have for its ports and gateways: every network that can be reached by routers from there."""

    networks: frozenset[str]
    routers: frozenset[str]


GATEWAYS: Rows[str, tuple[str, ...]] = Rows("gateways")
"""Router -> its gateway hosts, the preferred one first."""
HOSTING: Rows[str, Hosting] = Rows("hosting")
"""Floating IP -> where it is translated."""
SIZES: Rows[str, Sizes] = Rows("sizes")
"""Router -> MTUs."""
PRESENT: Rows[str, Presence] = Rows("presence")
"""Host -> what it must have."""
MESH: Rows[str, frozenset[str]] = Rows("mesh")
"""Host -> the hosts with which it has a BFD session: gateways that it hands packets to, and hosts that do so here."""

GATEWAYS_ON_HOST: Index[str, str] = Index(
    "gateways on host", GATEWAYS, lambda router, hosts: [(host, router) for host in hosts]
)
"""Host -> routers."""
FLOATING_IPS_ON_HOST: Index[str, str] = Index(
    "floating IPs on host", HOSTING, lambda id, hosting: [(host, id) for host in hosting.hosts]
)
HOSTS_OF_ROUTER: Index[str, str] = Index(
    "hosts of router", PRESENT, lambda host, present: [(router, host) for router in present.routers]
)
ROUTER_ON_HOST: Index[tuple[str, str], bool] = Index(
    "router on host", PRESENT, lambda host, present: [((host, router), True) for router in present.routers]
)
"""(host, router) -> it is there."""
HOSTS_WITH_NETWORK: Index[str, str] = Index(
    "hosts with network", PRESENT, lambda host, present: [(network, host) for network in present.networks]
)

INDEXES: tuple[Index[Any, Any], ...] = (
    ROUTER_OF_PORT,
    INTERFACES,
    INTERFACES_OF_SUBNET,
    PORTS_OF_ROUTER,
    NETWORKS_OF_ROUTER,
    ROUTERS_OF_NETWORK,
    EXTERNAL_OF_ROUTER,
    NETWORK_OF_KEY,
    ROUTER_OF_NUMBER,
    PORTS_OF_MAC,
    ROUTERS_OUTSIDE,
    HOSTS_OF_PHYSICAL,
    ASKING_TO_BE_GATEWAY,
    GATEWAYS_ON_HOST,
    FLOATING_IPS_ON_HOST,
    HOSTS_OF_ROUTER,
    ROUTER_ON_HOST,
    HOSTS_WITH_NETWORK,
)


def network_view() -> View:
    return View([n.LOCATION], [*n.INDEXES, *INDEXES])


def to_itself(floating_ip: str) -> str:
    """Key of the second conntrack zone of a floating IP, for what its port sends to itself."""
    return f"{floating_ip} to itself"


def external(view: View, router: str) -> str | None:
    """The external network of a router."""
    return next(iter(view.members(EXTERNAL_OF_ROUTER, router)), None)


def gateways(view: View, router: str, kept: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Those that it has, where they still can be, then others by rendezvous hashing: routers are spread over hosts, and
    one host more or less moves few of them."""
    network = view.row(n.NETWORK, network_id) if (network_id := external(view, router)) is not None else None
    if view.row(n.ROUTER, router) is None or network is None or network.segment is None:
        return None
    physical = network.segment.physical_network
    able = view.members(ASKING_TO_BE_GATEWAY, physical) or view.members(HOSTS_OF_PHYSICAL, physical)
    stay = [host for host in kept or () if host in able]
    others = sorted(able - stay, key=lambda host: blake2b(f"{router} {host}".encode(), digest_size=8).digest())
    return (*stay, *others)[:GATEWAYS_MAX]


def sizes(view: View, router: str, _: Sizes | None) -> Sizes | None:
    rows = (view.row(n.NETWORK, id) for id in view.members(NETWORKS_OF_ROUTER, router))
    mtus = [row.mtu for row in rows if row is not None]
    return Sizes(max(mtus), min(mtus)) if mtus else None


def hosting(view: View, id: str, _: Hosting | None) -> Hosting | None:
    floating = view.row(n.FLOATING_IP, id)
    if floating is None or floating.router_id is None:
        return None
    if floating.port_id is not None:
        where = view.row(n.LOCATION, floating.port_id)
        network, peer = view.row(n.NETWORK, floating.floating_network_id), where and view.row(n.HOST, where.host)
        if where is None or not network:
            return None
        if peer and peer.uplink(network) is not None:
            return Hosting((where.host,), central=False)
    elif not view.members(n.FORWARDINGS_OF_FLOATING_IP, id):
        return None
    return Hosting(view.row(GATEWAYS, floating.router_id) or (), central=True)


def presence(view: View, host: str, _: Presence | None) -> Presence | None:
    peer = view.row(n.HOST, host)
    if peer is None:
        return None
    networks: set[str] = set()
    routers: set[str] = set()
    # The networks of its ports, and of the routers that it is a gateway of; then all that routers lead to from there.
    due = [*view.members(n.NETWORKS_ON_HOST, host)]
    for router in view.members(GATEWAYS_ON_HOST, host):
        routers.add(router)
        due += view.members(NETWORKS_OF_ROUTER, router)
    while due:
        id = due.pop()
        if id in networks:
            continue
        networks.add(id)
        for router in view.members(ROUTERS_OF_NETWORK, id) - routers:
            routers.add(router)
            due += view.members(NETWORKS_OF_ROUTER, router)
    for router in routers:
        outer = external(view, router)
        network = view.row(n.NETWORK, outer) if outer is not None else None
        if network is not None and peer.uplink(network) is not None:
            networks.add(network.id)
    return Presence(frozenset(networks), frozenset(routers))


def mesh(view: View, host: str, _: frozenset[str] | None) -> frozenset[str] | None:
    present = view.row(PRESENT, host)
    if present is None:
        return None
    peers: set[str] = set()
    for router in present.routers:
        hosts = view.row(GATEWAYS, router) or ()
        peers.update(hosts)
        if host in hosts:
            peers |= view.members(HOSTS_OF_ROUTER, router)
    return frozenset(peers - {host})


Derivation = Callable[[View, Any, Any], Any]
"""(view, key, the row as it stands) -> the row; None: there is none."""
DERIVED: dict[Derivation, tuple[Source, Rows[Any, Any]]] = {
    gateways: (n.ROUTER, GATEWAYS),
    hosting: (n.FLOATING_IP, HOSTING),
    sizes: (n.ROUTER, SIZES),
    presence: (n.HOST, PRESENT),
    mesh: (n.HOST, MESH),
}
"""Function -> (whose keys it takes, which rows it makes)."""


def ranked(view: View, router: str, asking: str = "", *, inward: bool = False) -> Iterator[str]:
    """Its gateway hosts in the order in which ``asking`` asks them: those that have not come back yet come last.

    ``inward``: for what comes from outside, which another gateway goes on to take for a while.
    """
    hosts = view.row(GATEWAYS, router) or ()
    busy = [host for host in hosts if _waits(view.row(n.BUSY, host), host == asking, inward)]
    yield from (host for host in hosts if host not in busy)
    yield from busy


def _waits(stage: int | None, itself: bool, inward: bool) -> bool:
    """Does a gateway at this stage of its return come last?"""
    if stage is None or (itself and stage != n.EMPTY):
        return False
    return inward or stage != n.TAKING


def derive(view: View, changed: dict[Any, None]) -> dict[Any, None]:
    """Bring derived rows up to date with what has changed; gives that and what follows from it."""
    todo = list(changed)
    while todo:
        due: dict[tuple[Derivation, Hashable], None] = {}
        for source, key in todo:
            due |= {(function, key): None for function, (of, _) in DERIVED.items() if of is source}
            readers = view.readers((source, key))
            due |= {reader: None for reader in readers if reader[0] in DERIVED}  # type: ignore[index,misc]
        todo = []
        for function, key in due:
            source, rows = DERIVED[function]
            view.record((function, key))
            try:
                row = function(view, key, view.all(rows).get(key))
            finally:
                view.record(None)
                if not view.has(source, key):
                    view.forget((function, key))
            todo += view.put([(rows, key, row)])
        changed |= dict.fromkeys(todo)
    return changed
