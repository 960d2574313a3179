"""A router's ports: their MAC leads to the router, their addresses answer, their subnets are routed to."""

from collections.abc import Iterator

from apps.contract import Wanted, on_network, on_router
from apps.guard import link_local
from apps.routing.hop import attached, into, length, router_of, to_prefix
from apps.routing.pipeline import CLEAN
from controller.model import Port, Router
from controller.model.router import INTERFACE
from controller.view.view import View
from flows import fields as f
from flows import tables as t
from flows.actions import Action, Move, Resubmit, Set
from flows.flow import Flow
from flows.match import Match

ECHO, OWN, CONNECTED = 410, 400, 101
"""Priorities in table `route`: above every prefix; a connected prefix (twice its length more) above a static one."""


def attachment(view: View, port_id: str) -> Iterator[Wanted]:
    """One interface, or the gateway."""
    found = attached(view, port_id)
    router = found and router_of(view, found[0].device_id)
    if found is None or not router:
        return
    port, network, subnets = found
    inner = port.device_owner == INTERFACE
    here = on_router(router.id)
    if inner and network.admin_state_up:
        # From other hosts nobody sends to a router: it is here.
        to_it = Match({f.NETWORK_KEY: network.vni, f.ETH_DST: port.mac_address, f.FLAGS: (0, t.FROM_TUNNEL)})
        yield here, Flow(t.L2, 20, to_it, (Set(f.ROUTER, router.number), Resubmit(t.ROUTER)))
        for subnet in subnets:
            match = Match(to_prefix(router, subnet.cidr))
            priority = CONNECTED + 2 * length(subnet.cidr)
            yield here, Flow(t.ROUTE, priority, match, into(view, router, port, network, None, subnet.ip_version))
    for address in addresses(port):
        known = Match({f.NETWORK_KEY: network.vni, f.ADDRESS: address})
        yield on_network(network.id), Flow(t.NEIGHBOUR, 20, known, (Set(f.MAC, port.mac_address),))
    for fixed in port.fixed_ips:
        yield here, _echo(router, fixed.ip_address)
        if inner:
            yield here, Flow(t.ROUTE, OWN, Match(to_prefix(router, fixed.ip_address)), ())


def addresses(port: Port) -> list[str]:
    """Those that others on the network look up. IPv6: its link-local one too, which hosts know routers by."""
    fixed = [each.ip_address for each in port.fixed_ips]
    return [*fixed, link_local(port.mac_address)] if any(":" in address for address in fixed) else fixed


def _echo(router: Router, address: str) -> Flow:
    """RFC 1812 section 4.3.3.6, as a packet that comes back through the network where it came from: the sender's rules
    see a reply."""
    fields = to_prefix(router, address)
    swap: tuple[Action, ...] = (Move(f.ETH_DST, f.MAC, 48), Move(f.ETH_SRC, f.ETH_DST, 48), Move(f.MAC, f.ETH_SRC, 48))
    back = (Set(f.IP_TTL, 64), Set(f.IN_PORT, 0), CLEAN, Resubmit(t.L2))
    if ":" in address:
        match = Match({**fields, f.IP_PROTO: 58, f.ICMPV6_TYPE: 128})
        turned = (Move(f.IPV6_SRC, f.IPV6_DST, 128), Set(f.IPV6_SRC, address), Set(f.ICMPV6_TYPE, 129))
    else:
        match = Match({**fields, f.IP_PROTO: 1, f.ICMPV4_TYPE: 8})
        turned = (Move(f.IPV4_SRC, f.IPV4_DST, 32), Set(f.IPV4_SRC, address), Set(f.ICMPV4_TYPE, 0))
    return Flow(t.ROUTE, ECHO, match, (*swap, *turned, *back))
