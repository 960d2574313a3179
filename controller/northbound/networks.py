"""Networks: what may be asked of them."""

from typing import Any, Literal

from controller.model import Network
from controller.model.network import MTU_MAX, VNI_MAX
from controller.northbound import values
from controller.northbound.attributes import Attribute, Rule, attributes
from controller.northbound.collection import Collection
from controller.northbound.draft import Draft, new_id
from controller.northbound.faults import (
    InvalidInput,
    InvalidSharedSetting,
    NetworkInUse,
    NetworkMTUSubnetConflict,
    NetworkNotFound,
)
from controller.northbound.index import Index

MTU_MIN = {4: 68, 6: 1280}
"""Bytes, by IP version (RFC 791, RFC 8200)."""
NETWORK_TYPE, PHYSICAL_NETWORK, VNI = "provider:network_type", "provider:physical_network", "provider:segmentation_id"


class Networks(Collection[Network]):
    name = "network"
    plural = "networks"
    kind = Network
    missing = NetworkNotFound

    def __init__(self, index: Index) -> None:
        super().__init__(index.networks, network_attributes(index))

    def create(self, draft: Draft, given: dict[str, Any]) -> Network:
        kind, vni = given.pop(NETWORK_TYPE, None), given.pop(VNI, None)
        if given.pop(PHYSICAL_NETWORK, None):
            raise InvalidInput(f"provider:physical_network specified for {kind or 'vxlan'} network")
        if kind is None and vni is not None:
            raise InvalidInput("network_type required")
        if kind not in (None, "vxlan"):
            raise InvalidInput(f"network_type value '{kind}' not supported")
        if vni is not None and not 1 <= vni <= VNI_MAX:
            raise InvalidInput(f"segmentation_id out of range (1 through {VNI_MAX})")
        fields = self.fields(given)
        fields["mtu"] = _mtu(fields.pop("mtu", 0))
        return draft.insert(
            Network(id=new_id(), vni=draft.vni(vni), created_at=draft.now, updated_at=draft.now, **fields)
        )

    def update(self, draft: Draft, old: Network, given: dict[str, Any]) -> Network:
        own = {NETWORK_TYPE: "vxlan", PHYSICAL_NETWORK: None, VNI: old.vni}
        differing = [attribute for attribute, value in own.items() if given.pop(attribute, value) != value]
        if differing:
            raise InvalidInput(
                "Plugin does not support updating the following provider network attributes: " + ", ".join(differing)
            )
        fields = self.fields(given)
        if "mtu" in fields:
            fields["mtu"] = _mtu(fields["mtu"])
            for subnet in draft.subnets_of(old.id):
                check_mtu(old.id, fields["mtu"], subnet.ip_version)
        if old.shared and fields.get("shared") is False:
            users = [*draft.subnets_of(old.id), *draft.ports_of(old.id)]
            if any(user.project_id != old.project_id for user in users):
                raise InvalidSharedSetting(network=old.name)
        return self.changed(draft, old, fields)

    def delete(self, draft: Draft, old: Network) -> None:
        ports = draft.index.ports_of.get(old.id)
        if ports:
            raise NetworkInUse(id=old.id, ports=",".join(sorted(ports)))
        for subnet in draft.index.subnets_of(old.id):
            draft.delete(subnet)
        draft.delete(old)


def network_attributes(index: Index) -> dict[str, Attribute]:
    def subnets(network: Network) -> list[str]:
        return [subnet.id for subnet in index.subnets_of(network.id)]

    rules = {
        "admin_state_up": Rule(values.boolean, matches=values.boolean),
        "shared": Rule(values.boolean, sort=False, matches=values.boolean),
        "router:external": Rule(values.boolean, sort=False, matches=values.boolean),
        "port_security_enabled": Rule(values.boolean, filter=False, sort=False),
        "mtu": Rule(values.non_negative, matches=values.integer),
        VNI: Rule(values.integer, required=False, sort=False, matches=values.integer),
        NETWORK_TYPE: Rule(
            values.text(32), get=lambda _: "vxlan", post=True, put=True, sort=False, type=Literal["vxlan"]
        ),
        PHYSICAL_NETWORK: Rule(values.text(64), get=lambda _: None, post=True, put=True, sort=False, type=str | None),
        "subnets": Rule(get=subnets, filter=False, sort=False, type=list[str]),
        "status": Rule(get=lambda _: "ACTIVE", type=Literal["ACTIVE"]),
    }
    return attributes(Network, rules)


def check_mtu(network_id: str, mtu: int, ip_version: int) -> None:
    if mtu < MTU_MIN[ip_version]:
        raise NetworkMTUSubnetConflict(id=network_id, mtu=MTU_MIN[ip_version])


def _mtu(wanted: int) -> int:
    if wanted > MTU_MAX:
        raise InvalidInput(f"Requested MTU is too big, maximum is {MTU_MAX}")
    return wanted or MTU_MAX
