"""Bad input: the status, type and words of the real service, and nothing done."""

import uuid
from typing import Any

import httpx
import pytest

from .conftest import Api
from .test_resources import network_with

NOWHERE = "11111111-2222-3333-4444-555555555555"


class Place:
    """A network with a subnet and a port to make mistakes with."""

    def __init__(self, api: Api) -> None:
        network, (subnet, six) = network_with(api, "10.0.0.0/24", "fd00::/64")
        self.network, self.subnet, self.six = network["id"], subnet["id"], six["id"]
        other, (far,) = network_with(api, "10.0.5.0/24")
        self.other, self.far = other["id"], far["id"]
        port = api.create(
            "port",
            network_id=self.network,
            mac_address="fa:16:3e:aa:aa:aa",
            fixed_ips=[{"ip_address": "10.0.0.10"}],
        )
        self.port = port["id"]


@pytest.fixture(scope="module")
def place(api: Api) -> Place:
    return Place(api)


def snapshot(api: Api, place: Place) -> list[Any]:
    return [
        api.show("network", place.network),
        api.show("subnet", place.subnet),
        api.show("port", place.port),
        sorted(each["id"] for each in api.list("port", ("network_id", place.network))),
        sorted(each["id"] for each in api.list("subnet", ("network_id", place.network))),
    ]


def bad_request(text: str) -> tuple[int, str, str]:
    return 400, "HTTPBadRequest", text


def invalid(text: str) -> tuple[int, str, str]:
    return 400, "InvalidInput", f"Invalid input for operation: {text}."


def reason(attribute: str, text: str) -> tuple[int, str, str]:
    return bad_request(f"Invalid input for {attribute}. Reason: {text}.")


BODIES: list[tuple[Any, tuple[int, str, str]]] = [
    ({}, bad_request("Unable to find 'network' in request body")),
    ([], bad_request("Body contains invalid data")),
    ("a", bad_request("Body contains invalid data")),
    (5, bad_request("Body contains invalid data")),
    ({"network": None}, bad_request("Unable to find 'network' in request body")),
    ({"network": "a"}, bad_request("Object 'network' contains invalid data")),
    ({"network": []}, bad_request("Object 'network' contains invalid data")),
    ({"port": {}}, bad_request("Unable to find 'network' in request body")),
    ({"networks": []}, bad_request("Resources required")),
    ({"networks": {"a": 1}}, bad_request("Body contains invalid data")),
    ({"networks": [1]}, bad_request("Object 'network' contains invalid data")),
    ({"networks": [None]}, bad_request("Unable to find 'network' in request body")),
]


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_bodies(api: Api, body: Any, expected: tuple[int, str, str]) -> None:
    assert api.fault(api.raw("POST", "/v2.0/networks", json=body)) == expected


