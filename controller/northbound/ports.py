"""Ports: where devices meet networks, and what may be asked of them."""

import ipaddress
from collections.abc import Sequence
from typing import Any, Literal, TypedDict

import msgspec

from controller.model import AddressPair, DhcpOption, FixedIP, Port, Subnet
from controller.northbound import addressing, port_security, router_ports, values
from controller.northbound.attributes import Attribute, Rule, attributes
from controller.northbound.collection import Collection
from controller.northbound.draft import Draft, new_id
from controller.northbound.faults import (
    AllocationOnAutoAddressSubnet,
    InvalidInput,
    InvalidIpForNetwork,
    InvalidIpForSubnet,
    PortBound,
    PortInUse,
    PortNotFound,
    SubnetNotFound,
    UnsupportedPortDeviceOwner,
)
from controller.northbound.index import Index
from controller.northbound.subnets import ROUTER_OWNERS

Wanted = Sequence[tuple[str | None, str | None]]
"""(subnet id, address) pairs, either of them None where it does not matter."""


class FixedIPShown(TypedDict):
    subnet_id: str
    ip_address: str


class Ports(Collection[Port]):
    name = "port"
    plural = "ports"
    kind = Port
    missing = PortNotFound

    def __init__(self, index: Index) -> None:
        super().__init__(index.ports, port_attributes(index))

    def create(self, draft: Draft, given: dict[str, Any]) -> Port:
        network = draft.network(given["network_id"])
        given["mac_address"] = draft.mac(network.id, given.get("mac_address"))
        wanted = given.pop("fixed_ips", None)
        options = _with_options((), given.pop("extra_dhcp_opts", []))
        port = Port(
            id=new_id(),
            extra_dhcp_opts=options,
            created_at=draft.now,
            updated_at=draft.now,
            **self.fields(given) | port_security.secure(draft, network, given),
        )
        addresses = _default_addresses(draft, port) if wanted is None else _wanted_addresses(draft, port, wanted)
        addresses += _automatic_addresses(draft, port, addresses)
        return draft.insert(msgspec.structs.replace(port, fixed_ips=addressing.ordered(addresses)))

    def update(self, draft: Draft, old: Port, given: dict[str, Any]) -> Port:
        router_ports.check_update(draft, old, given)
        return self.revise(draft, old, given)

    def revise(self, draft: Draft, old: Port, given: dict[str, Any]) -> Port:
        """As `update`, for what the port belongs to."""
        fields = self.fields(given)
        if "mac_address" in fields and fields["mac_address"] != old.mac_address:
            given["mac_address"] = fields["mac_address"] = _new_mac(draft, old, fields)
        fields |= port_security.resecure(draft, old, given)
        if fields.get("vnic_type", old.vnic_type) != old.vnic_type and old.host_id:
            raise PortInUse(id=old.id, network_id=old.network_id, device_id=old.device_id)
        wanted = fields.pop("fixed_ips", None)
        if "extra_dhcp_opts" in fields:
            fields["extra_dhcp_opts"] = _with_options(old.extra_dhcp_opts, fields["extra_dhcp_opts"])
        new = msgspec.structs.replace(old, **fields)
        if wanted is not None or new.mac_address != old.mac_address:
            if wanted is None:
                wanted = [(each.subnet_id, each.ip_address) for each in old.fixed_ips]
            fields["fixed_ips"] = _changed_addresses(draft, old, new, wanted)
            router_ports.release(draft, old, [each.ip_address for each in fields["fixed_ips"]])
        return self.changed(draft, old, fields)

    def delete(self, draft: Draft, old: Port) -> None:
        router_ports.check_delete(draft, old)
        self.drop(draft, old)

    def drop(self, draft: Draft, old: Port) -> None:
        """As `delete`, for what the port belongs to."""
        router_ports.release(draft, old)
        draft.delete(old)


