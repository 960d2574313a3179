"""Port forwardings: one port of a floating IP that leads to one port inside."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request

from controller.model import FixedIP, FloatingIP, Port, PortForwarding
from controller.northbound import router_ports, values
from controller.northbound.attributes import Attribute, Rule, attributes
from controller.northbound.collection import Collection
from controller.northbound.draft import Draft, new_id
from controller.northbound.faults import BadRequest, PortNotFound
from controller.northbound.floating_ips import router_for
from controller.northbound.index import Index
from controller.northbound.rest import Rest
from controller.northbound.router_faults import (
    FloatingIPNotFound,
    FloatingIPPortAlreadyAssociated,
    PortForwardingNotFound,
    PortHasBindingFloatingIP,
)
from controller.northbound.router_index import RouterIndex
from controller.northbound.values import Reason
from controller.northbound.writer import Writer

PARENT = "floatingip_id"
HIDDEN = ("name", "created_at", "updated_at", "revision_number", "tags", PARENT)
PROTOCOLS = ("tcp", "udp")


class PortForwardings(Collection[PortForwarding]):
    name = "port_forwarding"
    plural = "port_forwardings"
    kind = PortForwarding
    missing = PortForwardingNotFound

    def __init__(self, index: Index) -> None:
        super().__init__(index.routing.port_forwardings, port_forwarding_attributes())

    @property
    def path(self) -> str:
        return f"floatingips/{{{PARENT}}}/port_forwardings"

    def create(self, draft: Draft, given: dict[str, Any]) -> PortForwarding:
        floating_ip = _floating_ip(draft.index.routing, given.pop(PARENT))
        forwarding = PortForwarding(
            id=new_id(),
            floatingip_id=floating_ip.id,
            created_at=draft.now,
            updated_at=draft.now,
            **self.fields(given),
        )
        _lead(draft, floating_ip, forwarding)
        return draft.insert(forwarding)

    def update(self, draft: Draft, old: PortForwarding, given: dict[str, Any]) -> PortForwarding:
        new = msgspec.structs.replace(old, **self.fields(given))
        if msgspec.structs.replace(new, description=old.description) != old:
            _lead(draft, _floating_ip(draft.index.routing, old.floatingip_id), new)
        return self.changed(draft, old, self.fields(given))

    def delete(self, draft: Draft, old: PortForwarding) -> None:
        router_ports.drop_forwardings(draft, _floating_ip(draft.index.routing, old.floatingip_id), {old.id})


def port_forwarding_attributes() -> dict[str, Attribute]:
    rules = {
        "description": Rule(values.text(1024), sort=False),
        "project_id": Rule(values.short_text, visible=False, filter=False, sort=False),
        "protocol": Rule(_protocol),
        "external_port": Rule(_port, matches=values.integer),
        "internal_port": Rule(_port, filter=False, sort=False),
        "internal_port_id": Rule(values.identifier),
        "internal_ip_address": Rule(values.ip_address, filter=False, sort=False),
    }
    return attributes(PortForwarding, rules, without=HIDDEN)


def _protocol(value: Any) -> str:
    word = value.lower() if isinstance(value, str) else value
    return str(values.one_of(PROTOCOLS)(word))


def _port(value: Any) -> int:
    number = values.integer(value)
    if number < 1:
        raise Reason(f"'{number}' is too small - must be at least '1'")
    if number > 65535:
        raise Reason(f"'{number}' is too large - must be no larger than '65535'")
    return number


def _bad(message: str) -> BadRequest:
    return BadRequest(message, resource="port_forwarding")


def _floating_ip(routing: RouterIndex, id: str) -> FloatingIP:
    found = routing.floating_ips.get(id)
    if found is None:
        raise FloatingIPNotFound(id=id)
    return found


def _lead(draft: Draft, floating_ip: FloatingIP, forwarding: PortForwarding) -> None:
    """Check where the forwarding leads, and let the router of that subnet have the floating IP.

    The next revisions of the floating IP, the port and the router make whatever else is decided about them at the same
    time look again.
    """
    routing = draft.index.routing
    port = draft.index.ports.get(forwarding.internal_port_id)
    if port is None:
        raise PortNotFound(id=forwarding.internal_port_id)
    if floating_ip.port_id is not None:
        raise FloatingIPPortAlreadyAssociated(
            port_id=port.id,
            id=floating_ip.id,
            address=floating_ip.floating_ip_address,
            fixed_ip=forwarding.internal_ip_address,
            network_id=floating_ip.floating_network_id,
        )
    for id in routing.floating_ips_to.get(port.id, ()):
        other = routing.floating_ips[id]
        raise PortHasBindingFloatingIP(
            address=other.floating_ip_address, id=id, port_id=port.id, fixed_ip=forwarding.internal_ip_address
        )
    subnet = draft.index.subnets[_internal(port, forwarding.internal_ip_address).subnet_id]
    router_id = router_for(draft, subnet, floating_ip.floating_network_id)
    if router_id is None:
        raise _bad(
            f"External network {floating_ip.floating_network_id} is not reachable from subnet {subnet.id}. Cannot set "
            f"Port forwarding for port {port.id} with Floating IP {floating_ip.id}"
        )
    others = routing.forwardings_of.get(floating_ip.id, set()) - {forwarding.id}
    if others and floating_ip.router_id != router_id:
        raise _bad(
            f"The Floating IP {floating_ip.id} had been set on router {floating_ip.router_id}, the internal Neutron "
            f"port {port.id} can not reach it"
        )
    _check_duplicate(draft, floating_ip, forwarding)
    draft.change(port)
    draft.change(routing.routers[router_id])
    draft.change(floating_ip, router_id=router_id)


def _internal(port: Port, address: str) -> FixedIP:
    held = [each for each in port.fixed_ips if ":" not in each.ip_address]
    if not held:
        raise _bad(f"Requested internal port {port.id} must allocate an IPv4 address at least.")
    found = next((each for each in held if each.ip_address == address), None)
    if found is None:
        fixed_ips = [{"subnet_id": each.subnet_id, "ip_address": each.ip_address} for each in held]
        raise _bad(
            f"Requested internal IP address {address} is not suitable for internal neutron port {port.id}, as its "
            f"fixed_ips are {fixed_ips}"
        )
    return found


def _check_duplicate(draft: Draft, floating_ip: FloatingIP, forwarding: PortForwarding) -> None:
    """A port outside leads to one place, and a port inside is led to from one place."""
    routing = draft.index.routing
    outside = {"floatingip_id": floating_ip.id, "external_port": forwarding.external_port}
    inside = {
        "internal_port_id": forwarding.internal_port_id,
        "internal_ip_address": forwarding.internal_ip_address,
        "internal_port": forwarding.internal_port,
    }
    ids = routing.forwardings_of.get(floating_ip.id, set()) | routing.forwardings_to.get(
        forwarding.internal_port_id, set()
    )
    for other in [*(routing.port_forwardings[id] for id in ids), *draft.inserted(PortForwarding)]:
        if other.id == forwarding.id or other.protocol != forwarding.protocol:
            continue
        for same in (outside, inside):
            if all(getattr(other, name) == value for name, value in same.items()):
                raise _bad(
                    "A duplicate port forwarding entry with same attributes already exists, conflicting values are "
                    f"{same | {'protocol': forwarding.protocol}}"
                )


class PortForwardingRest(Rest[PortForwarding]):
    """The forwardings of one floating IP at a time."""

    def __init__(self, forwardings: PortForwardings, writer: Writer) -> None:
        super().__init__(forwardings, writer)
        self.routing = writer.index.routing

    def _rows(self, request: Request) -> Mapping[str, PortForwarding]:
        id = _floating_ip(self.routing, request.path_params[PARENT]).id
        return {each: self.routing.port_forwardings[each] for each in self.routing.forwardings_of.get(id, ())}

    def _parents(self, request: Request) -> dict[str, Any]:
        return {PARENT: request.path_params[PARENT]}
