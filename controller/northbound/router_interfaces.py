"""A router's interfaces: its ports on the networks that it joins."""

import ipaddress
from typing import Any, TypedDict

from controller.model import Port, Router, Subnet
from controller.model.router import INTERFACE
from controller.northbound import addressing, values
from controller.northbound.draft import Draft
from controller.northbound.faults import BadRequest, PortInUse, PortNotFound, SubnetNotFound
from controller.northbound.ports import Ports
from controller.northbound.router_faults import (
    RouterInterfaceInUseByFloatingIP,
    RouterInterfaceInUseByRoute,
    RouterInterfaceNotFound,
    RouterInterfaceNotFoundForSubnet,
    SubnetMismatchForPort,
)
from controller.northbound.router_subnets import check_subnets


class Interface(TypedDict):
    """What is answered of an interface that has come or gone."""

    id: str
    """The router's."""
    tenant_id: str
    port_id: str
    network_id: str
    subnet_id: str
    subnet_ids: list[str]


def add(draft: Draft, ports: Ports, router: Router, given: Any) -> Interface:
    """The router with an interface on a subnet, or with a port as one more. Its next revision makes two that overlap,
    added at once anywhere, exclude each other."""
    port_id, subnet_id = _asked(given)
    if port_id is not None and subnet_id is not None:
        raise _bad("Cannot specify both subnet-id and port-id")
    if port_id is not None:
        port = _attached(draft, router, port_id)
        subnets = [draft.index.subnets[each.subnet_id] for each in port.fixed_ips]
    else:
        subnets = [_subnet(draft, subnet_id or "")]
        port = _on_subnet(draft, ports, router, subnets[0])
    draft.change(router, interfaces=tuple(sorted({*router.interfaces, port.id})))
    return _answer(router, port, subnets[-1], subnets)


def remove(draft: Draft, ports: Ports, router: Router, given: Any) -> Interface:
    port_id, subnet_id = _asked(given)
    subnets = draft.index.subnets
    if port_id is not None:
        port = next((each for each in draft.index.routing.interfaces(router) if each.id == port_id), None)
        if port is None:
            raise RouterInterfaceNotFound(id=router.id, port_id=port_id)
        if subnet_id is not None and all(each.subnet_id != subnet_id for each in port.fixed_ips):
            raise SubnetMismatchForPort(id=port_id, subnet_id=subnet_id)
        gone = [subnets[each.subnet_id] for each in port.fixed_ips]
    else:
        gone = [_subnet(draft, subnet_id or "")]
        port = next(
            (
                each
                for each in draft.index.routing.interfaces(router)
                if any(fixed.subnet_id == subnet_id for fixed in each.fixed_ips)
            ),
            None,
        )
        if port is None:
            raise RouterInterfaceNotFoundForSubnet(id=router.id, subnet_id=subnet_id)
    for subnet in gone:
        _check_unused(draft, router, subnet)
    left = tuple(each for each in port.fixed_ips if subnets[each.subnet_id] not in gone)
    if left:
        draft.change(port, fixed_ips=left)
        draft.change(router)
    else:
        ports.drop(draft, port)
        draft.change(router, interfaces=tuple(each for each in router.interfaces if each != port.id))
    return _answer(router, port, gone[0], gone)


def _asked(given: Any) -> tuple[str | None, str | None]:
    """Port id and subnet id, of which at least one was given."""
    if not isinstance(given, dict) or not ("port_id" in given or "subnet_id" in given):
        raise _bad("Either subnet_id or port_id must be specified")
    try:
        port_id, subnet_id = (
            values.identifier(given[name]) if name in given else None for name in ("port_id", "subnet_id")
        )
    except values.Reason as reason:
        raise _bad(str(reason)) from None
    return port_id, subnet_id


def _bad(message: str) -> BadRequest:
    return BadRequest(message, resource="router")


def _subnet(draft: Draft, id: str) -> Subnet:
    found = draft.index.subnets.get(id)
    if found is None:
        raise SubnetNotFound(id=id)
    return found


