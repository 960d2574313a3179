"""The way out of a router: which host is its gateway now, and what that host does.

Whether a gateway host lives is known in the data path alone: one action takes the first live of the BFD ports to those
that rank higher, and this host itself where it is one of them.
"""

from collections.abc import Iterator

from apps.contract import Wanted, on_host
from apps.routing.hop import (
    attached,
    from_prefix,
    interfaces,
    larger_than,
    router_of,
    to_prefix,
)
from apps.routing.pipeline import ARP, ICMPV6, IPV4, IPV6, REQUEST, SOLICITATION
from controller.model import Network, Port, Router, Subnet
from controller.view.network import AWAY, MET, PEER, SUBNET, SUBNET_POOL, SUBNETS_OF_NETWORK, ZONE
from controller.view.topology import GATEWAYS, ROUTER_ON_HOST, SIZES, ranked
from controller.view.view import View
from flows import fields as f
from flows import tables as t
from flows.actions import Action, Ct, FirstLive, Goto, Nat, Resubmit, Set
from flows.flow import Flow
from flows.match import Match
from flows.value import Value

SYN = 0x002
"""RFC 9293: the flag of a connection's first packet."""


def gateway(view: View, key: tuple[str, str]) -> Iterator[Wanted]:
    """One router on one host."""
    host, id = key
    router = router_of(view, id)
    found = attached(view, router.gateway_port_id) if router and router.gateway_port_id else None
    if router is None or found is None or not view.members(ROUTER_ON_HOST, key):
        return
    port, network, _ = found
    hosts, choose, inward = view.row(GATEWAYS, id) or (), _choose(view, host, id), _choose(view, host, id, inward=True)
    if choose is None or inward is None:
        return
    here = on_host(host)
    steer = (Set(f.ETH_DST, port.mac_address), choose, Goto(t.GATEWAY))
    yield here, Flow(t.EXIT, 10, Match({f.ROUTER: router.number}), steer)
    if host not in hosts:
        return
    for flow in (
        *_to_the_router(view, router, port, network, choose, inward),
        *_without_translation(view, router, network, port),
    ):
        yield here, flow
    zone = view.row(ZONE, key)
    for fixed in port.fixed_ips:
        yield here, _echo(router, network, fixed.ip_address)
    address = next((fixed.ip_address for fixed in port.fixed_ips if ":" not in fixed.ip_address), None)
    if zone is not None and address is not None and router.enable_snat:
        for flow in _source_translation(router, port, network, address, zone):
            yield here, flow


def _choose(view: View, host: str, router: str, *, inward: bool = False) -> Action | None:
    """Load into OUTPUT where the router's gateway is. None: there is none, or no way there yet."""
    choices: list[int] = []
    for other in ranked(view, router, host, inward=inward):
        if other == host:
            # Whoever ranks lower is not asked.
            choices.append(t.OURSELVES)
            break
        port = view.row(PEER, (host, other))
        if port is None:
            continue
        if not choices and not view.row(MET, (host, other)) and not view.row(AWAY, other):
            # BFD takes seconds to find its peer. Until it has, the host that is served is taken to live, or all that
            # rank lower would think that it is their turn.
            return Set(f.OUTPUT, port)
        choices.append(port)
    return FirstLive(f.OUTPUT, tuple(choices)) if choices else None


def _to_the_router(
    view: View, router: Router, port: Port, network: Network, choose: Action, inward: Action
) -> Iterator[Flow]:
    """Handed over by another host; or from outside, to its MAC or asking for it."""
    handed = (Set(f.ROUTER, router.number), choose, Goto(t.GATEWAY))
    yield Flow(t.STEERED, 20, Match({f.ETH_DST: port.mac_address}), handed)
    sizes = view.row(SIZES, router.id)
    check = (larger_than(sizes.smallest),) if sizes is not None and sizes.smallest < network.mtu else ()
    arrived = (Set(f.ROUTER, router.number), *check, inward, Goto(t.ACTIVE))
    yield Flow(t.L2, 20, Match({f.NETWORK_KEY: network.vni, f.ETH_DST: port.mac_address}), arrived)
    for fixed in port.fixed_ips:
        yield asked_for(network, fixed.ip_address, port.mac_address)


