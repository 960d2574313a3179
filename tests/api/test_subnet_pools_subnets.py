"""Bad input about subnets that come from pools: the status, type and words of the real service, nothing done."""

from typing import Any

import pytest

from .conftest import Api
from .test_bad_input import NOWHERE, bad_request, invalid, reason
from .test_subnet_pools import pool, subnet
from .test_subnet_pools_bad_input import SCOPE_AFFINITY, Error, Place


def subnets_request(text: str) -> Error:
    return 400, "BadRequest", f"Bad subnets request: {text}."


POOL_AFFINITY = (
    400,
    "NetworkSubnetPoolAffinityError",
    "Subnets hosted on the same network must be allocated from the same subnet pool.",
)
NOT_FREE = (
    409,
    "SubnetAllocationError",
    "Failed to allocate subnet: Cannot allocate requested subnet from the available set of prefixes.",
)


@pytest.fixture(scope="module")
def place(api: Api) -> Place:
    return Place(api)


SUBNETS: list[tuple[dict[str, Any], Error]] = [
    ({"cidr": "10.0.9.0/24", "prefixlen": 24}, subnets_request("cidr and prefixlen must not be supplied together")),
    ({"subnetpool_id": "x"}, reason("subnetpool_id", "'x' is not a valid UUID")),
    (
        {"use_default_subnetpool": True},
        subnets_request("subnetpool_id and use_default_subnetpool cannot both be specified"),
    ),
    ({"use_default_subnetpool": "x"}, invalid("'x' cannot be converted to boolean")),
    ({"subnetpool_id": None}, subnets_request("a subnetpool must be specified in the absence of a cidr")),
    (
        {"allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.3"}]},
        subnets_request("allocation_pools allowed only for specific subnet requests."),
    ),
    ({"ip_version": 6}, subnets_request("Cannot allocate IPv6 subnet from IPv4 subnet pool")),
    ({"prefixlen": -1}, reason("prefixlen", "'-1' should be non-negative")),
    (
        {"prefixlen": 29},
        (
            400,
            "MaxPrefixSubnetAllocationError",
            "Unable to allocate subnet with prefix length 29, maximum allowed prefix is 28.",
        ),
    ),
    (
        {"prefixlen": 19},
        (
            400,
            "MinPrefixSubnetAllocationError",
            "Unable to allocate subnet with prefix length 19, minimum allowed prefix is 20.",
        ),
    ),
    (
        {"cidr": "10.0.9.0/30"},
        (
            400,
            "MaxPrefixSubnetAllocationError",
            "Unable to allocate subnet with prefix length 30, maximum allowed prefix is 28.",
        ),
    ),
    ({"cidr": "10.1.0.0/24"}, NOT_FREE),
    ({"cidr": "10.0.0.0/24"}, NOT_FREE),
    ({"cidr": "10.0.0.16/28"}, NOT_FREE),
    ({"cidr": "10.0.0.0/20"}, NOT_FREE),
    ({"gateway_ip": "10.0.0.1"}, NOT_FREE),
    ({"gateway_ip": "11.0.0.1"}, NOT_FREE),
    ({"gateway_ip": "10.0.1.0"}, invalid("Gateway is not valid on subnet")),
    ({"gateway_ip": "fd00::1"}, invalid("gateway_ip 'fd00::1' does not match the ip_version '4'")),
    ({"cidr": "10.0.5.0/24", "ip_version": 6}, subnets_request("Cannot allocate IPv6 subnet from IPv4 subnet pool")),
    ({"dns_nameservers": ["fd00::1"]}, invalid("dns_nameserver 'fd00::1' does not match the ip_version '4'")),
    ({"network_id": NOWHERE}, (404, "NetworkNotFound", f"Network {NOWHERE} could not be found.")),
    ({"subnetpool_id": NOWHERE}, (404, "SubnetPoolNotFound", f"Subnet pool {NOWHERE} could not be found.")),
]


@pytest.mark.parametrize(("given", "expected"), SUBNETS)
def test_subnets(api: Api, place: Place, given: dict[str, Any], expected: Error) -> None:
    before = place.snapshot(api)
    one = {"network_id": place.network, "ip_version": 4, "subnetpool_id": place.pool["id"]}
    assert api.fault(api.raw("POST", "/v2.0/subnets", {"subnet": one | given})) == expected
    assert place.snapshot(api) == before


