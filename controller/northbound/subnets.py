"""Subnets: ranges of addresses, and what may be asked of them."""

import ipaddress
from typing import Any

import msgspec

from controller.model import Network, Pool, Route, Subnet
from controller.model.router import FLOATING_IP, INTERFACE
from controller.northbound import addressing, allocation, values
from controller.northbound.attributes import Attribute, Rule, attributes
from controller.northbound.collection import Collection
from controller.northbound.draft import Draft, new_id
from controller.northbound.faults import (
    DNSNameServersExhausted,
    HostRoutesExhausted,
    InvalidInput,
    SubnetInUse,
    SubnetNotFound,
)
from controller.northbound.index import Index
from controller.northbound.networks import check_mtu
from controller.northbound.router_faults import GatewayIpInUse
from controller.northbound.values import IPNetwork

MAX_NAMESERVERS = 5
MAX_ROUTES = 20
ROUTER_OWNERS = (
    INTERFACE,
    FLOATING_IP,
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
    "network:router_centralized_snat",
)
"""Device owners whose addresses are chosen by hand, SLAAC or not."""


class Subnets(Collection[Subnet]):
    name = "subnet"
    plural = "subnets"
    kind = Subnet
    missing = SubnetNotFound

    def __init__(self, index: Index) -> None:
        super().__init__(index.subnets, subnet_attributes(index))

    def create(self, draft: Draft, given: dict[str, Any]) -> Subnet:
        allocation.allocate(draft, given)
        pools, default_gateway = given.pop("allocation_pools", None), "gateway_ip" not in given
        subnet = Subnet(id=new_id(), created_at=draft.now, updated_at=draft.now, **self.fields(_structs(given)))
        prefix = ipaddress.ip_network(subnet.cidr)
        _check(subnet, prefix, dhcp_is_new=subnet.enable_dhcp)
        _check_modes(subnet, prefix)

        network = draft.network(subnet.network_id)
        check_mtu(network.id, network.mtu, subnet.ip_version)
        if default_gateway:
            subnet = msgspec.structs.replace(subnet, gateway_ip=addressing.first_host(prefix))
        found = addressing.default_pools(prefix, subnet.gateway_ip) if pools is None else _pools(pools)
        subnet = msgspec.structs.replace(subnet, allocation_pools=found)
        if pools is not None:
            addressing.check_pools(subnet)
        _check_overlap(draft, network, prefix)
        allocation.check_affinity(draft, subnet)
        # The network's next revision makes two overlapping subnets, asked for at once anywhere, exclude each other.
        draft.change(network)
        draft.insert(subnet)
        if addressing.is_automatic(subnet):
            for port in draft.ports_of(network.id):
                if port.device_owner not in ROUTER_OWNERS:
                    address = draft.address(subnet, addressing.eui64(subnet, port.mac_address))
                    draft.change(port, fixed_ips=addressing.ordered([*port.fixed_ips, address]))
        return subnet

    def update(self, draft: Draft, old: Subnet, given: dict[str, Any]) -> Subnet:
        if "allocation_pools" in given:
            given["allocation_pools"] = _pools(given["allocation_pools"])
        fields = self.fields(_structs(given))
        if fields.get("gateway_ip", old.gateway_ip) != old.gateway_ip:
            _check_gateway_unused(draft, old)
        new = msgspec.structs.replace(old, **fields)
        _check(new, ipaddress.ip_network(old.cidr), dhcp_is_new=new.enable_dhcp and not old.enable_dhcp)
        if not new.enable_dhcp and (old.ipv6_ra_mode or old.ipv6_address_mode):
            raise InvalidInput("Cannot disable enable_dhcp with ipv6 attributes set")
        if "allocation_pools" in fields:
            addressing.check_pools(new)
        elif new.gateway_ip != old.gateway_ip:
            addressing.check_gateway(new)
        changed = self.changed(draft, old, fields)
        if changed is not old:
            draft.change(draft.network(old.network_id))
        return changed

    def delete(self, draft: Draft, old: Subnet) -> None:
        for port_id in set(draft.index.held.get(old.id, {}).values()):
            port = draft.index.ports[port_id]
            if not addressing.is_automatic(old) or port.device_owner in ROUTER_OWNERS:
                raise SubnetInUse(id=old.id)
            draft.change(port, fixed_ips=tuple(each for each in port.fixed_ips if each.subnet_id != old.id))
        draft.change(draft.network(old.network_id))
        draft.delete(old)


def _check_gateway_unused(draft: Draft, subnet: Subnet) -> None:
    """No router's interface has the gateway's address."""
    if subnet.gateway_ip is None:
        return
    port_id = draft.index.held.get(subnet.id, {}).get(int(ipaddress.ip_address(subnet.gateway_ip)))
    if port_id is not None and draft.index.ports[port_id].device_owner == INTERFACE:
        raise GatewayIpInUse(ip=subnet.gateway_ip, port_id=port_id)


