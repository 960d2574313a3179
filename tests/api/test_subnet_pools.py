"""Address scopes and subnet pools: what they do when asked well, and the clients that people have."""

import uuid
from typing import Any

import openstack
import pytest

from .conftest import Api
from .test_clients import run

SCOPES = {4: "ipv4_address_scope", 6: "ipv6_address_scope"}


def pool(api: Api, *prefixes: str, **more: Any) -> dict[str, Any]:
    return api.create("subnetpool", name="p", prefixes=list(prefixes), **more)


def subnet(api: Api, source: dict[str, Any], network: str | None = None, **more: Any) -> dict[str, Any]:
    """From the pool, on the network or on one of its own."""
    network = network or api.create("network")["id"]
    given = {"network_id": network, "ip_version": source["ip_version"], "subnetpool_id": source["id"]}
    return api.create("subnet", **given | more)


def test_address_scope_life(api: Api) -> None:
    made = api.create("address_scope", name="s", ip_version=4, project_id="a")
    assert set(made) == {"id", "name", "project_id", "tenant_id", "ip_version", "shared"}
    assert made["ip_version"] == 4 and made["shared"] is False and made["project_id"] == "a"
    changed = api.update("address_scope", made["id"], name="t", shared=True)
    assert changed == made | {"name": "t", "shared": True} and api.show("address_scope", made["id"]) == changed
    six = api.create("address_scope", name="s6", ip_version="6")
    listed = api.list("address_scope", ("ip_version", 6), ("id", six["id"]), ("id", made["id"]))
    assert [each["name"] for each in listed] == ["s6"]
    assert api.raw("GET", f"/v2.0/address-scopes/{made['id']}/tags").status_code == 404
    for each in (made, six):
        api.delete("address_scope", each["id"])
        assert api.raw("GET", f"/v2.0/address-scopes/{each['id']}").status_code == 404


def test_subnet_pool_life(api: Api) -> None:
    made = pool(api, "10.0.1.0/24", "10.0.0.9/24", "10.9.0.0/16", description="d", project_id="a")
    assert made["prefixes"] == ["10.0.0.0/23", "10.9.0.0/16"] and made["ip_version"] == 4
    assert (made["min_prefixlen"], made["default_prefixlen"], made["max_prefixlen"]) == (8, 8, 32)
    assert made["default_quota"] is None and made["address_scope_id"] is None
    assert made["is_default"] is made["shared"] is False and made["revision_number"] == 0
    six = pool(api, "fd00::/48", max_prefixlen=120)
    assert (six["min_prefixlen"], six["default_prefixlen"], six["max_prefixlen"]) == (64, 64, 120)
    changed = api.update("subnetpool", made["id"], name="q", default_prefixlen=24, min_prefixlen=0, default_quota=512)
    assert (changed["min_prefixlen"], changed["default_prefixlen"], changed["default_quota"]) == (0, 24, 512)
    assert changed["revision_number"] == 1 and api.show("subnetpool", made["id"]) == changed
    assert api.update("subnetpool", made["id"], prefixes=["10.9.0.0/16", "10.0.0.0/23"])["revision_number"] == 1
    grown = api.update("subnetpool", made["id"], prefixes=["10.0.0.0/22", "10.8.0.0/15", "11.0.0.0/8"])
    assert grown["prefixes"] == ["10.0.0.0/22", "10.8.0.0/15", "11.0.0.0/8"]
    api.raw("PUT", f"/v2.0/subnetpools/{made['id']}/tags/red")
    found = api.list("subnetpool", ("tags", "red"), ("default_prefixlen", "24"), ("id", made["id"]))
    assert [each["id"] for each in found] == [made["id"]]
    for each in (made, six):
        api.delete("subnetpool", each["id"])


