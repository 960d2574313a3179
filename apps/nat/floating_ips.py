"""Floating IPs: one external address for one inside, both ways, in a conntrack zone of its own.

Translating through conntrack takes ICMP errors along. It happens on the host of the port where that reaches the
external network, else on the gateway host of the router.
"""

from collections.abc import Iterator

from apps.contract import Lack, Wanted, on_host, on_network
from apps.nat.gateways import asked_for, key_of
from apps.routing.hop import from_prefix, interface_of_subnet, larger_than, router_of, to_prefix
from apps.routing.pipeline import CLEAN, IPV4
from controller.model import FloatingIP, Network, Port, Router
from controller.view.network import FLOATING_IP, NETWORK, PORT, ZONE
from controller.view.topology import HOSTING, to_itself
from controller.view.view import View
from flows import fields as f
from flows import tables as t
from flows.actions import Action, Ct, DecTtl, Goto, Nat, Resubmit, Set
from flows.flow import Flow
from flows.match import Match
from flows.table import Table


def floating_ip(view: View, id: str) -> Iterator[Wanted]:
    floating = view.row(FLOATING_IP, id)
    hosting = view.row(HOSTING, id)
    outer = outside(view, floating) if floating else None
    if floating is None or hosting is None or outer is None or floating.router_id is None:
        return
    router, network, holder = outer
    if hosting.central and not hosting.hosts:
        yield Lack(f"the router {router.id} has no gateway host: see its fault")
        return
    address, mac = floating.floating_ip_address, holder.mac_address
    known = Match({**key_of(network), f.ADDRESS: address})
    yield on_network(network.id), Flow(t.NEIGHBOUR, 20, known, (Set(f.MAC, mac),))
    gateway = view.row(PORT, router.gateway_port_id) if router.gateway_port_id else None
    inside = _inside(view, floating, router)
    for host in hosting.hosts:
        here, zone = on_host(host), view.row(ZONE, (host, id))
        if hosting.central and gateway is not None:
            # The router's gateway MAC knows whether it is active here.
            yield here, asked_for(network, address, gateway.mac_address)
            yield here, Flow(t.L2, 20, _mac(network, mac), (Set(f.ETH_DST, gateway.mac_address), Resubmit(t.L2)))
        elif not hosting.central and inside is not None:
            yield here, asked_for(network, address, mac)
            check = (larger_than(inside.network.mtu),) if inside.network.mtu < network.mtu else ()
            number = Set(f.ROUTER, router.number)
            yield here, Flow(t.L2, 20, _mac(network, mac), (number, *check, Set(f.OUTPUT, t.OURSELVES), Goto(t.ACTIVE)))
        if zone is None:
            continue
        arrives = Match({**key_of(network), f.ETH_TYPE: IPV4, f.IPV4_DST: address})
        if inside is None:
            # What forwardings do not take may be an error about what they have taken.
            other = Match({**key_of(network), **to_prefix(router, address)})
            yield here, Flow(t.INBOUND, 10, other, (Ct(zone, t.RETURNED, nat=Nat()),))
            continue
        # Conntrack sees to what ICMP errors quote. The addresses are set besides: one stands for one, so that also goes
        # on what conntrack does not know, as after the gateway has changed, and no inside address ever leaves.
        into = (Ct(zone, commit=True, nat=Nat("dst", inside.address)), Set(f.IPV4_DST, inside.address))
        yield here, Flow(t.INBOUND, 20, arrives, (*into, DecTtl(), *inside.actions, Resubmit(t.L2)))
        out: Table = t.NAT if hosting.central else t.EXIT
        leaves = from_prefix(router, inside.address)
        translate = (Ct(zone, commit=True, nat=Nat("src", address)), Set(f.IPV4_SRC, address), Set(f.ETH_SRC, mac))
        yield here, Flow(out, 20, Match(leaves), (*translate, Goto(t.UPLINK)))
        # To itself by its own floating IP: both addresses change. Conntrack translates once in a zone, so there are
        # two; what comes back is undone in reverse.
        if (second := view.row(ZONE, (host, to_itself(id)))) is not None:
            both = (
                Ct(second, nat=Nat()),
                Ct(zone, commit=True, nat=Nat("src", address)),
                Ct(second, commit=True, nat=Nat("dst", inside.address)),
                Set(f.IPV4_SRC, address),
                Set(f.IPV4_DST, inside.address),
                Set(f.IN_PORT, 0),
            )
            match = Match({**leaves, f.IPV4_DST: address})
            yield here, Flow(out, 30, match, (*both, *inside.actions, Resubmit(t.L2)))


class Inside:
    """Where a packet for an address inside goes: into which network, from and to which MAC."""

    def __init__(self, address: str, network: Network, from_mac: str, to_mac: str) -> None:
        self.address, self.network = address, network
        self.actions: tuple[Action, ...] = (
            CLEAN, Set(f.NETWORK_KEY, network.vni), Set(f.ETH_SRC, from_mac), Set(f.ETH_DST, to_mac),
        )  # fmt: skip


def inside_of(view: View, router: Router, port_id: str, address: str) -> Inside | None:
    port = view.row(PORT, port_id)
    fixed = next((each for each in port.fixed_ips if each.ip_address == address), None) if port else None
    if port is None or fixed is None:
        return None
    found = interface_of_subnet(view, router.id, fixed.subnet_id)
    return Inside(address, found[1], found[0].mac_address, port.mac_address) if found else None


def _inside(view: View, floating: FloatingIP, router: Router) -> Inside | None:
    if floating.port_id is None or floating.fixed_ip_address is None:
        return None
    return inside_of(view, router, floating.port_id, floating.fixed_ip_address)


def outside(view: View, floating: FloatingIP) -> tuple[Router, Network, Port] | None:
    """Its router, the external network, and the port that holds the address."""
    router = router_of(view, floating.router_id) if floating.router_id else None
    network, holder = view.row(NETWORK, floating.floating_network_id), view.row(PORT, floating.holder_id)
    return (router, network, holder) if router and network and holder else None


def _mac(network: Network, mac: str) -> Match:
    return Match({**key_of(network), f.ETH_DST: mac})