def subnet_attributes(index: Index) -> dict[str, Attribute]:
    def shared(subnet: Subnet) -> bool:
        network = index.networks.get(subnet.network_id)
        return network is not None and network.shared

    rules = {
        "network_id": Rule(values.identifier),
        "cidr": Rule(values.cidr, matches=values.cidr, required=False),
        "ip_version": Rule(values.one_of((4, 6), values.integer), matches=values.integer),
        "gateway_ip": Rule(values.ip_address_or_none),
        "allocation_pools": Rule(values.pools, filter=False, sort=False),
        "dns_nameservers": Rule(values.nameservers, filter=False, sort=False),
        "host_routes": Rule(values.routes, filter=False, sort=False),
        "enable_dhcp": Rule(values.boolean, matches=values.boolean),
        "ipv6_ra_mode": Rule(values.one_of((*values.IPV6_MODES, None))),
        "ipv6_address_mode": Rule(values.one_of((*values.IPV6_MODES, None))),
        allocation.POOL: Rule(values.identifier_or_none, find=lambda id: index.subnets_from.get(id, ())),
        allocation.PREFIX_LENGTH: Rule(
            values.non_negative, post=True, visible=False, filter=False, sort=False, type=int
        ),
        allocation.USE_DEFAULT: Rule(values.boolean, post=True, visible=False, filter=False, sort=False, type=bool),
        "shared": Rule(get=shared, visible=False, sort=False, matches=values.boolean, type=bool),
    }
    return attributes(Subnet, rules)


def _pools(pairs: list[tuple[str, str]]) -> tuple[Pool, ...]:
    return tuple(Pool(start=start, end=end) for start, end in pairs)


def _structs(given: dict[str, Any]) -> dict[str, Any]:
    if "host_routes" in given:
        given["host_routes"] = tuple(Route(destination=to, nexthop=via) for to, via in given["host_routes"])
    if "dns_nameservers" in given:
        given["dns_nameservers"] = tuple(given["dns_nameservers"])
    return given


def _check(subnet: Subnet, prefix: IPNetwork, *, dhcp_is_new: bool) -> None:
    """What must hold of a subnet by itself, after creation and after each update."""
    version = subnet.ip_version
    _check_version(version, "cidr", subnet.cidr, prefix.version)
    if dhcp_is_new:
        if prefix.prefixlen > (30 if version == 4 else 126):
            raise InvalidInput("Subnet has a prefix length that is incompatible with DHCP service enabled")
        if prefix.is_multicast:
            raise InvalidInput("Multicast IP subnet is not supported if enable_dhcp is True")
        if prefix.is_loopback:
            raise InvalidInput("Loopback IP subnet is not supported if enable_dhcp is True")
        if version == 4 and int(prefix.network_address) == 0:
            raise InvalidInput("First IP '0.0.0.0' of network is not supported if enable_dhcp is True.")
    if subnet.gateway_ip is not None:
        gateway = ipaddress.ip_address(subnet.gateway_ip)
        _check_version(version, "gateway_ip", subnet.gateway_ip, gateway.version)
        edges = (prefix.network_address, prefix.broadcast_address)
        if version == 4 and prefix.prefixlen < 31 and gateway in edges:
            raise InvalidInput("Gateway is not valid on subnet")
    if len(subnet.dns_nameservers) > MAX_NAMESERVERS:
        raise DNSNameServersExhausted(subnet_id=subnet.id, quota=MAX_NAMESERVERS)
    for server in subnet.dns_nameservers:
        _check_version(version, "dns_nameserver", server, ipaddress.ip_address(server).version)
    if len(subnet.host_routes) > MAX_ROUTES:
        raise HostRoutesExhausted(subnet_id=subnet.id, quota=MAX_ROUTES)
    for route in subnet.host_routes:
        _check_version(version, "nexthop", route.nexthop, ipaddress.ip_address(route.nexthop).version)
        _check_version(version, "destination", route.destination, ipaddress.ip_network(route.destination).version)


def _check_version(wanted: int, name: str, text: str, version: int) -> None:
    if version != wanted:
        raise InvalidInput(f"{name} '{text}' does not match the ip_version '{wanted}'")


def _check_modes(subnet: Subnet, prefix: IPNetwork) -> None:
    for name, mode in (("ipv6_ra_mode", subnet.ipv6_ra_mode), ("ipv6_address_mode", subnet.ipv6_address_mode)):
        if mode is not None and subnet.ip_version == 4:
            raise InvalidInput(f"{name} is not valid when ip_version is 4")
        if mode is not None and not subnet.enable_dhcp:
            raise InvalidInput("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False")
    modes = {subnet.ipv6_ra_mode, subnet.ipv6_address_mode} - {None}
    if len(modes) > 1:
        raise InvalidInput(
            f"ipv6_ra_mode set to '{subnet.ipv6_ra_mode}' with ipv6_address_mode set to '{subnet.ipv6_address_mode}' "
            "is not valid. If both attributes are set, they must be the same value"
        )
    if addressing.is_automatic(subnet) and prefix.prefixlen != 64:
        raise InvalidInput(
            f"Invalid CIDR {subnet.cidr} for IPv6 address mode. OpenStack uses the EUI-64 address format, which "
            "requires the prefix to be /64"
        )


def _check_overlap(draft: Draft, network: Network, prefix: IPNetwork) -> None:
    if prefix.prefixlen == 0:
        raise InvalidInput("0 is not allowed as CIDR prefix length")
    for other in draft.subnets_of(network.id):
        theirs = ipaddress.ip_network(other.cidr)
        if theirs.version == prefix.version and theirs.overlaps(prefix):
            raise InvalidInput(
                f"Requested subnet with cidr: {prefix} for network: {network.id} overlaps with another subnet"
            )
