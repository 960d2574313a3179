"""Which subnets a router is on, and which may join them."""

import ipaddress
from collections.abc import Iterable

from controller.model import Port, Router, Subnet
from controller.northbound.draft import Draft
from controller.northbound.faults import BadRequest


def check_subnets(draft: Draft, router: Router, new: Iterable[Subnet], *, gateway: bool) -> None:
    """None of the `new` subnets is the router's already, or overlaps with one; `gateway`: nor with its gateway's."""
    new = list(new)
    routing, subnets = draft.index.routing, draft.index.subnets
    external = routing.gateway(router)
    interfaces = routing.interfaces(router)
    held = {each.subnet_id for port in interfaces for each in port.fixed_ips}
    if gateway and external is not None:
        held |= {each.subnet_id for each in external.fixed_ips}
    for subnet in new:
        if subnet.id in held:
            raise BadRequest(f"Router already has a port on subnet {subnet.id}", resource="router")
    for other in sorted(held):
        theirs = ipaddress.ip_network(subnets[other].cidr)
        for subnet in new:
            prefix = ipaddress.ip_network(subnet.cidr)
            if prefix.version == theirs.version and prefix.overlaps(theirs):
                raise BadRequest(
                    f"Cidr {subnet.cidr} of subnet {subnet.id} overlaps with cidr {subnets[other].cidr} of subnet "
                    f"{other}",
                    resource="router",
                )


def addresses(ports: Iterable[Port]) -> set[str]:
    return {each.ip_address for port in ports for each in port.fixed_ips}


def prefixes(draft: Draft, ports: Iterable[Port]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Of the subnets on which these ports have addresses."""
    ids = dict.fromkeys(each.subnet_id for port in ports for each in port.fixed_ips)
    return [ipaddress.ip_network(draft.index.subnets[id].cidr) for id in ids]
