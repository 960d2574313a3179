"""A router's gateway: its port on an external network."""

from typing import Any, TypedDict

import msgspec

from controller.model import Port, Router
from controller.model.router import GATEWAY
from controller.northbound import values
from controller.northbound.draft import Draft
from controller.northbound.faults import BadRequest
from controller.northbound.ports import FixedIPShown, Ports
from controller.northbound.router_faults import RouterExternalGatewayInUseByFloatingIp
from controller.northbound.router_subnets import check_subnets
from controller.northbound.values import Reason

KEYS = ("network_id", "enable_snat", "external_fixed_ips")


class Wanted(msgspec.Struct, frozen=True):
    """``external_gateway_info`` as given."""

    network_id: str
    enable_snat: bool = True
    fixed_ips: tuple[tuple[str | None, str | None], ...] = ()
    """(subnet id, address) pairs; none: as it comes, or as it is."""


class Shown(TypedDict):
    """``external_gateway_info`` as answered."""

    network_id: str
    enable_snat: bool
    external_fixed_ips: list[FixedIPShown]


def wanted(value: Any) -> Wanted | None:
    """None, and an empty object, are no gateway."""
    if not value:
        return None
    if not isinstance(value, dict):
        raise Reason(f"'{value}' is not a dictionary")
    if "network_id" not in value:
        raise Reason(
            f"Validation of dictionary's keys failed. Expected keys: {{'network_id'}} Provided keys: {sorted(value)}"
        )
    if unexpected := [name for name in value if name not in KEYS]:
        raise Reason(f"Unexpected keys supplied: {', '.join(unexpected)}")
    return Wanted(
        network_id=values.identifier(value["network_id"]),
        enable_snat=values.boolean(value.get("enable_snat", True)),
        fixed_ips=tuple(values.fixed_ips(value.get("external_fixed_ips") or [])),
    )


def shown(router: Router, port: Port | None) -> Shown | None:
    if port is None:
        return None
    return {
        "network_id": port.network_id,
        "enable_snat": router.enable_snat,
        "external_fixed_ips": [{"subnet_id": each.subnet_id, "ip_address": each.ip_address} for each in port.fixed_ips],
    }


def change(draft: Draft, ports: Ports, router: Router, want: Wanted | None) -> tuple[dict[str, Any], Port | None]:
    """The router's fields with the gateway that is wanted, and the gateway's port as the draft leaves it."""
    held = draft.index.routing.gateway(router)
    if want is None:
        if held is not None:
            _drop(draft, ports, router, held)
        return {"gateway_port_id": None, "enable_snat": True}, None
    _check(draft, want)
    if held is not None and held.network_id == want.network_id:
        if want.fixed_ips:
            held = ports.revise(draft, held, {"fixed_ips": list(want.fixed_ips)})
        return {"enable_snat": want.enable_snat}, held
    if held is not None:
        _drop(draft, ports, router, held)
    check_subnets(draft, router, draft.subnets_of(want.network_id), gateway=False)
    given: dict[str, Any] = {
        "network_id": want.network_id,
        "device_id": router.id,
        "device_owner": GATEWAY,
        "project_id": "",
    }
    if want.fixed_ips:
        given["fixed_ips"] = list(want.fixed_ips)
    port = ports.create(draft, given)
    return {"gateway_port_id": port.id, "enable_snat": want.enable_snat}, port


def _check(draft: Draft, want: Wanted) -> None:
    if not draft.network(want.network_id).external:
        raise BadRequest(f"Network {want.network_id} is not an external network", resource="router")
    gateways = {subnet.gateway_ip for subnet in draft.subnets_of(want.network_id)}
    for _, address in want.fixed_ips:
        if address is not None and address in gateways:
            raise BadRequest(f"External IP {address} is the same as the gateway IP", resource="router")


def _drop(draft: Draft, ports: Ports, router: Router, port: Port) -> None:
    if draft.index.routing.floating_ips_by.get(router.id):
        raise RouterExternalGatewayInUseByFloatingIp(id=router.id, network_id=port.network_id)
    ports.drop(draft, port)
