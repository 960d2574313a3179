"""Networks: what may be asked of them."""

from typing import Any, Literal

import msgspec

from controller.model import Network
from controller.model.router import FLOATING_IP, GATEWAY
from controller.northbound import provider, router_ports, values
from controller.northbound.allocation import scope_of
from controller.northbound.attributes import Attribute, Rule, attributes
from controller.northbound.collection import Collection
from controller.northbound.draft import Draft, new_id
from controller.northbound.faults import (
    InvalidSharedSetting,
    NetworkInUse,
    NetworkMTUSubnetConflict,
    NetworkNotFound,
)
from controller.northbound.index import Index
from controller.northbound.provider_faults import ExternalNetworkInUse

MTU_MIN = {4: 68, 6: 1280}
"""Bytes, by IP version (RFC 791, RFC 8200)."""
EXTERNAL = "router:external"


class Networks(Collection[Network]):
    name = "network"
    plural = "networks"
    kind = Network
    missing = NetworkNotFound

    def __init__(self, index: Index) -> None:
        super().__init__(index.networks, network_attributes(index))

    def create(self, draft: Draft, given: dict[str, Any]) -> Network:
        placed = provider.place(draft, provider.wanted(given))
        network = Network(
            id=new_id(), created_at=draft.now, updated_at=draft.now, **placed, **self.fields({"mtu": 0, **given})
        )
        return draft.insert(msgspec.structs.replace(network, mtu=provider.mtu(network.mtu, network.segment)))

    def update(self, draft: Draft, old: Network, given: dict[str, Any]) -> Network:
        provider.keep(old, given)
        fields = self.fields(given)
        if "mtu" in fields:
            fields["mtu"] = provider.mtu(fields["mtu"], old.segment)
            for subnet in draft.subnets_of(old.id):
                check_mtu(old.id, fields["mtu"], subnet.ip_version)
        if old.shared and fields.get("shared") is False:
            users = [*draft.subnets_of(old.id), *draft.ports_of(old.id)]
            if any(user.project_id != old.project_id for user in users):
                raise InvalidSharedSetting(network=old.name)
        if old.external and fields.get("external") is False and _leads_outside(draft, old):
            raise ExternalNetworkInUse(id=old.id)
        return self.changed(draft, old, fields)

    def delete(self, draft: Draft, old: Network) -> None:
        ports = draft.index.ports_of.get(old.id, set()) - router_ports.drop_unused(draft, old)
        if ports:
            raise NetworkInUse(id=old.id, ports=",".join(sorted(ports)))
        for subnet in draft.index.subnets_of(old.id):
            draft.delete(subnet)
        draft.delete(old)


def network_attributes(index: Index) -> dict[str, Attribute]:
    def subnets(network: Network) -> list[str]:
        return [subnet.id for subnet in index.subnets_of(network.id)]

    def scope(version: int) -> Rule:
        def of(network: Network) -> str | None:
            return scope_of(index, index.subnets_of(network.id), version)

        return Rule(get=of, filter=False, sort=False, type=str | None)

    rules = {
        "admin_state_up": Rule(values.boolean, matches=values.boolean),
        "shared": Rule(values.boolean, sort=False, matches=values.boolean),
        EXTERNAL: Rule(values.boolean, sort=False, matches=values.boolean),
        "port_security_enabled": Rule(values.boolean, filter=False, sort=False),
        "mtu": Rule(values.non_negative, matches=values.integer),
        "subnets": Rule(get=subnets, filter=False, sort=False, type=list[str]),
        "status": Rule(get=lambda _: "ACTIVE", type=Literal["ACTIVE"]),
        "ipv4_address_scope": scope(4),
        "ipv6_address_scope": scope(6),
        **provider.RULES,
    }
    return attributes(Network, rules, without=("vni", "segments"))


def check_mtu(network_id: str, mtu: int, ip_version: int) -> None:
    if mtu < MTU_MIN[ip_version]:
        raise NetworkMTUSubnetConflict(id=network_id, mtu=MTU_MIN[ip_version])


def _leads_outside(draft: Draft, network: Network) -> bool:
    """A router's gateway or a floating IP has an address of it."""
    return any(port.device_owner in (GATEWAY, FLOATING_IP) for port in draft.ports_of(network.id))