@pytest.mark.parametrize(
    "content", [b"{", b'{"network": {"name": "a"}', b"\xff", b"[" * 5000, b'{"network": {"mtu": NaN}}', b"null x"]
)
def test_malformed_json(api: Api, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.raw("POST", "/v2.0/networks", content=content, headers=headers)
    assert api.fault(answer) == bad_request("Body contains invalid data")


def test_http(api: Api) -> None:
    assert api.fault(api.raw("POST", "/v2.0/networks")) == bad_request("Unable to find 'network' in request body")
    assert api.fault(api.raw("GET", "/v2.0/nothing")) == (404, "HTTPNotFound", "The resource could not be found.")
    assert api.fault(api.raw("GET", "/v2.1/networks"))[:2] == (404, "HTTPNotFound")
    assert api.fault(api.raw("GET", "/v2.0/networks/a/b"))[:2] == (404, "HTTPNotFound")
    for method, path in (
        ("PATCH", "/v2.0/networks"),
        ("PUT", "/v2.0/networks"),
        ("DELETE", "/v2.0/networks"),
        ("POST", "/v2.0/networks/x"),
        ("POST", "/"),
        ("DELETE", "/v2.0/agents"),
    ):
        assert api.fault(api.raw(method, path)) == (
            405,
            "HTTPMethodNotAllowed",
            f"The method {method} is not allowed for this resource.",
        )
    assert api.raw("HEAD", "/v2.0/networks").status_code == 405
    body = b'{"network": {}}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        answer = api.raw("POST", "/v2.0/networks", content=body, headers={"Content-Type": kind})
        assert api.fault(answer)[:2] == (415, "HTTPUnsupportedMediaType")
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert api.raw("POST", "/v2.0/networks", content=body, headers=headers).status_code == 201
    # Without its length given, and with.
    large = b'{"network": {"name": "' + b"a" * (1 << 20) + b'"}}'
    for content in (large, iter([large])):
        answer = api.raw("POST", "/v2.0/networks", content=content, headers={"Content-Type": "application/json"})
        assert api.fault(answer)[:2] == (413, "HTTPRequestEntityTooLarge")


@pytest.mark.parametrize("name", ["network", "subnet", "port"])
def test_not_there(api: Api, name: str) -> None:
    kind = f"{name.capitalize()}NotFound"
    for id in (NOWHERE, "x", "%2e", "é"):
        text = f"{name.capitalize()} {httpx.URL('/' + id).path[1:]} could not be found."
        path = f"/v2.0/{name}s/{id}"
        assert api.fault(api.raw("GET", path)) == (404, kind, text)
        assert api.fault(api.raw("PUT", path, {name: {"name": "a"}})) == (404, kind, text)
        assert api.fault(api.raw("DELETE", path)) == (404, kind, text)
    assert api.fault(api.raw("GET", f"/v2.0/{name}s?limit=1&marker={NOWHERE}"))[:2] == (404, kind)


def test_delete_with_a_body(api: Api, place: Place) -> None:
    answer = api.raw("DELETE", f"/v2.0/ports/{place.port}", {"a": 1})
    assert api.fault(answer) == bad_request("Request body is not supported in DELETE.")


NETWORKS: list[tuple[dict[str, Any], tuple[int, str, str]]] = [
    ({"nme": "a", "x": 1}, bad_request("Unrecognized attribute(s) 'nme, x'")),
    ({"id": NOWHERE}, bad_request("Attribute 'id' not allowed in POST")),
    ({"status": "ACTIVE"}, bad_request("Attribute 'status' not allowed in POST")),
    ({"subnets": []}, bad_request("Attribute 'subnets' not allowed in POST")),
    ({"tags": []}, bad_request("Attribute 'tags' not allowed in POST")),
    ({"name": 5}, reason("name", "'5' is not a valid string")),
    ({"name": None}, reason("name", "'None' is not a valid string")),
    ({"name": "a" * 256}, reason("name", f"'{'a' * 256}' exceeds maximum length of 255")),
    ({"name": "a\nb"}, reason("name", "'a\nb' is not a valid string")),
    ({"name": " a"}, reason("name", "' a' is not a valid string")),
    ({"description": []}, reason("description", "'[]' is not a valid string")),
    ({"project_id": 5}, reason("project_id", "'5' is not a valid string")),
    ({"project_id": "a", "tenant_id": "b"}, bad_request("'project_id' and 'tenant_id' do not match")),
    ({"admin_state_up": "maybe"}, invalid("'maybe' cannot be converted to boolean")),
    ({"admin_state_up": None}, invalid("'None' cannot be converted to boolean")),
    ({"shared": []}, invalid("'[]' cannot be converted to boolean")),
    ({"mtu": "a"}, invalid("'a' is not an integer")),
    ({"mtu": -1}, reason("mtu", "'-1' should be non-negative")),
    ({"mtu": 1451}, invalid("Requested MTU is too big, maximum is 1450")),
    ({"mtu": 10**40}, invalid(f"'{10**40}' is not an integer")),
    ({"provider:segmentation_id": 5}, invalid("network_type required")),
    (
        {"provider:network_type": "vxlan", "provider:physical_network": "p"},
        invalid("provider:physical_network specified for vxlan network"),
    ),
    (
        {"provider:network_type": "vxlan", "provider:segmentation_id": 0},
        invalid("segmentation_id out of range (1 through 16777215)"),
    ),
    (
        {"provider:network_type": "vxlan", "provider:segmentation_id": 1 << 24},
        invalid("segmentation_id out of range (1 through 16777215)"),
    ),
    ({"security_groups": []}, bad_request("Unrecognized attribute(s) 'security_groups'")),
    ({"port_security_enabled": None}, invalid("'None' cannot be converted to boolean")),
]


@pytest.mark.parametrize(("given", "expected"), NETWORKS)
def test_networks(api: Api, given: dict[str, Any], expected: tuple[int, str, str]) -> None:
    before = len(api.list("network", ("fields", "id")))
    assert api.fault(api.raw("POST", "/v2.0/networks", {"network": given})) == expected
    assert len(api.list("network", ("fields", "id"))) == before


def test_network_updates(api: Api, place: Place) -> None:
    before = snapshot(api, place)

    def put(**given: Any) -> tuple[int, str, str]:
        return api.fault(api.raw("PUT", f"/v2.0/networks/{place.network}", {"network": given}))

    assert put(id=NOWHERE) == bad_request("Cannot update read-only attribute id")
    assert put(project_id="a") == bad_request("Cannot update read-only attribute project_id")
    assert put(revision_number=3) == bad_request("Cannot update read-only attribute revision_number")
    assert put(mtu=9000) == invalid("Requested MTU is too big, maximum is 1450")
    assert put(mtu=1000) == (
        409,
        "NetworkMTUSubnetConflict",
        f"MTU of {place.network} is not valid, subnet requires a minimum of 1280",
    )
    assert put(**{"provider:segmentation_id": 1}) == invalid(
        "Plugin does not support updating the following provider network attributes: provider:segmentation_id"
    )
    assert put(bogus=1) == bad_request("Unrecognized attribute(s) 'bogus'")
    answer = api.raw("PUT", f"/v2.0/networks/{place.network}", {"networks": [{}]})
    assert api.fault(answer) == bad_request("Bulk operation not supported")
    answer = api.raw("PUT", f"/v2.0/networks/{place.network}", {"port": {}})
    assert api.fault(answer) == bad_request("Unable to find 'network' in request body")
    assert snapshot(api, place) == before


def test_unsharing_what_others_use(api: Api) -> None:
    network = api.create("network", name="ours", shared=True, project_id="a")
    api.create("port", network_id=network["id"], project_id="b")
    answer = api.raw("PUT", f"/v2.0/networks/{network['id']}", {"network": {"shared": False}})
    assert api.fault(answer)[:2] == (409, "InvalidSharedSetting")


def test_network_in_use(api: Api, place: Place) -> None:
    assert api.fault(api.raw("DELETE", f"/v2.0/networks/{place.network}")) == (
        409,
        "NetworkInUse",
        f"Unable to complete operation on network {place.network}. There are one or more ports still in use on the "
        f"network, id for these ports is: {place.port}.",
    )
    assert api.fault(api.raw("DELETE", f"/v2.0/subnets/{place.subnet}")) == (
        409,
        "SubnetInUse",
        f"Unable to complete operation on subnet {place.subnet}: One or more ports have an IP allocation from this "
        "subnet.",
    )


FOUR = {"cidr": "10.1.0.0/24", "ip_version": 4}
SIX = {"cidr": "fd01::/64", "ip_version": 6}
SLAAC = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}


