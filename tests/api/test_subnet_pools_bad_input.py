"""Bad input about address scopes and subnet pools: the status, type and words of the real service, nothing done."""

from typing import Any

import pytest

from .conftest import Api
from .test_bad_input import NOWHERE, bad_request, invalid, reason
from .test_subnet_pools import pool, subnet

Error = tuple[int, str, str]


def bounds(text: str) -> Error:
    return 400, "IllegalSubnetPoolPrefixBounds", f"Illegal prefix bounds: {text}."


NO_SUCH_SCOPE = (404, "AddressScopeNotFound", f"Address scope {NOWHERE} could not be found.")
CONFLICT = (
    409,
    "AddressScopePrefixConflict",
    "Failed to associate address scope: subnetpools within an address scope must have unique prefixes.",
)
SCOPE_AFFINITY = (
    400,
    "NetworkAddressScopeAffinityError",
    "Subnets of the same address family hosted on the same network must all participate in the same address scope.",
)


class Place:
    """A scope with a pool in it, of which a network has a subnet."""

    def __init__(self, api: Api) -> None:
        self.scope = api.create("address_scope", name="s", ip_version=4)["id"]
        self.pool = pool(
            api, "10.0.0.0/16", default_prefixlen=24, min_prefixlen=20, max_prefixlen=28, address_scope_id=self.scope
        )
        self.subnet = subnet(api, self.pool)
        self.network = self.subnet["network_id"]

    def snapshot(self, api: Api) -> list[Any]:
        return [
            api.show("address_scope", self.scope),
            api.show("subnetpool", self.pool["id"]),
            api.show("network", self.network),
            api.list("subnet", ("network_id", self.network)),
            api.list("subnetpool", ("address_scope_id", self.scope)),
        ]


@pytest.fixture(scope="module")
def place(api: Api) -> Place:
    return Place(api)


SCOPES: list[tuple[dict[str, Any], Error]] = [
    ({}, bad_request("Failed to parse request. Required attribute 'ip_version' not specified")),
    ({"ip_version": 5}, reason("ip_version", "5 is not in valid_values")),
    ({"ip_version": "x"}, invalid("'x' is not an integer")),
    ({"ip_version": None}, invalid("'None' is not an integer")),
    ({"ip_version": 4, "shared": "x"}, invalid("'x' cannot be converted to boolean")),
    ({"ip_version": 4, "name": None}, reason("name", "'None' is not a valid string")),
    ({"ip_version": 4, "description": "d"}, bad_request("Unrecognized attribute(s) 'description'")),
    ({"ip_version": 4, "tags": []}, bad_request("Unrecognized attribute(s) 'tags'")),
]


@pytest.mark.parametrize(("given", "expected"), SCOPES)
def test_address_scopes(api: Api, given: dict[str, Any], expected: Error) -> None:
    before = len(api.list("address_scope"))
    assert api.fault(api.raw("POST", "/v2.0/address-scopes", {"address_scope": given})) == expected
    assert len(api.list("address_scope")) == before


def test_address_scope_updates(api: Api, place: Place) -> None:
    before = place.snapshot(api)
    path = f"/v2.0/address-scopes/{place.scope}"

    def put(**given: Any) -> Error:
        return api.fault(api.raw("PUT", path, {"address_scope": given}))

    assert put(ip_version=6) == bad_request("Cannot update read-only attribute ip_version")
    shared = api.create("address_scope", ip_version=4, shared=True)["id"]
    answer = api.raw("PUT", f"/v2.0/address-scopes/{shared}", {"address_scope": {"shared": False}})
    text = f"Unable to update address scope {shared} : Shared address scope can't be unshared."
    assert api.fault(answer) == (400, "AddressScopeUpdateError", text)
    in_use = (
        f"Unable to complete operation on address scope {place.scope}. There are one or more subnet pools in use on "
        "the address scope."
    )
    assert api.fault(api.raw("DELETE", path)) == (409, "AddressScopeInUse", in_use)
    assert api.fault(api.raw("GET", f"/v2.0/address-scopes/{NOWHERE}")) == NO_SUCH_SCOPE
    assert place.snapshot(api) == before


