"""Floating IPs: external addresses that stand for ports' own, and what may be asked of them."""

import ipaddress
from typing import Any, TypedDict

import msgspec

from controller.model import FixedIP, FloatingIP, Port, Subnet
from controller.model.router import FLOATING_IP
from controller.northbound import values
from controller.northbound.attributes import Attribute, Rule, attributes
from controller.northbound.collection import Collection
from controller.northbound.draft import Draft, new_id
from controller.northbound.faults import BadRequest, PortNotFound
from controller.northbound.index import Index
from controller.northbound.ports import Ports
from controller.northbound.router_faults import (
    ExternalGatewayForFloatingIPNotFound,
    ExternalIpAddressExhausted,
    FipInUseByPortForwarding,
    FloatingIPNotFound,
    FloatingIPPortAlreadyAssociated,
    PortHasPortForwarding,
)

ADDRESS, SUBNET, PORT, FIXED = "floating_ip_address", "subnet_id", "port_id", "fixed_ip_address"
DHCP = "network:dhcp"


class PortDetails(TypedDict):
    name: str
    network_id: str
    mac_address: str
    admin_state_up: bool
    status: str
    device_id: str
    device_owner: str


class ForwardingShown(TypedDict):
    id: str
    protocol: str
    external_port: int
    internal_ip_address: str
    internal_port: int
    internal_port_id: str


class FloatingIPs(Collection[FloatingIP]):
    name = "floatingip"
    plural = "floatingips"
    kind = FloatingIP
    missing = FloatingIPNotFound

    def __init__(self, index: Index, ports: Ports) -> None:
        super().__init__(index.routing.floating_ips, floating_ip_attributes(index))
        self.ports = ports

    def create(self, draft: Draft, given: dict[str, Any]) -> FloatingIP:
        id = new_id()
        holder = self._holder(draft, id, given.pop(ADDRESS, None), given)
        port_id, fixed = given.pop(PORT, None), given.pop(FIXED, None)
        floating_ip = FloatingIP(
            id=id,
            holder_id=holder.id,
            floating_ip_address=holder.fixed_ips[0].ip_address,
            created_at=draft.now,
            updated_at=draft.now,
            **self.fields(given),
        )
        _check_pair(port_id, fixed)
        if port_id is not None:
            floating_ip = msgspec.structs.replace(floating_ip, **_association(draft, floating_ip, port_id, fixed))
        return draft.insert(floating_ip)

    def update(self, draft: Draft, old: FloatingIP, given: dict[str, Any]) -> FloatingIP:
        port_id, fixed = given.pop(PORT, ""), given.pop(FIXED, None)
        fields = self.fields(given)
        _check_pair(port_id, fixed)
        if port_id:
            if draft.index.routing.forwardings_of.get(old.id):
                raise FipInUseByPortForwarding(id=old.id)
            fields |= _association(draft, old, port_id, fixed)
        elif port_id is None and old.port_id is not None:
            fields |= {PORT: None, FIXED: None, "router_id": None}
        return self.changed(draft, old, fields)

    def delete(self, draft: Draft, old: FloatingIP) -> None:
        if draft.index.routing.forwardings_of.get(old.id):
            raise FipInUseByPortForwarding(id=old.id)
        draft.delete(old)
        self.ports.drop(draft, draft.index.ports[old.holder_id])

    def _holder(self, draft: Draft, id: str, address: str | None, given: dict[str, Any]) -> Port:
        """A port on the external network with the address wanted, or one of the subnet wanted, or any."""
        network_id, subnet_id = given["floating_network_id"], given.pop(SUBNET, None)
        network = draft.index.networks.get(network_id)
        if network is None or not network.external:
            raise _bad(f"Network {network_id} is not a valid external network")
        subnets = [each for each in draft.subnets_of(network_id) if each.ip_version == 4]
        if not subnets:
            raise _bad(f"Network {network_id} does not contain any IPv4 subnet")
        wanted = [] if address is None and subnet_id is None else [(subnet_id, address)]
        port = self.ports.create(
            draft,
            {
                "network_id": network_id,
                "fixed_ips": wanted,
                "device_id": id,
                "device_owner": FLOATING_IP,
                "project_id": "",
            },
        )
        if not wanted:
            held: tuple[FixedIP, ...] = (draft.any_address(network_id, subnets),)
            port = draft.insert(msgspec.structs.replace(port, fixed_ips=held))
        if not port.fixed_ips or ":" in port.fixed_ips[0].ip_address:
            raise ExternalIpAddressExhausted(network_id=network_id)
        return port