def pool(start: str, end: str) -> dict[str, str]:
    return {"start": start, "end": end}


SUBNETS: list[tuple[dict[str, Any], tuple[int, str, str]]] = [
    ({"ip_version": None, **FOUR, "cidr": "x"}, invalid("x is not in a CIDR format")),
    ({**FOUR, "cidr": None}, invalid("None is not in a CIDR format")),
    ({**FOUR, "cidr": "10.0.0.0/33"}, invalid("10.0.0.0/33 is not in a CIDR format")),
    ({**FOUR, "cidr": 5}, invalid("5 is not in a CIDR format")),
    ({**FOUR, "ip_version": 5}, reason("ip_version", "5 is not in valid_values")),
    ({**FOUR, "ip_version": 6}, invalid("cidr '10.1.0.0/24' does not match the ip_version '6'")),
    (
        {**FOUR, "prefixlen": 24},
        (400, "BadRequest", "Bad subnets request: cidr and prefixlen must not be supplied together."),
    ),
    (
        {"ip_version": 4},
        (400, "BadRequest", "Bad subnets request: a subnetpool must be specified in the absence of a cidr."),
    ),
    ({**FOUR, "subnetpool_id": NOWHERE}, (404, "SubnetPoolNotFound", f"Subnet pool {NOWHERE} could not be found.")),
    ({**FOUR, "network_id": NOWHERE}, (404, "NetworkNotFound", f"Network {NOWHERE} could not be found.")),
    ({**FOUR, "network_id": "x"}, reason("network_id", "'x' is not a valid UUID")),
    ({**FOUR, "gateway_ip": "10.1.0.0"}, invalid("Gateway is not valid on subnet")),
    ({**FOUR, "gateway_ip": "10.1.0.255"}, invalid("Gateway is not valid on subnet")),
    ({**FOUR, "gateway_ip": "fd00::1"}, invalid("gateway_ip 'fd00::1' does not match the ip_version '4'")),
    ({**FOUR, "gateway_ip": "x"}, reason("gateway_ip", "'x' is not a valid IP address")),
    (
        {**FOUR, "gateway_ip": "10.01.0.1"},
        reason("gateway_ip", "'10.01.0.1' is not an accepted IP address, '10.1.0.1' is recommended"),
    ),
    ({**FOUR, "allocation_pools": "x"}, invalid("Invalid data format for allocation pools")),
    ({**FOUR, "allocation_pools": [1]}, invalid("Invalid data format for allocation pools")),
    (
        {**FOUR, "allocation_pools": [{"start": "10.1.0.2"}]},
        reason(
            "allocation_pools",
            "Validation of dictionary's keys failed. Expected keys: ['end', 'start'] Provided keys: ['start']",
        ),
    ),
    (
        {**FOUR, "allocation_pools": [pool("10.1.0.9", "10.1.0.2")]},
        (400, "InvalidAllocationPool", "The allocation pool 10.1.0.9-10.1.0.2 is not valid."),
    ),
    (
        {**FOUR, "allocation_pools": [pool("fd00::2", "fd00::5")]},
        (400, "InvalidAllocationPool", "The allocation pool fd00::2-fd00::5 is not valid."),
    ),
    (
        {**FOUR, "allocation_pools": [pool("10.1.0.2", "10.1.1.5")]},
        (
            400,
            "OutOfBoundsAllocationPool",
            "The allocation pool 10.1.0.2-10.1.1.5 spans beyond the subnet cidr 10.1.0.0/24.",
        ),
    ),
    (
        {**FOUR, "allocation_pools": [pool("10.1.0.20", "10.1.0.30"), pool("10.1.0.2", "10.1.0.20")]},
        (
            409,
            "OverlappingAllocationPools",
            "Found overlapping allocation pools: 10.1.0.2-10.1.0.20 10.1.0.20-10.1.0.30 for subnet 10.1.0.0/24.",
        ),
    ),
    (
        {**FOUR, "allocation_pools": [pool("10.1.0.1", "10.1.0.9")]},
        (
            409,
            "GatewayConflictWithAllocationPools",
            "Gateway ip 10.1.0.1 conflicts with allocation pool 10.1.0.1-10.1.0.9.",
        ),
    ),
    (
        {**FOUR, "dns_nameservers": ["x"]},
        reason("dns_nameservers", "'x' is not a valid nameserver. 'x' is not a valid IP address"),
    ),
    ({**FOUR, "dns_nameservers": ["fd00::1"]}, invalid("dns_nameserver 'fd00::1' does not match the ip_version '4'")),
    ({**FOUR, "dns_nameservers": ["9.9.9.9"] * 2}, reason("dns_nameservers", "Duplicate nameserver '9.9.9.9'")),
    (
        {**FOUR, "host_routes": [{"destination": "10.0.0.1/8", "nexthop": "10.1.0.2"}]},
        reason("host_routes", "'10.0.0.1/8' is not a valid CIDR"),
    ),
    (
        {**FOUR, "host_routes": [{"destination": "fd00::/8", "nexthop": "10.1.0.2"}]},
        invalid("destination 'fd00::/8' does not match the ip_version '4'"),
    ),
    (
        {**FOUR, "cidr": "10.1.0.0/31"},
        invalid("Subnet has a prefix length that is incompatible with DHCP service enabled"),
    ),
    ({**FOUR, "cidr": "224.0.0.0/24"}, invalid("Multicast IP subnet is not supported if enable_dhcp is True")),
    ({**FOUR, "cidr": "127.0.0.0/24"}, invalid("Loopback IP subnet is not supported if enable_dhcp is True")),
    (
        {**FOUR, "cidr": "0.0.0.0/8"},
        invalid("First IP '0.0.0.0' of network is not supported if enable_dhcp is True."),
    ),
    ({**FOUR, "cidr": "0.0.0.0/0", "enable_dhcp": False}, invalid("0 is not allowed as CIDR prefix length")),
    ({**FOUR, **SLAAC}, invalid("ipv6_ra_mode is not valid when ip_version is 4")),
    ({**SIX, "ipv6_ra_mode": "x"}, reason("ipv6_ra_mode", "x is not in valid_values")),
    (
        {**SIX, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "dhcpv6-stateful"},
        invalid(
            "ipv6_ra_mode set to 'slaac' with ipv6_address_mode set to 'dhcpv6-stateful' is not valid. If both "
            "attributes are set, they must be the same value"
        ),
    ),
    (
        {**SIX, **SLAAC, "enable_dhcp": False},
        invalid("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False"),
    ),
    (
        {**SIX, **SLAAC, "cidr": "fd01::/65"},
        invalid(
            "Invalid CIDR fd01::/65 for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires "
            "the prefix to be /64"
        ),
    ),
]


