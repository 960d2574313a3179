"""Static routes, the way out, and routes with several next hops."""

from collections import defaultdict
from collections.abc import Iterator

from apps.contract import Lack, Wanted, on_router
from apps.routing.hop import attached, holds, interface_towards, into, length, router_of, shrinks, to_prefix, towards
from apps.routing.interfaces import CONNECTED
from controller.model import Network, Router, Subnet
from controller.view.topology import GATEWAYS
from controller.view.view import View
from flows import fields as f
from flows import tables as t
from flows.actions import Action, DecTtl, Goto, Spread
from flows.flow import Flow
from flows.match import Match

STATIC = CONNECTED - 1
DEFAULTS = {4: "0.0.0.0/0", 6: "::/0"}


def routes(view: View, id: str) -> Iterator[Wanted]:
    router = router_of(view, id)
    if router is None:
        return
    here = on_router(id)
    gateway = attached(view, router.gateway_port_id) if router.gateway_port_id else None
    network, subnets = (gateway[1], gateway[2]) if gateway else (None, [])
    out: tuple[Action, ...] = ()
    if network is not None:
        if network.segment is None:
            yield Lack(f"its external network {network.id} is on no physical network (provider:physical_network)")
        elif not view.row(GATEWAYS, id):
            yield Lack(f"no host reaches the physical network {network.segment.physical_network} (bridge mappings)")
        # Looked at here, where the sender's address is still its own, for table `exit` to tell it.
        out = (*shrinks(view, router, network), DecTtl(), Goto(t.EXIT))
        for subnet in subnets:
            for flow in _out(router, network, subnet, out):
                yield here, flow
    several: dict[str, list[str]] = defaultdict(list)
    for route in router.routes:
        several[route.destination].append(route.nexthop)
    for prefix, nexthops in several.items():
        ways: list[tuple[Action, ...]] = []
        for nexthop in nexthops:
            if network is not None and any(holds(subnet.cidr, nexthop) for subnet in subnets):
                ways.append(out)
                if ways.count(out) == 1:
                    uplink = towards(network, nexthop, 6 if ":" in nexthop else 4)
                    yield here, Flow(t.UPLINK, STATIC + 2 * length(prefix), Match(to_prefix(router, prefix)), uplink)
            elif (through := interface_towards(view, id, nexthop)) is not None:
                ways.append(into(view, router, *through, nexthop, 6 if ":" in nexthop else 4))
            else:
                yield Lack(f"the next hop {nexthop} of the route to {prefix} is on no subnet of the router")
        for flow in _static(router, prefix, ways):
            yield here, flow


def _out(router: Router, network: Network, subnet: Subnet, out: tuple[Action, ...]) -> Iterator[Flow]:
    """To the external network, and by its gateway to all else."""
    connected = to_prefix(router, subnet.cidr)
    priority = CONNECTED + 2 * length(subnet.cidr)
    yield Flow(t.ROUTE, priority, Match(connected), out)
    yield Flow(t.UPLINK, priority, Match(connected), towards(network, None, subnet.ip_version))
    if subnet.gateway_ip is not None:
        default = Match(to_prefix(router, DEFAULTS[subnet.ip_version]))
        yield Flow(t.ROUTE, STATIC - 1, default, out)
        yield Flow(t.UPLINK, STATIC - 1, default, towards(network, subnet.gateway_ip, subnet.ip_version))


def _static(router: Router, prefix: str, ways: list[tuple[Action, ...]]) -> Iterator[Flow]:
    fields, priority = to_prefix(router, prefix), STATIC + 2 * length(prefix)
    if len(ways) == 1:
        yield Flow(t.ROUTE, priority, Match(fields), ways[0])
    elif ways:
        yield Flow(t.ROUTE, priority, Match(fields), (Spread(f.PATH, len(ways)), Goto(t.PATH)))
        for number, way in enumerate(ways):
            yield Flow(t.PATH, priority, Match({**fields, f.PATH: number}), way)