FOUR = {"name": "p", "prefixes": ["10.1.0.0/16"]}
POOLS: list[tuple[dict[str, Any], Error]] = [
    ({"prefixes": []}, bad_request("Failed to parse request. Required attribute 'name' not specified")),
    ({"name": "p"}, bad_request("Failed to parse request. Required attribute 'prefixes' not specified")),
    ({**FOUR, "name": " "}, reason("name", "' ' Blank strings are not permitted")),
    ({**FOUR, "name": ""}, reason("name", "'' Blank strings are not permitted")),
    ({**FOUR, "name": " a"}, reason("name", "' a' is not a valid string")),
    ({**FOUR, "prefixes": []}, (400, "EmptySubnetPoolPrefixList", "Empty subnet pool prefix list.")),
    ({**FOUR, "prefixes": None}, reason("prefixes", "'None' is not a list")),
    ({**FOUR, "prefixes": "10.0.0.0/8"}, reason("prefixes", "'10.0.0.0/8' is not a list")),
    ({**FOUR, "prefixes": ["10.0.0.0"]}, reason("prefixes", "'10.0.0.0' is not a valid IP subnet")),
    ({**FOUR, "prefixes": [5]}, reason("prefixes", "'5' is not a valid IP subnet")),
    ({**FOUR, "prefixes": ["10.0.0.0/33"]}, reason("prefixes", "'10.0.0.0/33' is not a valid IP subnet")),
    ({**FOUR, "prefixes": ["10.0.0.0/8"] * 2}, reason("prefixes", "Duplicate items in the list: '10.0.0.0/8'")),
    (
        {**FOUR, "prefixes": ["10.0.0.0/8", "fd00::/48"]},
        (400, "PrefixVersionMismatch", "Cannot mix IPv4 and IPv6 prefixes in a subnet pool."),
    ),
    ({**FOUR, "ip_version": 4}, bad_request("Attribute 'ip_version' not allowed in POST")),
    ({**FOUR, "min_prefixlen": -1}, reason("min_prefixlen", "'-1' should be non-negative")),
    ({**FOUR, "min_prefixlen": "a"}, invalid("'a' is not an integer")),
    ({**FOUR, "min_prefixlen": None}, invalid("'None' is not an integer")),
    ({**FOUR, "max_prefixlen": 33}, bounds("max_prefixlen=33, ip_version_max=32")),
    ({**FOUR, "max_prefixlen": 7}, bounds("min_prefixlen=8, max_prefixlen=7")),
    ({**FOUR, "min_prefixlen": 20, "max_prefixlen": 19}, bounds("min_prefixlen=20, max_prefixlen=19")),
    ({**FOUR, "min_prefixlen": 40}, bounds("min_prefixlen=40, max_prefixlen=32")),
    ({**FOUR, "default_prefixlen": 7}, bounds("default_prefixlen=7, min_prefixlen=8")),
    (
        {**FOUR, "default_prefixlen": 25, "max_prefixlen": 24},
        bounds("default_prefixlen=25, max_prefixlen=24"),
    ),
    ({**FOUR, "prefixes": ["fd00::/48"], "max_prefixlen": 129}, bounds("max_prefixlen=129, ip_version_max=128")),
    ({**FOUR, "default_quota": -1}, reason("default_quota", "'-1' should be non-negative")),
    ({**FOUR, "default_quota": None}, invalid("'None' is not an integer")),
    ({**FOUR, "is_default": "x"}, invalid("'x' cannot be converted to boolean")),
    ({**FOUR, "address_scope_id": "x"}, reason("address_scope_id", "'x' is not a valid UUID")),
    ({**FOUR, "address_scope_id": NOWHERE}, NO_SUCH_SCOPE),
    ({**FOUR, "bogus": 1}, bad_request("Unrecognized attribute(s) 'bogus'")),
]