@pytest.mark.parametrize(("given", "expected"), SUBNETS)
def test_subnets(api: Api, place: Place, given: dict[str, Any], expected: tuple[int, str, str]) -> None:
    before = snapshot(api, place)
    answer = api.raw("POST", "/v2.0/subnets", {"subnet": {"network_id": place.network, **given}})
    assert api.fault(answer) == expected
    assert snapshot(api, place) == before


def test_subnet_limits(api: Api, place: Place) -> None:
    servers = [f"10.1.0.{n}" for n in range(1, 7)]
    routes = [{"destination": f"10.{n}.0.0/16", "nexthop": "10.1.0.2"} for n in range(21)]
    for given, kind in (
        ({"dns_nameservers": servers}, "DNSNameServersExhausted"),
        ({"host_routes": routes}, "HostRoutesExhausted"),
    ):
        answer = api.raw("POST", "/v2.0/subnets", {"subnet": {"network_id": place.network, **FOUR, **given}})
        assert api.fault(answer)[:2] == (400, kind)


def test_required_attributes(api: Api) -> None:
    for name, attribute in (("port", "network_id"), ("subnet", "network_id")):
        answer = api.raw("POST", f"/v2.0/{name}s", {name: {}})
        expected = f"Failed to parse request. Required attribute '{attribute}' not specified"
        assert api.fault(answer) == bad_request(expected)
    answer = api.raw("POST", "/v2.0/subnets", {"subnet": {"network_id": NOWHERE, "cidr": "10.0.0.0/8"}})
    assert api.fault(answer) == bad_request("Failed to parse request. Required attribute 'ip_version' not specified")