def port_attributes(index: Index) -> dict[str, Attribute]:
    def addresses(port: Port) -> list[FixedIPShown]:
        return [{"subnet_id": each.subnet_id, "ip_address": each.ip_address} for each in port.fixed_ips]

    rules = {
        "network_id": Rule(values.identifier, find=lambda id: index.ports_of.get(id, ())),
        "mac_address": Rule(values.mac_address_or_none, required=False, matches=_as_mac),
        "fixed_ips": Rule(values.fixed_ips, get=addresses, sort=False, type=list[FixedIPShown]),
        "admin_state_up": Rule(values.boolean, matches=values.boolean),
        "device_id": Rule(values.short_text),
        "device_owner": Rule(values.short_text),
        "extra_dhcp_opts": Rule(values.dhcp_options, filter=False, sort=False),
        port_security.ENABLED: Rule(values.boolean, required=False, filter=False, sort=False),
        port_security.GROUPS: Rule(port_security.group_ids, sort=False, find=lambda id: index.members.get(id, ())),
        port_security.PAIRS: Rule(port_security.address_pairs, filter=False, sort=False, type=list[AddressPair]),
        "tags": Rule(values.unique_texts, sort=False, post=True),
        "binding:vnic_type": Rule(values.one_of(values.VNIC_TYPES), filter=False, sort=False),
        "binding:profile": Rule(
            values.profile,
            get=lambda port: msgspec.Raw(port.profile.encode()),
            filter=False,
            sort=False,
            type=dict[str, Any],
        ),
        "binding:host_id": Rule(values.text_or_empty, sort=False),
        "binding:vif_type": Rule(get=_vif_type, filter=False, sort=False, type=Literal["ovs", "unbound"]),
        "binding:vif_details": Rule(get=_vif_details, filter=False, sort=False, type=dict[str, Any]),
        "status": Rule(),
        "tunbridge:ofport": Rule(filter=False, sort=False, sparse=True),
        "tunbridge:fault": Rule(filter=False, sort=False, sparse=True),
    }
    return attributes(Port, rules)


def _vif_type(port: Port) -> str:
    return "ovs" if port.host_id else "unbound"


def _vif_details(port: Port) -> dict[str, Any]:
    if not port.host_id:
        return {}
    return {"port_filter": True, "connectivity": "l2", "bridge_name": "br-int", "ovs_hybrid_plug": False}


def _as_mac(value: Any) -> str:
    try:
        return values.mac_address(value)
    except values.Reason:
        return str(value)


def _new_mac(draft: Draft, old: Port, fields: dict[str, Any]) -> str:
    owner = fields.get("device_owner") or old.device_owner
    if owner.startswith("network:"):
        raise UnsupportedPortDeviceOwner(operation="mac address update", owner=owner, id=old.id)
    if old.host_id:
        raise PortBound(id=old.id, vif_type=_vif_type(old), old=old.mac_address, new=fields["mac_address"])
    return draft.mac(old.network_id, fields["mac_address"])


def _with_options(held: Sequence[DhcpOption], given: Sequence[tuple[str, str | None, int]]) -> tuple[DhcpOption, ...]:
    """The options held, with those given added, put in their places, or (value None) taken away."""
    options = {(each.opt_name, each.ip_version): each for each in held}
    for name, value, version in given:
        if value is None:
            options.pop((name, version), None)
        elif value or name in values.BLANK_DHCP_OPTIONS:
            options[name, version] = DhcpOption(opt_name=name, opt_value=value, ip_version=version)
    return tuple(options.values())


def _default_addresses(draft: Draft, port: Port) -> list[FixedIP]:
    """One of IPv4 and one of IPv6, where the network has subnets that give addresses out."""
    subnets = [each for each in draft.subnets_of(port.network_id) if not addressing.is_automatic(each)]
    by_version = [[each for each in subnets if each.ip_version == version] for version in (4, 6)]
    return [draft.any_address(port.network_id, found) for found in by_version if found]