def test_an_update_keeps_the_pool(api: Api, place: Place) -> None:
    for name, value in (("subnetpool_id", None), ("prefixlen", 24), ("use_default_subnetpool", True)):
        answer = api.raw("PUT", f"/v2.0/subnets/{place.subnet['id']}", {"subnet": {name: value}})
        assert api.fault(answer) == bad_request(f"Cannot update read-only attribute {name}")


def test_a_full_pool(api: Api) -> None:
    source = pool(api, "10.0.0.0/24", default_prefixlen=25)
    subnet(api, source, prefixlen=26)
    subnet(api, source)
    network = api.create("network")["id"]
    one = {"network_id": network, "ip_version": 4, "subnetpool_id": source["id"]}
    text = "Failed to allocate subnet: Insufficient prefix space to allocate subnet size /25."
    assert api.fault(api.raw("POST", "/v2.0/subnets", {"subnet": one})) == (409, "SubnetAllocationError", text)
    api.update("subnetpool", source["id"], prefixes=["10.0.0.0/23"])
    assert subnet(api, source, network)["cidr"] == "10.0.1.0/25"


def test_affinity(api: Api, place: Place) -> None:
    def post(network: str, **given: Any) -> Error:
        one = {"network_id": network, "ip_version": 4} | given
        return api.fault(api.raw("POST", "/v2.0/subnets", {"subnet": one}))

    apart = pool(api, "172.16.0.0/12", default_prefixlen=24)
    scope = api.create("address_scope", ip_version=4)["id"]
    scoped = pool(api, "192.168.0.0/16", default_prefixlen=24, address_scope_id=scope)
    before = place.snapshot(api)
    assert post(place.network, subnetpool_id=apart["id"]) == SCOPE_AFFINITY
    assert post(place.network, subnetpool_id=scoped["id"]) == SCOPE_AFFINITY
    assert post(place.network, cidr="192.0.2.0/24") == POOL_AFFINITY
    assert place.snapshot(api) == before
    # Without scopes: one pool, or none at all. The other IP version is another matter.
    network = subnet(api, apart)["network_id"]
    assert post(network, cidr="192.0.2.0/24") == POOL_AFFINITY
    assert post(network, subnetpool_id=pool(api, "10.0.0.0/16", default_prefixlen=24)["id"]) == POOL_AFFINITY
    assert post(network, subnetpool_id=scoped["id"]) == POOL_AFFINITY
    plain = api.create("network")["id"]
    api.create("subnet", network_id=plain, ip_version=4, cidr="192.0.2.0/24")
    assert post(plain, subnetpool_id=apart["id"]) == POOL_AFFINITY
    assert post(plain, subnetpool_id=scoped["id"]) == POOL_AFFINITY
    subnet(api, pool(api, "fd00::/48"), plain)
    # In one request.
    fresh = api.create("network")["id"]
    one = {"network_id": fresh, "ip_version": 4}
    both = [one | {"subnetpool_id": apart["id"]}, one | {"subnetpool_id": scoped["id"]}]
    assert api.fault(api.raw("POST", "/v2.0/subnets", {"subnets": both})) == POOL_AFFINITY
    assert api.fault(api.raw("POST", "/v2.0/subnets", {"subnets": both[::-1]})) == SCOPE_AFFINITY


def test_a_pool_can_not_leave_a_scope_that_its_networks_share(api: Api) -> None:
    scope, other = (api.create("address_scope", ip_version=4)["id"] for _ in range(2))
    one = pool(api, "10.0.0.0/16", default_prefixlen=24, address_scope_id=scope)
    two = pool(api, "10.1.0.0/16", default_prefixlen=24, address_scope_id=scope)
    network = subnet(api, one)["network_id"]
    second = subnet(api, two, network)
    for wanted in (other, None):
        answer = api.raw("PUT", f"/v2.0/subnetpools/{one['id']}", {"subnetpool": {"address_scope_id": wanted}})
        assert api.fault(answer) == SCOPE_AFFINITY
    api.delete("subnet", second["id"])
    assert api.update("subnetpool", one["id"], address_scope_id=other)["address_scope_id"] == other