@pytest.mark.parametrize("cidr", ["10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/8", "fd00::/64", "fd00::/48"])
def test_overlaps(api: Api, place: Place, cidr: str) -> None:
    version = 6 if ":" in cidr else 4
    body = {"subnet": {"network_id": place.network, "cidr": cidr, "ip_version": version}}
    assert api.fault(api.raw("POST", "/v2.0/subnets", body)) == invalid(
        f"Requested subnet with cidr: {cidr} for network: {place.network} overlaps with another subnet"
    )


def test_subnet_of_a_small_mtu(api: Api) -> None:
    small, tiny = api.create("network", mtu=1000)["id"], api.create("network", mtu=60)["id"]
    for network, given, least in ((small, SIX, 1280), (tiny, FOUR, 68)):
        answer = api.raw("POST", "/v2.0/subnets", {"subnet": {"network_id": network, **given}})
        assert api.fault(answer) == (
            409,
            "NetworkMTUSubnetConflict",
            f"MTU of {network} is not valid, subnet requires a minimum of {least}",
        )


def test_subnet_updates(api: Api, place: Place) -> None:
    before = snapshot(api, place)

    def put(**given: Any) -> tuple[int, str, str]:
        return api.fault(api.raw("PUT", f"/v2.0/subnets/{place.subnet}", {"subnet": given}))

    assert put(cidr="10.0.0.0/16") == bad_request("Cannot update read-only attribute cidr")
    assert put(ip_version=6) == bad_request("Cannot update read-only attribute ip_version")
    assert put(ipv6_ra_mode="slaac") == bad_request("Cannot update read-only attribute ipv6_ra_mode")
    assert put(gateway_ip="10.0.0.9")[1] == "GatewayConflictWithAllocationPools"
    assert put(gateway_ip="fd00::1") == invalid("gateway_ip 'fd00::1' does not match the ip_version '4'")
    assert put(allocation_pools=[pool("10.0.0.1", "10.0.0.5")])[1] == "GatewayConflictWithAllocationPools"
    assert put(allocation_pools=[pool("10.0.0.2", "10.0.2.5")])[1] == "OutOfBoundsAllocationPool"
    assert put(dns_nameservers=["fd00::1"])[1] == "InvalidInput"
    assert snapshot(api, place) == before