def test_subnets_from_a_pool(api: Api) -> None:
    source = pool(api, "10.0.0.0/22", default_prefixlen=24, min_prefixlen=22, max_prefixlen=28)
    first = subnet(api, source)
    assert first["cidr"] == "10.0.0.0/24" and first["subnetpool_id"] == source["id"]
    assert first["gateway_ip"] == "10.0.0.1"
    assert first["allocation_pools"] == [{"start": "10.0.0.2", "end": "10.0.0.254"}]
    assert "prefixlen" not in first and "use_default_subnetpool" not in first
    # What is left of the smallest block that is large enough.
    assert subnet(api, source, prefixlen=25)["cidr"] == "10.0.1.0/25"
    assert subnet(api, source, prefixlen=28)["cidr"] == "10.0.1.128/28"
    assert subnet(api, source, prefixlen=26)["cidr"] == "10.0.1.192/26"
    assert subnet(api, source)["cidr"] == "10.0.2.0/24"
    # By its prefix, and by its gateway.
    ranges = [{"start": "10.0.3.20", "end": "10.0.3.29"}]
    chosen = subnet(api, source, cidr="10.0.3.16/28", allocation_pools=ranges)
    assert chosen["cidr"] == "10.0.3.16/28" and chosen["allocation_pools"] == ranges
    led = subnet(api, source, gateway_ip="10.0.3.66", prefixlen=27)
    assert led["cidr"] == "10.0.3.64/27" and led["gateway_ip"] == "10.0.3.66"
    alone = subnet(api, source, prefixlen=28, gateway_ip=None)
    assert alone["cidr"] == "10.0.1.144/28" and alone["gateway_ip"] is None
    assert {each["id"] for each in api.list("subnet", ("subnetpool_id", source["id"]), ("cidr", led["cidr"]))} == {
        led["id"]
    }
    # What a subnet gives back is there for the next; a network's subnets go with it.
    api.delete("network", first["network_id"])
    assert subnet(api, source)["cidr"] == "10.0.0.0/24"
    api.delete("subnet", led["id"])
    assert subnet(api, source, cidr="10.0.3.64/27")["cidr"] == "10.0.3.64/27"


def test_a_subnet_of_ipv6(api: Api) -> None:
    source = pool(api, "fd00::/48", "fd00:1::/64")
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    made = subnet(api, source, **modes)
    assert made["cidr"] == "fd00:1::/64" and made["gateway_ip"] == "fd00:1::1"
    port = api.create("port", network_id=made["network_id"], mac_address="fa:16:3e:00:00:01")
    assert [each["ip_address"] for each in port["fixed_ips"]] == ["fd00:1::f816:3eff:fe00:1"]
    assert subnet(api, source)["cidr"] == "fd00::/64"


def test_several_subnets_in_one_request(api: Api) -> None:
    source = pool(api, "10.0.0.0/24", default_prefixlen=26, default_quota=192)
    networks = [api.create("network")["id"] for _ in range(3)]
    one = {"ip_version": 4, "subnetpool_id": source["id"]}
    wanted = [one | {"network_id": network} for network in networks]
    made = api.ask("POST", "/v2.0/subnets", {"subnets": wanted}, 201)["subnets"]
    assert [each["cidr"] for each in made] == ["10.0.0.0/26", "10.0.0.64/26", "10.0.0.128/26"]
    for each in made:
        api.delete("subnet", each["id"])
    twice = api.raw("POST", "/v2.0/subnets", {"subnets": [one | {"network_id": networks[0]}] * 4})
    assert api.fault(twice)[:2] == (409, "SubnetPoolQuotaExceeded")
    assert api.list("subnet", ("subnetpool_id", source["id"])) == []


def test_quota_counts_a_projects_own(api: Api) -> None:
    source = pool(api, "10.0.0.0/8", default_prefixlen=24, default_quota=256)
    subnet(api, source, project_id="a", prefixlen=25)
    subnet(api, source, project_id="b")
    subnet(api, source, project_id="a", prefixlen=25)
    network = api.create("network")["id"]
    one = {"network_id": network, "ip_version": 4, "subnetpool_id": source["id"], "project_id": "a", "prefixlen": 32}
    full = api.fault(api.raw("POST", "/v2.0/subnets", {"subnet": one | {"enable_dhcp": False}}))
    assert full == (409, "SubnetPoolQuotaExceeded", "Per-project subnet pool prefix quota exceeded.")
    api.update("subnetpool", source["id"], default_quota=0)
    subnet(api, source, network, project_id="a")
    # Of IPv6 it counts networks of 64 bits, and parts of them as parts.
    source = pool(api, "fd00::/32", default_quota=2)
    subnet(api, source, project_id="a")
    subnet(api, source, project_id="a", prefixlen=65)
    subnet(api, source, project_id="a", prefixlen=65)
    one |= {"ip_version": 6, "subnetpool_id": source["id"], "prefixlen": 126}
    assert api.fault(api.raw("POST", "/v2.0/subnets", {"subnet": one}))[1] == "SubnetPoolQuotaExceeded"