def _automatic_addresses(draft: Draft, port: Port, held: Sequence[FixedIP]) -> list[FixedIP]:
    """One of each SLAAC subnet that the port has none of."""
    if port.device_owner in ROUTER_OWNERS:
        return []
    have = {each.subnet_id for each in held}
    return [
        draft.address(subnet, addressing.eui64(subnet, port.mac_address))
        for subnet in draft.subnets_of(port.network_id)
        if addressing.is_automatic(subnet) and subnet.id not in have
    ]


def _wanted_addresses(draft: Draft, port: Port, wanted: Wanted) -> list[FixedIP]:
    """What was asked for; addresses asked for by number are taken before any is picked."""
    chosen = [(_subnet_for(draft, port, subnet_id, address), address) for subnet_id, address in wanted]
    by_number = [draft.address(subnet, address) for subnet, address in chosen if address is not None]
    return by_number + [
        draft.any_address(port.network_id, [subnet])
        for subnet, address in chosen
        if address is None and not _forms_own(subnet, port)
    ]


def _forms_own(subnet: Subnet, port: Port) -> bool:
    return addressing.is_automatic(subnet) and port.device_owner not in ROUTER_OWNERS


def _subnet_for(draft: Draft, port: Port, subnet_id: str | None, address: str | None) -> Subnet:
    """The subnet that an entry of ``fixed_ips`` means."""
    subnets = draft.subnets_of(port.network_id)
    if not subnets:
        raise InvalidInput("IP allocation requires subnets for network")
    if subnet_id is not None:
        found = next((each for each in subnets if each.id == subnet_id), None)
        if found is None and subnet_id not in draft.index.subnets:
            raise SubnetNotFound(id=subnet_id)
        if found is None:
            raise InvalidInput(
                f"Failed to create port on network {port.network_id}, because fixed_ips included invalid subnet "
                f"{subnet_id}"
            )
        if address is not None and not addressing.is_host(ipaddress.ip_network(found.cidr), address):
            raise InvalidIpForSubnet(ip=address)
    elif address is None:
        raise InvalidInput("IP allocation requires subnet_id or ip_address")
    else:
        found = next((each for each in subnets if addressing.is_host(ipaddress.ip_network(each.cidr), address)), None)
        if found is None:
            raise InvalidIpForNetwork(ip=address)
    if address is not None and _forms_own(found, port) and address != addressing.eui64(found, port.mac_address):
        raise AllocationOnAutoAddressSubnet(ip=address, subnet_id=found.id)
    return found


def _changed_addresses(draft: Draft, old: Port, new: Port, wanted: Wanted) -> tuple[FixedIP, ...]:
    """What the port holds once it holds what is `wanted`: addresses it has already stay the rows they are."""
    subnets = {each.id: each for each in draft.subnets_of(old.network_id)}
    automatic = {
        each.ip_address
        for each in old.fixed_ips
        if _forms_own(subnets[each.subnet_id], old)
        and each.ip_address == addressing.eui64(subnets[each.subnet_id], old.mac_address)
    }
    if new.mac_address != old.mac_address:
        # What it formed of its old MAC address goes, whether asked for or not; the new ones follow below.
        wanted = [(subnet_id, address) for subnet_id, address in wanted if address not in automatic]
        spare = {each.ip_address: each for each in old.fixed_ips if each.ip_address not in automatic}
    else:
        spare = {each.ip_address: each for each in old.fixed_ips}
    kept: list[FixedIP] = []
    fresh: list[tuple[str | None, str | None]] = []
    for subnet_id, address in wanted:
        held = spare.get(address) if address is not None else None
        if held is not None and subnet_id in (None, held.subnet_id):
            kept.append(spare.pop(held.ip_address))
        elif address is not None:
            fresh.append((subnet_id, address))
    for subnet_id, address in wanted:
        if address is None:
            held = next((each for each in spare.values() if each.subnet_id == subnet_id), None)
            if held is None:
                fresh.append((subnet_id, None))
            else:
                kept.append(spare.pop(held.ip_address))
    kept += [each for each in spare.values() if _forms_own(subnets[each.subnet_id], new)]
    kept += _wanted_addresses(draft, new, fresh)
    kept += _automatic_addresses(draft, new, kept)
    return addressing.ordered(kept)