@pytest.mark.parametrize(("given", "expected"), POOLS)
def test_subnet_pools(api: Api, given: dict[str, Any], expected: Error) -> None:
    before = len(api.list("subnetpool"))
    assert api.fault(api.raw("POST", "/v2.0/subnetpools", {"subnetpool": given})) == expected
    assert len(api.list("subnetpool")) == before


def test_scopes_of_pools(api: Api, place: Place) -> None:
    before = place.snapshot(api)

    def post(*pools: dict[str, Any]) -> Error:
        return api.fault(api.raw("POST", "/v2.0/subnetpools", {"subnetpools": list(pools)}))

    inside = {"name": "p", "address_scope_id": place.scope}
    assert post(inside | {"prefixes": ["10.0.255.0/24"]}) == CONFLICT
    assert post(inside | {"prefixes": ["9.0.0.0/8", "10.0.0.0/8"]}) == CONFLICT
    assert post(*[inside | {"prefixes": ["11.0.0.0/8"]}] * 2) == CONFLICT
    status, kind, text = post(inside | {"prefixes": ["fd00::/48"]})
    assert (status, kind) == (400, "IllegalSubnetPoolIpVersionAssociationToAddressScope")
    assert text.endswith(
        f"cannot associate with address scope {place.scope} because subnetpool ip_version is not 4."
    ) and text.startswith("Illegal subnetpool association: subnetpool ")
    apart = pool(api, "10.0.4.0/22")["id"]

    def put(**given: Any) -> Error:
        return api.fault(api.raw("PUT", f"/v2.0/subnetpools/{apart}", {"subnetpool": given}))

    assert put(address_scope_id=place.scope) == CONFLICT
    api.update("subnetpool", place.pool["id"], name="p")
    beside = pool(api, "12.0.0.0/8", address_scope_id=place.scope)["id"]
    answer = api.raw("PUT", f"/v2.0/subnetpools/{beside}", {"subnetpool": {"prefixes": ["12.0.0.0/8", "10.0.0.0/24"]}})
    assert api.fault(answer) == CONFLICT
    api.delete("subnetpool", beside)
    assert place.snapshot(api) == before


def test_subnet_pool_updates(api: Api, place: Place) -> None:
    before = place.snapshot(api)
    path = f"/v2.0/subnetpools/{place.pool['id']}"

    def put(**given: Any) -> Error:
        return api.fault(api.raw("PUT", path, {"subnetpool": given}))

    shrunk = "Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes."
    for prefixes in (["10.0.0.0/17"], ["11.0.0.0/8"], [], ["fd00::/48"]):
        assert put(prefixes=prefixes) == (400, "IllegalSubnetPoolPrefixUpdate", shrunk)
    assert put(prefixes=["10.0.0.0/16", "fd00::/48"])[1] == "PrefixVersionMismatch"
    assert put(min_prefixlen=25) == bounds("default_prefixlen=24, min_prefixlen=25")
    assert put(max_prefixlen=23) == bounds("default_prefixlen=24, max_prefixlen=23")
    assert put(max_prefixlen=33) == bounds("max_prefixlen=33, ip_version_max=32")
    assert put(ip_version=6) == bad_request("Cannot update read-only attribute ip_version")
    assert put(shared=True) == bad_request("Cannot update read-only attribute shared")
    assert put(address_scope_id=NOWHERE) == NO_SUCH_SCOPE
    text = "Unable to delete subnet pool: Subnet pool has existing allocations."
    assert api.fault(api.raw("DELETE", path)) == (400, "SubnetPoolDeleteError", text)
    missing = (404, "SubnetPoolNotFound", f"Subnet pool {NOWHERE} could not be found.")
    assert api.fault(api.raw("GET", f"/v2.0/subnetpools/{NOWHERE}")) == missing
    assert place.snapshot(api) == before