def test_the_default_pool(own_api: Api) -> None:
    api = own_api
    network = api.create("network")["id"]
    one = {"network_id": network, "ip_version": 4, "use_default_subnetpool": True}
    none = api.fault(api.raw("POST", "/v2.0/subnets", {"subnet": one}))
    assert none == (400, "BadRequest", "Bad subnets request: No default subnetpool found for IPv4.")
    made = pool(api, "10.0.0.0/16", is_default=True, default_prefixlen=24)
    pool(api, "fd00::/48", is_default=True)
    second = {"name": "q", "prefixes": ["10.1.0.0/16"], "is_default": True}
    text = (
        "Invalid input for operation: A default subnetpool for this IP family has already been set. "
        "Only one default may exist per IP family."
    )
    assert api.fault(api.raw("POST", "/v2.0/subnetpools", {"subnetpool": second})) == (400, "InvalidInput", text)
    other = pool(api, "10.1.0.0/16")
    answer = api.raw("PUT", f"/v2.0/subnetpools/{other['id']}", {"subnetpool": {"is_default": True}})
    assert api.fault(answer) == (400, "InvalidInput", text)
    assert api.update("subnetpool", made["id"], is_default=True, name="same")["is_default"] is True
    found = api.create("subnet", **one)
    assert found["subnetpool_id"] == made["id"] and found["cidr"] == "10.0.0.0/24"
    assert api.create("subnet", **one | {"cidr": "10.0.7.0/24"})["subnetpool_id"] == made["id"]
    assert api.create("subnet", **one | {"ip_version": 6})["cidr"] == "fd00::/64"
    api.update("subnetpool", made["id"], is_default=False)
    assert api.update("subnetpool", other["id"], is_default=True)["is_default"] is True


def test_networks_show_their_scopes(api: Api) -> None:
    scopes = {version: api.create("address_scope", name="s", ip_version=version)["id"] for version in (4, 6)}
    four = pool(api, "10.0.0.0/16", default_prefixlen=24, address_scope_id=scopes[4])
    more = pool(api, "10.1.0.0/16", default_prefixlen=24, address_scope_id=scopes[4])
    six = pool(api, "fd00::/48", address_scope_id=scopes[6])
    network = api.create("network")
    assert network[SCOPES[4]] is None and network[SCOPES[6]] is None
    first = subnet(api, four, network["id"])
    assert api.show("network", network["id"])[SCOPES[4]] == scopes[4]
    subnet(api, six, network["id"])
    # Several pools may serve one network where they are of one scope.
    second = subnet(api, more, network["id"])
    shown = api.show("network", network["id"])
    assert shown[SCOPES[4]] == scopes[4] and shown[SCOPES[6]] == scopes[6]
    assert api.list("network", ("id", network["id"]), ("fields", SCOPES[6])) == [{SCOPES[6]: scopes[6]}]
    api.delete("subnet", first["id"])
    api.delete("subnet", second["id"])
    assert api.show("network", network["id"])[SCOPES[4]] is None


def test_a_pool_goes_to_another_scope_with_its_networks(api: Api) -> None:
    scope, other = (api.create("address_scope", name="s", ip_version=4)["id"] for _ in range(2))
    source = pool(api, "10.0.0.0/16", default_prefixlen=24)
    network = subnet(api, source)["network_id"]
    subnet(api, source, network)
    assert api.show("network", network)[SCOPES[4]] is None
    for wanted in (scope, other, None, scope):
        assert api.update("subnetpool", source["id"], address_scope_id=wanted)["address_scope_id"] == wanted
        assert api.show("network", network)[SCOPES[4]] == wanted
        listed = api.list("network", ("id", network))
        assert [each[SCOPES[4]] for each in listed] == [wanted]
    api.delete("address_scope", other)
    assert [each["id"] for each in api.list("subnetpool", ("address_scope_id", scope))] == [source["id"]]


