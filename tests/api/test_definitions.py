"""Attributes and extensions against the API's own definitions, neutron-lib."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import neutron_lib.api.definitions
import pytest
from neutron_lib.api.definitions import (
    address_group,
    address_scope,
    agent,
    allowedaddresspairs,
    default_subnetpools,
    dvr,
    expose_port_forwarding_in_fip,
    external_net,
    extra_dhcp_opt,
    extraroute,
    fip_pf_description,
    fip_port_details,
    floating_ip_port_forwarding,
    l3,
    l3_ext_gw_mode,
    l3_ext_ha_mode,
    network,
    network_mtu_writable,
    port,
    port_mac_address_regenerate,
    port_security,
    portbindings,
    provider_net,
    router_enable_snat,
    security_groups_name_restrictions,
    security_groups_normalized_cidr,
    security_groups_remote_address_group,
    security_groups_rules_belongs_to_default_sg,
    security_groups_shared_filtering,
    stateful_security_group,
    subnet,
    subnetpool,
)

from controller.northbound.address_groups import address_group_attributes
from controller.northbound.address_scopes import address_scope_attributes
from controller.northbound.agents import agent_attributes
from controller.northbound.extensions import EXTENSIONS
from controller.northbound.floating_ips import floating_ip_attributes
from controller.northbound.index import Index
from controller.northbound.networks import network_attributes
from controller.northbound.port_forwardings import port_forwarding_attributes
from controller.northbound.ports import port_attributes
from controller.northbound.routers import router_attributes
from controller.northbound.security_group_rules import SecurityGroupRules
from controller.northbound.security_groups import security_group_attributes
from controller.northbound.subnet_pools import subnet_pool_attributes
from controller.northbound.subnets import subnet_attributes
from controller.store import Store

from .conftest import Api

INDEX = Index(Store(["unix:/nonexistent"]))
OURS = {
    "networks": network_attributes(INDEX),
    "subnets": subnet_attributes(INDEX),
    "ports": port_attributes(INDEX),
    "security_groups": security_group_attributes(SecurityGroupRules(INDEX)),
    "security_group_rules": SecurityGroupRules(INDEX).attributes,
    "address_groups": address_group_attributes(),
    "address_scopes": address_scope_attributes(),
    "subnetpools": subnet_pool_attributes(),
    "routers": router_attributes(INDEX),
    "floatingips": floating_ip_attributes(INDEX),
}
DEFINED = (
    network,
    external_net,
    provider_net,
    network_mtu_writable,
    subnet,
    port,
    portbindings,
    extra_dhcp_opt,
    port_mac_address_regenerate,
    port_security,
    allowedaddresspairs,
    security_groups_name_restrictions,
    security_groups_normalized_cidr,
    security_groups_remote_address_group,
    security_groups_rules_belongs_to_default_sg,
    security_groups_shared_filtering,
    stateful_security_group,
    address_group,
    address_scope,
    subnetpool,
    default_subnetpools,
    l3,
    l3_ext_gw_mode,
    extraroute,
    dvr,
    l3_ext_ha_mode,
    router_enable_snat,
    fip_port_details,
    expose_port_forwarding_in_fip,
)
# Standard attributes are defined by the neutron server itself (extensions/standardattrdescription.py, timestamp.py,
# revisions.py, tagging.py), which is no library.
READ_ONLY = {"allow_post": False, "allow_put": False, "is_visible": True}
STANDARD: dict[str, dict[str, Any]] = {
    "description": {
        "allow_post": True,
        "allow_put": True,
        "is_visible": True,
        "is_filter": True,
        "default": "",
    },
    "created_at": READ_ONLY,
    "updated_at": READ_ONLY,
    "revision_number": READ_ONLY | {"is_filter": True},
    "tags": READ_ONLY | {"is_filter": True},
}
PORT_TAGS = STANDARD["tags"] | {"allow_post": True, "default": []}
"""Extension tag-ports-during-bulk-creation."""
SHOWN = {"allow_post": False, "allow_put": False, "is_visible": True, "is_filter": True, "is_sort_key": True}
GIVEN = SHOWN | {"allow_post": True}
SECURITY_GROUPS: dict[str, dict[str, Any]] = {
    "ports": {"security_groups": GIVEN | {"allow_put": True, "is_sort_key": False, "default": None}},
    "security_groups": {
        "id": SHOWN,
        "tenant_id": GIVEN,
        "security_group_rules": {"allow_post": False, "allow_put": False, "is_visible": True},
    },
    "security_group_rules": {
        "id": SHOWN,
        "tenant_id": GIVEN,
        "security_group_id": GIVEN,
        "direction": GIVEN,
        "remote_group_id": GIVEN | {"default": None},
        "protocol": GIVEN | {"default": None},
        "port_range_min": GIVEN | {"default": None},
        "port_range_max": GIVEN | {"default": None},
        "ethertype": GIVEN | {"default": "IPv4"},
        "remote_ip_prefix": GIVEN | {"default": None},
    },
}
"""Security groups, too, are defined by the neutron server itself (extensions/securitygroup.py)."""
OUR_OWN = {"tunbridge:fault", "tunbridge:gateways", "tunbridge:ofport"}
"""Why something has failed, the gateway hosts of a router, the OpenFlow port of a port; clients of the API pass over
what they do not know."""
NOT_YET = {
    "networks": {
        "availability_zone_hints",
        "availability_zones",
        "dns_domain",
        "ha",
        "is_default",
        "l2_adjacency",
        "project_default",
        "pvlan",
        "qinq",
        "qos_policy_id",
        "segments",
        "vlan_transparent",
    },
    "subnets": {
        "dns_publish_fixed_ip",
        "leak_routes",
        "router:external",
        "segment_id",
        "service_types",
    },
    "ports": {
        "data_plane_status",
        "device_profile",
        "dns_assignment",
        "dns_domain",
        "dns_name",
        "hardware_offload_type",
        "hints",
        "ip_allocation",
        "numa_affinity_policy",
        "propagate_uplink_status",
        "pvlan_community",
        "pvlan_type",
        "qos_network_policy_id",
        "qos_policy_id",
        "resource_request",
        "trunk_details",
        "trusted",
    },
    "security_groups": set(),
    "security_group_rules": set(),
    "address_groups": set(),
    "address_scopes": set(),
    "subnetpools": set(),
    "routers": {
        "availability_zone_hints",
        "availability_zones",
        "conntrack_helpers",
        "enable_default_route_bfd",
        "enable_default_route_ecmp",
        "enable_ndp_proxy",
        "evpn_vni",
        "external_gateways",
        "flavor_id",
        "service_type_id",
    },
    "floatingips": {
        "distributed",
        "dns_domain",
        "dns_name",
        "qos_network_policy_id",
        "qos_policy_id",
    },
}
"""Attributes of extensions that we lack: unknown here, and refused as a server without the extension does."""


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(neutron_lib.api.definitions.__path__):
        yield importlib.import_module(f"neutron_lib.api.definitions.{found.name}")


def defined(collection: str) -> dict[str, dict[str, Any]]:
    # Address scopes are older than the standard attributes, and have none of them.
    answer = {} if collection == "address_scopes" else STANDARD | SECURITY_GROUPS.get(collection, {})
    for module in DEFINED:
        answer |= module.RESOURCE_ATTRIBUTE_MAP.get(collection, {})
    # Either is the other's name; the definition of address groups has the new one only.
    project = answer.get("tenant_id") or answer["project_id"]
    answer |= {"project_id": project, "tenant_id": project}
    if collection == "ports":
        answer["tags"] = PORT_TAGS
    return answer


@pytest.mark.parametrize("collection", OURS)
def test_attributes_are_the_defined_ones(collection: str) -> None:
    ours, theirs = OURS[collection], defined(collection)
    assert set(theirs) <= set(ours)
    assert set(ours) - set(theirs) <= OUR_OWN
    for name in set(ours) & set(theirs):
        mine, one = ours[name], theirs[name]
        if (collection, name) == ("address_groups", "shared"):
            one = one | {"is_visible": True}  # so it is with the extension rbac-address-group
        assert mine.post == one["allow_post"], name
        assert mine.put == one["allow_put"], name
        assert mine.visible == one["is_visible"], name
        assert mine.filter == one.get("is_filter", False), name
        assert mine.sort == one.get("is_sort_key", False), name
        # The project is filled in by the server.
        if name not in ("project_id", "tenant_id"):
            assert mine.required == (one["allow_post"] and "default" not in one), name


@pytest.mark.parametrize("collection", OURS)
def test_what_we_lack_is_listed_and_refused(collection: str, api: Api) -> None:
    everything: set[str] = set()
    for module in modules():
        everything |= set((getattr(module, "RESOURCE_ATTRIBUTE_MAP", None) or {}).get(collection, {}))
    assert everything - set(OURS[collection]) == NOT_YET[collection]
    for name in NOT_YET[collection]:
        answer = api.raw("POST", f"/v2.0/{collection.replace('_', '-')}", {collection[:-1]: {name: None}})
        assert api.fault(answer) == (400, "HTTPBadRequest", f"Unrecognized attribute(s) '{name}'")


def test_port_forwardings(api: Api) -> None:
    """They are within floating IPs, and have no standard attributes but a description."""
    ours = port_forwarding_attributes()
    theirs: dict[str, dict[str, Any]] = {}
    for module in (floating_ip_port_forwarding, fip_pf_description):
        theirs |= module.SUB_RESOURCE_ATTRIBUTE_MAP["port_forwardings"]["parameters"]
    theirs["tenant_id"] = theirs["project_id"]
    assert set(ours) == set(theirs)
    for name, one in theirs.items():
        mine = ours[name]
        assert (mine.post, mine.put, mine.visible) == (one["allow_post"], one["allow_put"], one["is_visible"]), name
        assert (mine.filter, mine.sort) == (one.get("is_filter", False), one.get("is_sort_key", False)), name


def test_agents() -> None:
    from datetime import UTC, datetime

    ours = agent_attributes(lambda: datetime.now(UTC))
    theirs = agent.RESOURCE_ATTRIBUTE_MAP["agents"]
    assert set(ours) == set(theirs)
    for name, attribute in ours.items():
        assert attribute.visible == theirs[name]["is_visible"]
        assert attribute.filter == theirs[name].get("is_filter", False), name


def test_extensions(api: Api) -> None:
    known = {module.ALIAS: module for module in modules() if hasattr(module, "ALIAS")}
    # Defined by the neutron server itself.
    own = {
        "security-group",
        "standard-attr-description",
        "standard-attr-timestamp",
        "standard-attr-revisions",
        "standard-attr-tag",
        "subnet_allocation",
    }
    assert set(EXTENSIONS) - own <= set(known)
    for alias in set(EXTENSIONS) - own:
        name, _, updated = EXTENSIONS[alias]
        assert name == known[alias].NAME
        # neutron-lib has month and day of this one the wrong way round.
        if alias != "tag-creation":
            assert updated == known[alias].UPDATED_TIMESTAMP
        required = set(known[alias].__dict__.get("REQUIRED_EXTENSIONS") or ())
        assert required <= set(EXTENSIONS), alias
    listed = api.ask("GET", "/v2.0/extensions")["extensions"]
    assert {each["alias"] for each in listed} == set(EXTENSIONS)
    shown = api.ask("GET", "/v2.0/extensions/agent")["extension"]
    assert shown in listed and set(shown) == {"name", "alias", "description", "updated", "links"}
    missing = api.raw("GET", "/v2.0/extensions/metering")
    assert api.fault(missing) == (404, "HTTPNotFound", "Extension with alias metering does not exist")


def test_shown_attributes_are_those_in_the_table(api: Api) -> None:
    made = api.create("network", name="shown")
    ours = OURS["networks"]
    assert set(made) == {name for name, each in ours.items() if each.visible}
    subnet_made = api.create("subnet", network_id=made["id"], cidr="10.0.0.0/24", ip_version=4)
    assert set(subnet_made) == {name for name, each in OURS["subnets"].items() if each.visible}
    port_made = api.create("port", network_id=made["id"])
    assert set(port_made) == {name for name, each in OURS["ports"].items() if each.visible} - OUR_OWN