def floating_ip_attributes(index: Index) -> dict[str, Attribute]:
    routing = index.routing

    def details(floating_ip: FloatingIP) -> PortDetails | None:
        port = index.ports.get(floating_ip.port_id or "")
        if port is None:
            return None
        return {
            "name": port.name,
            "network_id": port.network_id,
            "mac_address": port.mac_address,
            "admin_state_up": port.admin_state_up,
            "status": port.status,
            "device_id": port.device_id,
            "device_owner": port.device_owner,
        }

    def forwardings(floating_ip: FloatingIP) -> list[ForwardingShown]:
        rows = [routing.port_forwardings[id] for id in routing.forwardings_of.get(floating_ip.id, ())]
        return [
            {
                "id": each.id,
                "protocol": each.protocol,
                "external_port": each.external_port,
                "internal_ip_address": each.internal_ip_address,
                "internal_port": each.internal_port,
                "internal_port_id": each.internal_port_id,
            }
            for each in sorted(rows, key=lambda row: (row.protocol, row.external_port))
        ]

    rules = {
        "floating_network_id": Rule(values.identifier, find=lambda id: routing.floating_ips_on.get(id, ())),
        ADDRESS: Rule(values.ip_address_or_none, required=False, matches=values.ip_address),
        SUBNET: Rule(values.identifier_or_none, post=True, visible=False, filter=False, sort=False, type=str | None),
        PORT: Rule(values.identifier_or_none, sort=False, find=lambda id: routing.floating_ips_to.get(id, ())),
        FIXED: Rule(values.ip_address_or_none, matches=values.ip_address),
        "router_id": Rule(find=lambda id: routing.floating_ips_by.get(id, ())),
        "status": Rule(),
        "port_details": Rule(get=details, filter=False, sort=False, type=PortDetails | None),
        "port_forwardings": Rule(get=forwardings, filter=False, sort=False, type=list[ForwardingShown]),
        "tunbridge:fault": Rule(filter=False, sort=False, sparse=True),
    }
    return attributes(FloatingIP, rules, without=("name", "holder_id"))


def router_for(draft: Draft, subnet: Subnet, external_network_id: str) -> str | None:
    """The router that leads from the subnet to the external network: of several, the one that has the subnet's gateway
    address, or else the one with the lowest id, so that whoever asks gets the same."""
    routing, ports = draft.index.routing, draft.index.ports
    outside = set(routing.gateways_on.get(external_network_id, {}).values())
    found: list[tuple[bool, str]] = []
    for port_id, router_id in routing.interfaces_on.get(subnet.network_id, {}).items():
        if router_id in outside:
            found += [
                (each.ip_address != subnet.gateway_ip, router_id)
                for each in ports[port_id].fixed_ips
                if each.subnet_id == subnet.id
            ]
    return min(found)[1] if found else None


def _bad(message: str) -> BadRequest:
    return BadRequest(message, resource="floatingip")


def _check_pair(port_id: str | None, fixed: str | None) -> None:
    if fixed is not None and not port_id:
        raise _bad("fixed_ip_address cannot be specified without a port_id")


def _association(draft: Draft, floating_ip: FloatingIP, port_id: str, fixed: str | None) -> dict[str, Any]:
    """The floating IP's fields once it stands for that address of the port.

    The port's next revision, and the router's, make whatever else is decided about them at the same time look again.
    """
    routing = draft.index.routing
    port = draft.index.ports.get(port_id)
    if port is None:
        raise PortNotFound(id=port_id)
    if routing.forwardings_to.get(port_id):
        raise PortHasPortForwarding(id=port_id)
    if port.device_owner == DHCP or port_id in routing.owners:
        raise _bad(f"Port {port_id} is unable to be assigned a floating IP")
    held = _fixed_address(port, fixed)
    fields: dict[str, Any] = {PORT: port_id, FIXED: held.ip_address}
    others = [routing.floating_ips[id] for id in routing.floating_ips_to.get(port_id, ())]
    for other in [*others, *draft.inserted(FloatingIP)]:
        same = (other.port_id, other.fixed_ip_address) == (port_id, held.ip_address)
        if same and other.id != floating_ip.id and other.floating_network_id == floating_ip.floating_network_id:
            raise FloatingIPPortAlreadyAssociated(
                address=floating_ip.floating_ip_address,
                id=floating_ip.id,
                port_id=port_id,
                fixed_ip=held.ip_address,
                network_id=floating_ip.floating_network_id,
            )
    subnet = draft.index.subnets[held.subnet_id]
    router_id = router_for(draft, subnet, floating_ip.floating_network_id)
    if router_id is None:
        raise ExternalGatewayForFloatingIPNotFound(
            network_id=floating_ip.floating_network_id, subnet_id=subnet.id, port_id=port_id
        )
    fields["router_id"] = router_id
    if any(getattr(floating_ip, name) != value for name, value in fields.items()):
        draft.change(port)
        draft.change(routing.routers[router_id])
    return fields


def _fixed_address(port: Port, wanted: str | None) -> FixedIP:
    """The address of the port that is wanted, or its only one of IPv4."""
    if wanted is not None:
        if ipaddress.ip_address(wanted).version != 4:
            raise _bad(f"Cannot process floating IP association with {wanted}, since that is not an IPv4 address")
        found = next((each for each in port.fixed_ips if each.ip_address == wanted), None)
        if found is None:
            raise _bad(f"Port {port.id} does not have fixed ip {wanted}")
        return found
    held = [each for each in port.fixed_ips if ":" not in each.ip_address]
    if not held:
        raise _bad(f"Cannot add floating IP to port {port.id} that has no fixed IPv4 addresses")
    if len(held) > 1:
        raise _bad(
            f"Port {port.id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a "
            "floating IP"
        )
    return held[0]