def test_dhcp_stays_with_ipv6_modes(api: Api) -> None:
    network = api.create("network")["id"]
    subnet = api.create("subnet", network_id=network, **SIX, **SLAAC)["id"]
    answer = api.raw("PUT", f"/v2.0/subnets/{subnet}", {"subnet": {"enable_dhcp": False}})
    assert api.fault(answer) == invalid("Cannot disable enable_dhcp with ipv6 attributes set")


PORTS: list[tuple[dict[str, Any], tuple[int, str, str]]] = [
    ({"network_id": NOWHERE}, (404, "NetworkNotFound", f"Network {NOWHERE} could not be found.")),
    ({"network_id": None}, reason("network_id", "'None' is not a valid UUID")),
    ({"mac_address": "fa:16:3e"}, reason("mac_address", "'fa:16:3e' is not a valid MAC address")),
    ({"mac_address": 5}, reason("mac_address", "'5' is not a valid MAC address")),
    ({"mac_address": "01:00:5e:00:00:01"}, reason("mac_address", "'01:00:5e:00:00:01' is not a valid MAC address")),
    ({"fixed_ips": None}, reason("fixed_ips", "Invalid data format for fixed IP: 'None'")),
    ({"fixed_ips": [1]}, reason("fixed_ips", "Invalid data format for fixed IP: '1'")),
    ({"fixed_ips": [{}]}, invalid("IP allocation requires subnet_id or ip_address")),
    ({"fixed_ips": [{"ip_address": "x"}]}, reason("fixed_ips", "'x' is not a valid IP address")),
    ({"fixed_ips": [{"subnet_id": "x"}]}, reason("fixed_ips", "'x' is not a valid UUID")),
    (
        {"fixed_ips": [{"ip_address": "10.0.0.3"}, {"ip_address": "10.0.0.3"}]},
        reason("fixed_ips", "Duplicate IP address '10.0.0.3'"),
    ),
    ({"fixed_ips": [{"subnet_id": NOWHERE}]}, (404, "SubnetNotFound", f"Subnet {NOWHERE} could not be found.")),
    (
        {"fixed_ips": [{"ip_address": "10.9.0.1"}]},
        (
            400,
            "InvalidIpForNetwork",
            "IP address 10.9.0.1 is not a valid IP for any of the subnets on the specified network.",
        ),
    ),
    ({"device_id": 5}, reason("device_id", "'5' is not a valid string")),
    ({"device_owner": "a" * 256}, reason("device_owner", f"'{'a' * 256}' exceeds maximum length of 255")),
    ({"extra_dhcp_opts": "x"}, invalid("'x' is not a list")),
    (
        {"extra_dhcp_opts": [{"opt_name": "a"}]},
        invalid("No valid key specs matched for: {'opt_name': 'a'}"),
    ),
    ({"binding:profile": "x"}, reason("binding:profile", "'x' is not a dictionary")),
    ({"binding:profile": {"a": "b" * 5000}}, invalid("binding:profile value too large")),
    ({"binding:vnic_type": "x"}, reason("binding:vnic_type", "x is not in valid_values")),
    ({"binding:host_id": 5}, reason("binding:host_id", "'5' is not a valid string")),
    ({"binding:vif_type": "ovs"}, bad_request("Attribute 'binding:vif_type' not allowed in POST")),
    ({"tunbridge:fault": "x"}, bad_request("Attribute 'tunbridge:fault' not allowed in POST")),
    ({"tags": ["a", "a"]}, reason("tags", "Duplicate items in the list: 'a'")),
]


@pytest.mark.parametrize(("given", "expected"), PORTS)
def test_ports(api: Api, place: Place, given: dict[str, Any], expected: tuple[int, str, str]) -> None:
    before = snapshot(api, place)
    assert api.fault(api.raw("POST", "/v2.0/ports", {"port": {"network_id": place.network, **given}})) == expected
    assert snapshot(api, place) == before