def test_openstack_command(api: Api) -> None:
    name = f"cli-{uuid.uuid4()}"
    as_json = ("-f", "json")
    scope = run(api, "address", "scope", "create", name, "--ip-version", "4", *as_json)
    assert scope["name"] == name and scope["ip_version"] == 4
    run(api, "address", "scope", "set", name, "--share")
    assert run(api, "address", "scope", "show", name, *as_json)["shared"] is True
    listed = run(api, "address", "scope", "list", "--name", name, *as_json)
    assert [(each["ID"], each["IP Version"]) for each in listed] == [(scope["id"], 4)]
    made = run(
        api, "subnet", "pool", "create", name, "--pool-prefix", "10.0.0.0/20", "--pool-prefix", "10.0.16.0/20",
        "--default-prefix-length", "26", "--min-prefix-length", "24", "--max-prefix-length", "28",
        "--address-scope", name, "--default-quota", "1024", "--description", "d", "--tag", "t", *as_json,
    )  # fmt: skip
    assert made["prefixes"] == ["10.0.0.0/19"] and made["address_scope_id"] == scope["id"]
    assert (made["min_prefixlen"], made["default_prefixlen"], made["max_prefixlen"]) == (24, 26, 28)
    assert made["default_quota"] == 1024 and made["tags"] == ["t"]
    run(api, "subnet", "pool", "set", name, "--pool-prefix", "10.1.0.0/16", "--no-address-scope")
    shown = run(api, "subnet", "pool", "show", name, *as_json)
    assert shown["prefixes"] == ["10.0.0.0/19", "10.1.0.0/16"] and shown["address_scope_id"] is None
    listed = run(api, "subnet", "pool", "list", "--name", name, "--long", *as_json)
    assert [each["Default Prefix Length"] for each in listed] == [26]
    run(api, "network", "create", name, *as_json)
    options = ("subnet", "create", "--network", name, "--subnet-pool", name)
    assert run(api, *options, f"{name}-a", *as_json)["cidr"] == "10.0.0.0/26"
    assert run(api, *options, f"{name}-b", "--prefix-length", "28", *as_json)["cidr"] == "10.0.0.64/28"
    chosen = run(api, *options, f"{name}-c", "--subnet-range", "10.1.9.0/24", *as_json)
    assert chosen["cidr"] == "10.1.9.0/24" and chosen["subnetpool_id"] == made["id"]
    listed = run(api, "subnet", "list", "--subnet-pool", name, *as_json)
    assert {each["Name"] for each in listed} == {f"{name}-a", f"{name}-b", f"{name}-c"}
    run(api, "network", "delete", name)
    run(api, "subnet", "pool", "delete", name)
    run(api, "address", "scope", "delete", name)


def test_sdk(api: Api) -> None:
    connection = openstack.connect(auth_type="none", endpoint=api.url)
    try:
        sdk = connection.network
        scope = sdk.create_address_scope(name="sdk", ip_version=6)
        source = sdk.create_subnet_pool(name="sdk", prefixes=["fd00::/40"], address_scope_id=scope.id)
        assert source.ip_version == 6 and source.default_prefix_length == 64
        network = sdk.create_network(name="sdk-scoped")
        made = sdk.create_subnet(network_id=network.id, ip_version=6, subnet_pool_id=source.id, prefixlen=72)
        assert made.cidr == "fd00::/72" and made.subnet_pool_id == source.id
        assert sdk.get_network(network.id).ipv6_address_scope_id == scope.id
        with pytest.raises(openstack.exceptions.BadRequestException, match="existing allocations"):
            sdk.delete_subnet_pool(source, ignore_missing=False)
        with pytest.raises(openstack.exceptions.ConflictException, match="subnet pools in use"):
            sdk.delete_address_scope(scope, ignore_missing=False)
        assert {"address-scope", "subnet_allocation", "default-subnetpools"} <= {
            each.alias for each in sdk.extensions()
        }
        for each in (made, source, scope):
            each.delete(sdk)
    finally:
        connection.close()