def asked_for(network: Network, address: str, mac: str) -> Flow:
    """Who asks from outside for an address is led to the MAC that answers."""
    lead: tuple[Action, ...] = (Set(f.ETH_DST, mac), Goto(t.L2))
    if ":" in address:
        return Flow(
            t.OUTSIDE, 20, Match({**key_of(network), **ICMPV6, f.ICMPV6_TYPE: SOLICITATION, f.ND_TARGET: address}), lead
        )
    asked = Match({**key_of(network), f.ETH_TYPE: ARP, f.ARP_OP: REQUEST, f.ARP_TPA: address})
    return Flow(t.OUTSIDE, 20, asked, (Resubmit(t.WATCH), *lead))


def key_of(network: Network) -> dict[f.Field, Value]:
    return {f.NETWORK_KEY: network.vni}


def _source_translation(router: Router, port: Port, network: Network, address: str, zone: int) -> Iterator[Flow]:
    """All that have no address of their own outside share one."""
    out = {f.ROUTER: router.number, f.ETH_TYPE: IPV4}
    mac = Set(f.ETH_SRC, port.mac_address)
    nat = Nat("src", address)
    # Looked at again, lest it go out untranslated when all ports are taken.
    first = Match({**out, f.IP_PROTO: 6, f.TCP_FLAGS: (SYN, SYN)})
    yield Flow(t.NAT, 11, first, (mac, Ct(zone, t.NATTED, commit=True, nat=nat)))
    # What conntrack leaves alone (an error about no connection that it knows) must not tell an inside address either.
    other = (Ct(zone, commit=True, nat=nat), Set(f.IPV4_SRC, address))
    yield Flow(t.NAT, 10, Match(out), (mac, *other, Goto(t.UPLINK)))
    yield Flow(t.NATTED, 20, Match(from_prefix(router, address)), (Goto(t.UPLINK),))
    # As the table's default does, but counted for this router.
    yield Flow(t.NATTED, 10, Match({f.ROUTER: router.number}), ())
    # Were it translated to the address that it is for, it would come back for ever.
    yield Flow(t.NAT, 15, Match(to_prefix(router, address)), ())
    back = Match({**key_of(network), **to_prefix(router, address)})
    yield Flow(t.INBOUND, 20, back, (Ct(zone, t.RETURNED, nat=Nat()),))


def _echo(router: Router, network: Network, address: str) -> Flow:
    """What asks whether the router is there is no connection's, and answered where all echoes to it are."""
    if ":" in address:
        asked: dict[f.Field, Value] = {**ICMPV6, f.ICMPV6_TYPE: 128}
    else:
        asked = {f.IP_PROTO: 1, f.ICMPV4_TYPE: 8}
    asked = {**key_of(network), **to_prefix(router, address), **asked}
    # The answer may be for a connection of another router that has its gateway here: what conntrack has found out about
    # the question must not be taken for the answer's.
    return Flow(t.INBOUND, 30, Match(asked), (Ct(0), Resubmit(t.ROUTE)))


def _without_translation(view: View, router: Router, network: Network, port: Port) -> Iterator[Flow]:
    """IPv6; and IPv4 where the router shall not translate, or both ends are of one address scope."""
    mac = Set(f.ETH_SRC, port.mac_address)
    yield Flow(t.NAT, 10, Match({f.ROUTER: router.number, f.ETH_TYPE: IPV6}), (mac, Goto(t.UPLINK)))
    outer = {scope_of(view, subnet) for subnet in _subnets(view, network.id)} - {None}
    for _, _, subnets in interfaces(view, router.id):
        for subnet in subnets:
            if subnet.ip_version == 6 or not router.enable_snat or scope_of(view, subnet) in outer:
                inside = Match({**key_of(network), **to_prefix(router, subnet.cidr)})
                yield Flow(t.INBOUND, 10, inside, (Resubmit(t.ROUTE),))
                if subnet.ip_version == 4:
                    yield Flow(t.NAT, 12, Match(from_prefix(router, subnet.cidr)), (mac, Goto(t.UPLINK)))


def _subnets(view: View, network: str) -> Iterator[Subnet]:
    for id in sorted(view.members(SUBNETS_OF_NETWORK, network)):
        if (subnet := view.row(SUBNET, id)) is not None:
            yield subnet


def scope_of(view: View, subnet: Subnet) -> str | None:
    pool = view.row(SUBNET_POOL, subnet.subnetpool_id) if subnet.subnetpool_id else None
    return pool.address_scope_id if pool else None