def test_addresses_in_use(api: Api, place: Place) -> None:
    def post(**given: Any) -> tuple[int, str, str]:
        return api.fault(api.raw("POST", "/v2.0/ports", {"port": {"network_id": place.network, **given}}))

    taken = (
        409,
        "IpAddressAlreadyAllocated",
        f"IP address 10.0.0.10 already allocated in subnet {place.subnet}",
    )
    assert post(fixed_ips=[{"ip_address": "10.0.0.10"}]) == taken
    assert post(fixed_ips=[{"subnet_id": place.subnet, "ip_address": "10.0.0.10"}]) == taken
    assert post(mac_address="FA-16-3E-AA-AA-AA") == (
        409,
        "MacAddressInUse",
        f"Unable to complete operation for network {place.network}. The mac address fa:16:3e:aa:aa:aa is in use.",
    )
    wrong = (400, "InvalidIpForSubnet", "IP address 10.9.0.1 is not a valid IP for the specified subnet.")
    assert post(fixed_ips=[{"subnet_id": place.subnet, "ip_address": "10.9.0.1"}]) == wrong
    for edge in ("10.0.0.0", "10.0.0.255", "fd00::1"):
        answer = post(fixed_ips=[{"subnet_id": place.subnet, "ip_address": edge}])
        assert answer[:2] == (400, "InvalidIpForSubnet")
    assert post(fixed_ips=[{"subnet_id": place.far}]) == invalid(
        f"Failed to create port on network {place.network}, because fixed_ips included invalid subnet {place.far}"
    )
    empty = api.create("network")["id"]
    answer = post(network_id=empty, fixed_ips=[{"ip_address": "10.0.0.5"}])
    assert answer == invalid("IP allocation requires subnets for network")


def test_port_updates(api: Api, place: Place) -> None:
    other = api.create("port", network_id=place.network, device_owner="network:dhcp")
    before = snapshot(api, place)

    def put(**given: Any) -> tuple[int, str, str]:
        return api.fault(api.raw("PUT", f"/v2.0/ports/{other['id']}", {"port": given}))

    assert put(network_id=place.other) == bad_request("Cannot update read-only attribute network_id")
    assert put(status="ACTIVE") == bad_request("Cannot update read-only attribute status")
    assert put(fixed_ips=[{"ip_address": "10.0.0.10"}])[1] == "IpAddressAlreadyAllocated"
    assert put(fixed_ips=[{"ip_address": "10.9.9.9"}])[1] == "InvalidIpForNetwork"
    assert put(mac_address="fa:16:3e:aa:aa:aa")[1] == "UnsupportedPortDeviceOwner"
    assert put(mac_address="fa:16:3e:aa:aa:aa", device_owner="compute:a")[1] == "MacAddressInUse"
    assert snapshot(api, place) == before
    api.delete("port", other["id"])


QUERIES = [
    ("limit=x", (400, "BadRequest", "Bad limit request: Limit must be an integer 0 or greater and not 'x'.")),
    ("limit=-1", (400, "BadRequest", "Bad limit request: Limit must be an integer 0 or greater and not '-1'.")),
    ("colour=red", bad_request("['colour'] is invalid attribute for filtering")),
    ("fixed_ips=x", invalid("'x' is not of the form <key>=[value]")),
    ("admin_state_up=x", invalid("'x' cannot be converted to boolean")),
    ("revision_number=x", invalid("'x' is not an integer")),
    ("sort_key=name", bad_request("The number of sort_keys and sort_dirs must be same")),
    ("sort_key=nme&sort_dir=asc", bad_request("['nme'] is invalid attribute for sort_keys")),
    ("sort_key=fixed_ips&sort_dir=asc", bad_request("['fixed_ips'] is invalid attribute for sort_keys")),
    (
        "sort_key=name&sort_dir=up",
        bad_request("['up'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'"),
    ),
    (
        "changed_since=yesterday",
        invalid("The input changed_since must be in the following format: YYYY-MM-DDTHH:MM:SSZ"),
    ),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_queries(api: Api, query: str, expected: tuple[int, str, str]) -> None:
    assert api.fault(api.raw("GET", f"/v2.0/ports?{query}")) == expected


def test_ids_are_not_guessed(api: Api) -> None:
    """What looks like another id is none."""
    id = api.create("network")["id"]
    assert api.raw("GET", f"/v2.0/networks/{id.upper()}").status_code in (200, 404)
    assert api.raw("GET", f"/v2.0/networks/{uuid.UUID(id).hex}").status_code == 404
