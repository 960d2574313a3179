"""Port forwardings: one port of a floating IP leads to one port inside. Always on the gateway hosts of the router."""

from collections.abc import Iterator

from apps.contract import Wanted, on_host
from apps.nat.floating_ips import inside_of, outside
from apps.nat.gateways import key_of
from apps.routing.hop import from_prefix
from apps.routing.pipeline import IPV4
from controller.model.protocol import PROTOCOLS
from controller.view.network import FLOATING_IP, FORWARDING, ZONE
from controller.view.topology import HOSTING
from controller.view.view import View
from flows import fields as f
from flows import tables as t
from flows.actions import Ct, DecTtl, Goto, Nat, Resubmit, Set
from flows.flow import Flow
from flows.match import Match
from flows.value import Value

PORTS = {"tcp": (f.TCP_SRC, f.TCP_DST), "udp": (f.UDP_SRC, f.UDP_DST)}


def forwarding(view: View, id: str) -> Iterator[Wanted]:
    row = view.row(FORWARDING, id)
    floating = row and view.row(FLOATING_IP, row.floatingip_id)
    outer = outside(view, floating) if floating else None
    if row is None or not floating or outer is None:
        return
    router, network, holder = outer
    inside = inside_of(view, router, row.internal_port_id, row.internal_ip_address)
    hosting = view.row(HOSTING, floating.id)
    if inside is None or hosting is None:
        return
    from_port, to_port = PORTS[row.protocol]
    protocol = {f.IP_PROTO: PROTOCOLS[row.protocol]}
    address = floating.floating_ip_address
    for host in hosting.hosts:
        if (zone := view.row(ZONE, (host, floating.id))) is None:
            continue
        wanted: dict[f.Field, Value] = {f.IPV4_DST: address, to_port: row.external_port}
        arrives = {**key_of(network), f.ETH_TYPE: IPV4, **protocol, **wanted}
        into = (
            Ct(zone, commit=True, nat=Nat("dst", inside.address, row.internal_port)),
            Set(f.IPV4_DST, inside.address),
            Set(to_port, row.internal_port),
        )
        yield on_host(host), Flow(t.INBOUND, 30, Match(arrives), (*into, DecTtl(), *inside.actions, Resubmit(t.L2)))
        leaves = {**from_prefix(router, inside.address), **protocol, from_port: row.internal_port}
        translate = (
            # The port too, for connections that begin at it inside: else answers to them would be taken for new ones.
            Ct(zone, commit=True, nat=Nat("src", address, row.external_port)),
            Set(f.IPV4_SRC, address),
            Set(from_port, row.external_port),
            Set(f.ETH_SRC, holder.mac_address),
        )
        yield on_host(host), Flow(t.NAT, 25, Match(leaves), (*translate, Goto(t.UPLINK)))