def _on_subnet(draft: Draft, ports: Ports, router: Router, subnet: Subnet) -> Port:
    """A port with the subnet's gateway address: a new one, or for IPv6 the router's on the same network."""
    if subnet.gateway_ip is None:
        raise _bad("Subnet for router interface must have a gateway IP")
    if subnet.ip_version == 6 and subnet.ipv6_ra_mode is None and subnet.ipv6_address_mode is not None:
        raise _bad(
            f"IPv6 subnet {subnet.id} configured to receive RAs from an external router cannot be added to Neutron "
            "Router."
        )
    check_subnets(draft, router, [subnet], gateway=True)
    joined = _with_ipv6(draft, router, subnet.network_id) if subnet.ip_version == 6 else None
    if joined is not None:
        address = draft.address(subnet, subnet.gateway_ip)
        return draft.change(joined, fixed_ips=addressing.ordered([*joined.fixed_ips, address]))
    return ports.create(
        draft,
        {
            "network_id": subnet.network_id,
            "fixed_ips": [(subnet.id, subnet.gateway_ip)],
            "device_id": router.id,
            "device_owner": INTERFACE,
            "project_id": router.project_id,
        },
    )


def _attached(draft: Draft, router: Router, port_id: str) -> Port:
    """The port, as the router's."""
    port = draft.index.ports.get(port_id)
    if port is None:
        raise PortNotFound(id=port_id)
    if port.device_id:
        raise PortInUse(id=port.id, network_id=port.network_id, device_id=port.device_id)
    if not port.fixed_ips:
        raise _bad("Router port must have at least one fixed IP")
    subnets = [draft.index.subnets[each.subnet_id] for each in port.fixed_ips]
    existing = _with_ipv6(draft, router, port.network_id) if any(each.ip_version == 6 for each in subnets) else None
    if existing is not None:
        raise _bad(
            "Cannot have multiple router ports with the same network id if both contain IPv6 subnets. Existing port "
            f"{existing.id} has IPv6 subnet(s) and network id {existing.network_id}"
        )
    check_subnets(draft, router, subnets, gateway=True)
    if sum(each.ip_version == 4 for each in subnets) > 1:
        raise _bad("Cannot have multiple IPv4 subnets on router port")
    return draft.change(
        port,
        device_id=router.id,
        device_owner=INTERFACE,
        port_security_enabled=False,
        security_groups=(),
        allowed_address_pairs=(),
    )


def _with_ipv6(draft: Draft, router: Router, network_id: str) -> Port | None:
    """The router's interface on the network that has IPv6 addresses."""
    for port in draft.index.routing.interfaces(router):
        if port.network_id == network_id and any(":" in each.ip_address for each in port.fixed_ips):
            return port
    return None


def _check_unused(draft: Draft, router: Router, subnet: Subnet) -> None:
    routing, prefix = draft.index.routing, ipaddress.ip_network(subnet.cidr)
    needed: set[str | None] = set()
    for id in routing.floating_ips_by.get(router.id, ()):
        needed.add(routing.floating_ips[id].fixed_ip_address)
        needed.update(routing.port_forwardings[each].internal_ip_address for each in routing.forwardings_of.get(id, ()))
    if any(address is not None and ipaddress.ip_address(address) in prefix for address in needed):
        raise RouterInterfaceInUseByFloatingIP(id=router.id, subnet_id=subnet.id)
    if any(ipaddress.ip_address(route.nexthop) in prefix for route in router.routes):
        raise RouterInterfaceInUseByRoute(id=router.id, subnet_id=subnet.id)


def _answer(router: Router, port: Port, subnet: Subnet, subnets: list[Subnet]) -> Interface:
    return {
        "id": router.id,
        "tenant_id": port.project_id,
        "port_id": port.id,
        "network_id": port.network_id,
        "subnet_id": subnet.id,
        "subnet_ids": [each.id for each in subnets],
    }
