"""What networks, subnets and ports do when asked well."""

import uuid
from typing import Any

from controller.model import Control, Host
from controller.store import Delete, Insert, Patch

from .conftest import Api
from .routing import reachable
from .test_definitions import OURS


def addresses(port: dict[str, Any]) -> list[str]:
    return [each["ip_address"] for each in port["fixed_ips"]]


def network_with(api: Api, *cidrs: str, **subnet: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    network = api.create("network")
    subnets = [
        api.create("subnet", network_id=network["id"], cidr=cidr, ip_version=6 if ":" in cidr else 4, **subnet)
        for cidr in cidrs
    ]
    return network, subnets


def test_versions(api: Api) -> None:
    found = api.ask("GET", "/")["versions"]
    assert found == [
        {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": f"{api.url}/v2.0/"}]},
    ]
    for path in ("/v2.0", "/v2.0/"):
        resources = api.ask("GET", path)["resources"]
        assert {each["collection"] for each in resources} == set(OURS)


def test_request_id_and_content_type(api: Api) -> None:
    for path in ("/v2.0/networks", "/nothing"):
        answer = api.raw("GET", path)
        kind, id = answer.headers["x-openstack-request-id"].split("-", 1)
        assert kind == "req" and uuid.UUID(id)
        assert answer.headers["content-type"] == "application/json"


def test_network_life(api: Api) -> None:
    made = api.create("network", name="n", admin_state_up=False, shared=True, mtu=1400, description="d")
    assert made["admin_state_up"] is False and made["shared"] is True and made["mtu"] == 1400
    assert made["status"] == "ACTIVE" and made["revision_number"] == 0
    assert 0 < made["provider:segmentation_id"] < 1 << 24
    changed = api.update("network", made["id"], name="m", **{"router:external": True, "mtu": 0})
    assert changed["name"] == "m" and changed["mtu"] == 1450 and changed["router:external"] is True
    assert changed["revision_number"] == 1
    assert api.update("network", made["id"], name="m")["revision_number"] == 1, "nothing changed"
    assert api.show("network", made["id"]) == changed
    same = {"provider:segmentation_id": made["provider:segmentation_id"], "provider:network_type": "vxlan"}
    assert api.update("network", made["id"], **same)["revision_number"] == 1
    api.delete("network", made["id"])
    assert api.raw("GET", f"/v2.0/networks/{made['id']}").status_code == 404


def test_provider_attributes(api: Api) -> None:
    wanted = {"provider:network_type": "vxlan", "provider:segmentation_id": 16777215}
    made = api.create("network", **wanted)
    assert made["provider:segmentation_id"] == 16777215 and made["provider:physical_network"] is None
    assert api.fault(api.raw("POST", "/v2.0/networks", {"network": wanted})) == (
        409,
        "TunnelIdInUse",
        "Unable to create the network. The tunnel ID 16777215 is in use.",
    )
    api.delete("network", made["id"])
    api.delete("network", api.create("network", **wanted)["id"])


def test_project(api: Api) -> None:
    for given in ({"project_id": "p"}, {"tenant_id": "p"}, {"tenant_id": "p", "project_id": "p"}):
        made = api.create("network", **given)
        assert made["project_id"] == made["tenant_id"] == "p"
    made = api.ask("POST", "/v2.0/networks", {"network": {}}, 201, headers={"X-Project-Id": "q"})["network"]
    assert made["project_id"] == "q"
    assert api.create("network")["project_id"] == ""


def test_subnet_defaults(api: Api) -> None:
    _, (four, six) = network_with(api, "10.0.0.77/24", "FD00:0::/64")
    assert four["cidr"] == "10.0.0.0/24" and four["gateway_ip"] == "10.0.0.1"
    assert four["allocation_pools"] == [{"start": "10.0.0.2", "end": "10.0.0.254"}]
    assert six["cidr"] == "fd00::/64" and six["gateway_ip"] == "fd00::1"
    assert six["allocation_pools"] == [{"start": "fd00::2", "end": "fd00::ffff:ffff:ffff:ffff"}]
    assert four["enable_dhcp"] is True and four["dns_nameservers"] == four["host_routes"] == []


def test_subnet_gateway_and_pools(api: Api) -> None:
    network = api.create("network")

    def pools(cidr: str, **more: Any) -> list[tuple[str, str]]:
        made = api.create("subnet", network_id=network["id"], cidr=cidr, ip_version=4, **more)
        return [(each["start"], each["end"]) for each in made["allocation_pools"]]

    assert pools("10.0.0.0/24", gateway_ip=None) == [("10.0.0.1", "10.0.0.254")]
    assert pools("10.0.1.0/24", gateway_ip="10.0.1.9") == [("10.0.1.1", "10.0.1.8"), ("10.0.1.10", "10.0.1.254")]
    assert pools("10.0.2.0/24", gateway_ip="10.9.9.9") == [("10.0.2.1", "10.0.2.254")]
    assert pools("10.0.3.0/30") == [("10.0.3.2", "10.0.3.2")]
    assert pools("10.0.4.0/31", enable_dhcp=False) == [("10.0.4.1", "10.0.4.1")]
    assert pools("10.0.5.0/32", enable_dhcp=False) == [("10.0.5.0", "10.0.5.0")]
    assert pools("10.0.6.0/24", allocation_pools=[]) == []
    own = [{"start": "10.0.7.20", "end": "10.0.7.30"}, {"start": "10.0.7.5", "end": "10.0.7.9"}]
    assert pools("10.0.7.0/24", allocation_pools=own) == [("10.0.7.20", "10.0.7.30"), ("10.0.7.5", "10.0.7.9")]


def test_subnet_update(api: Api) -> None:
    network, (subnet,) = network_with(api, "10.0.0.0/24")
    before = api.show("network", network["id"])["revision_number"]
    changed = api.update(
        "subnet",
        subnet["id"],
        name="s",
        dns_nameservers=["10.0.0.2", "9.9.9.9"],
        host_routes=[{"destination": "10.1.0.0/16", "nexthop": "10.0.0.3"}],
        allocation_pools=[{"start": "10.0.0.100", "end": "10.0.0.110"}],
        gateway_ip="10.0.0.254",
        enable_dhcp=False,
    )
    assert changed["dns_nameservers"] == ["10.0.0.2", "9.9.9.9"]
    assert changed["host_routes"] == [{"destination": "10.1.0.0/16", "nexthop": "10.0.0.3"}]
    assert changed["gateway_ip"] == "10.0.0.254" and changed["enable_dhcp"] is False
    assert addresses(api.create("port", network_id=network["id"])) == ["10.0.0.100"]
    assert api.show("network", network["id"])["revision_number"] == before + 1
    assert api.update("subnet", subnet["id"], gateway_ip=None, host_routes=None)["gateway_ip"] is None


def test_network_shows_its_subnets(api: Api) -> None:
    network, subnets = network_with(api, "10.0.0.0/24", "10.0.1.0/24")
    ids = {each["id"] for each in subnets}
    assert set(api.show("network", network["id"])["subnets"]) == ids
    assert {each["id"] for each in api.list("subnet", ("network_id", network["id"]))} == ids
    api.delete("subnet", subnets[0]["id"])
    assert api.show("network", network["id"])["subnets"] == [subnets[1]["id"]]
    api.delete("network", network["id"])
    assert api.raw("GET", f"/v2.0/subnets/{subnets[1]['id']}").status_code == 404


def test_port_defaults(api: Api) -> None:
    network, (four, six) = network_with(api, "10.0.0.0/24", "fd00::/64")
    made = api.create("port", network_id=network["id"])
    assert made["fixed_ips"] == [
        {"subnet_id": four["id"], "ip_address": "10.0.0.2"},
        {"subnet_id": six["id"], "ip_address": "fd00::2"},
    ]
    assert made["mac_address"].startswith("fa:16:3e:")
    assert made["status"] == "DOWN" and made["binding:vif_type"] == "unbound" and made["binding:vif_details"] == {}
    assert made["binding:vnic_type"] == "normal" and made["binding:profile"] == {} and made["binding:host_id"] == ""
    assert "tunbridge:fault" not in made
    assert addresses(api.create("port", network_id=network["id"])) == ["10.0.0.3", "fd00::3"]
    assert addresses(api.create("port", network_id=network["id"], fixed_ips=[])) == []


def test_port_without_subnets_has_no_address(api: Api) -> None:
    assert addresses(api.create("port", network_id=api.create("network")["id"])) == []


def test_port_takes_the_next_subnet_when_one_is_full(api: Api) -> None:
    network = api.create("network")
    for cidr in ("10.0.0.0/30", "10.0.1.0/30"):
        api.create("subnet", network_id=network["id"], cidr=cidr, ip_version=4)
    first, second = (addresses(api.create("port", network_id=network["id"])) for _ in range(2))
    assert sorted(first + second) == ["10.0.0.2", "10.0.1.2"]
    answer = api.raw("POST", "/v2.0/ports", {"port": {"network_id": network["id"]}})
    assert api.fault(answer) == (
        409,
        "IpAddressGenerationFailure",
        f"No more IP addresses available on network {network['id']}.",
    )


def test_slaac(api: Api) -> None:
    network = api.create("network")
    early = api.create("port", network_id=network["id"], mac_address="fa:16:3e:00:00:01")
    subnet = api.create(
        "subnet",
        network_id=network["id"],
        cidr="fd00::/64",
        ip_version=6,
        ipv6_ra_mode="slaac",
        ipv6_address_mode="slaac",
    )
    assert addresses(api.show("port", early["id"])) == ["fd00::f816:3eff:fe00:1"]
    assert api.show("port", early["id"])["revision_number"] == 1
    late = api.create("port", network_id=network["id"], mac_address="fa:16:3e:00:00:02", fixed_ips=[])
    assert addresses(late) == ["fd00::f816:3eff:fe00:2"]
    moved = api.update("port", late["id"], mac_address="FA-16-3E-00-00-03")
    assert moved["mac_address"] == "fa:16:3e:00:00:03" and addresses(moved) == ["fd00::f816:3eff:fe00:3"]
    assert addresses(api.update("port", late["id"], fixed_ips=[])) == addresses(moved), "kept: it is formed anyway"
    wrong = {"subnet_id": subnet["id"], "ip_address": "fd00::9"}
    answer = api.raw("PUT", f"/v2.0/ports/{late['id']}", {"port": {"fixed_ips": [wrong]}})
    assert api.fault(answer)[:2] == (400, "AllocationOnAutoAddressSubnet")
    api.delete("subnet", subnet["id"])
    assert addresses(api.show("port", early["id"])) == addresses(api.show("port", late["id"])) == []


def test_fixed_ips(api: Api) -> None:
    network, (one, two) = network_with(api, "10.0.0.0/24", "10.0.1.0/24")
    wanted = [{"ip_address": "10.0.0.50"}, {"subnet_id": two["id"]}, {"subnet_id": one["id"]}]
    made = api.create("port", network_id=network["id"], fixed_ips=wanted)
    assert addresses(made) == ["10.0.0.2", "10.0.0.50", "10.0.1.2"]
    # Outside the pools is fine when asked for.
    outside = api.create("port", network_id=network["id"], fixed_ips=[{"ip_address": "10.0.0.1"}])
    assert addresses(outside) == ["10.0.0.1"]
    changed = api.update("port", made["id"], fixed_ips=[{"ip_address": "10.0.0.60"}, {"subnet_id": two["id"]}])
    assert addresses(changed) == ["10.0.0.60", "10.0.1.2"], "an address of the subnet that it has is kept"
    assert addresses(api.update("port", made["id"], fixed_ips=[])) == []
    again = api.create("port", network_id=network["id"], fixed_ips=[{"ip_address": "10.0.0.50"}])
    assert addresses(again) == ["10.0.0.50"], "given back"


def test_addresses_rest_before_they_are_given_again(api: Api) -> None:
    network, _ = network_with(api, "10.0.0.0/29")
    seen = []
    for _ in range(5):
        port = api.create("port", network_id=network["id"])
        seen += addresses(port)
        api.delete("port", port["id"])
    assert seen == ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]
    assert addresses(api.create("port", network_id=network["id"])) == ["10.0.0.2"]


def test_extra_dhcp_options(api: Api) -> None:
    network = api.create("network")
    options = [
        {"opt_name": "bootfile-name", "opt_value": "a"},
        {"opt_name": "router", "opt_value": ""},
        {"opt_name": "dns", "opt_value": None},
        {"opt_name": "mtu", "opt_value": "1", "ip_version": "6"},
    ]
    made = api.create("port", network_id=network["id"], extra_dhcp_opts=options)
    assert made["extra_dhcp_opts"] == [
        {"opt_name": "bootfile-name", "opt_value": "a", "ip_version": 4},
        {"opt_name": "router", "opt_value": "", "ip_version": 4},
        {"opt_name": "mtu", "opt_value": "1", "ip_version": 6},
    ]
    new = [{"opt_name": "bootfile-name", "opt_value": "b"}, {"opt_name": "router", "opt_value": None}]
    assert api.update("port", made["id"], extra_dhcp_opts=new)["extra_dhcp_opts"] == [
        {"opt_name": "bootfile-name", "opt_value": "b", "ip_version": 4},
        {"opt_name": "mtu", "opt_value": "1", "ip_version": 6},
    ]


def test_binding_and_fault_come_from_control(api: Api) -> None:
    from controller.model import Port

    network, _ = network_with(api, "10.0.0.0/24")
    made = api.create("port", network_id=network["id"], **{"binding:profile": {"a": [1]}, "binding:host_id": "x"})
    assert made["binding:profile"] == {"a": [1]} and made["binding:host_id"] == "x" and "tunbridge:ofport" not in made
    api.write(Patch(Port, made["id"], {"host_id": "host-1", "ofport": 7, "status": "ACTIVE"}))
    bound = api.show("port", made["id"])
    assert bound["binding:host_id"] == "host-1" and bound["status"] == "ACTIVE" and bound["tunbridge:ofport"] == 7
    assert bound["binding:vif_type"] == "ovs" and bound["binding:vif_details"]["bridge_name"] == "br-int"
    assert bound["revision_number"] == 0, "a fact is no change of what was asked for"
    assert [each["id"] for each in api.list("port", ("binding:host_id", "host-1"))] == [made["id"]]
    answer = api.raw("PUT", f"/v2.0/ports/{made['id']}", {"port": {"mac_address": "fa:16:3e:00:00:07"}})
    assert api.fault(answer)[:2] == (409, "PortBound")
    api.write(Patch(Port, made["id"], {"status": "ERROR", "fault": "OFPBAC_BAD_SET_ARGUMENT"}))
    assert api.show("port", made["id"])["tunbridge:fault"] == "OFPBAC_BAD_SET_ARGUMENT"
    assert api.update("port", made["id"], **{"binding:profile": None})["binding:profile"] == {}


def test_bulk(api: Api) -> None:
    made = api.ask("POST", "/v2.0/networks", {"networks": [{"name": "a"}, {"network": {"name": "b"}}]}, 201)
    assert [each["name"] for each in made["networks"]] == ["a", "b"]
    id = made["networks"][0]["id"]
    subnets = [{"network_id": id, "cidr": f"10.0.{n}.0/24", "ip_version": 4} for n in range(3)]
    assert len(api.ask("POST", "/v2.0/subnets", {"subnets": subnets}, 201)["subnets"]) == 3
    assert len(api.show("network", id)["subnets"]) == 3
    ports = api.ask("POST", "/v2.0/ports", {"ports": [{"network_id": id, "tags": ["t"]}] * 50}, 201)["ports"]
    assert len({each["fixed_ips"][0]["ip_address"] for each in ports}) == 50
    assert len({each["mac_address"] for each in ports}) == 50
    assert all(each["tags"] == ["t"] for each in ports)
    assert isinstance(api.ask("POST", "/v2.0/ports", {"ports": [{"network_id": id}]}, 201)["ports"], list)


def test_failed_bulk_leaves_nothing(api: Api) -> None:
    network, (subnet,) = network_with(api, "10.0.0.0/29")
    id, path = network["id"], "/v2.0/ports"
    good = {"network_id": id}
    for bad, status in (
        ({"network_id": id, "mac_address": "zz"}, 400),
        ({"network_id": str(uuid.uuid4())}, 404),
        ({"network_id": id, "fixed_ips": [{"ip_address": "10.9.9.9"}]}, 400),
    ):
        assert api.raw("POST", path, {"ports": [good, bad, good]}).status_code == status
    assert api.raw("POST", path, {"ports": [good] * 6}).status_code == 409, "five addresses"
    assert api.list("port", ("network_id", id)) == []
    twice = {"network_id": id, "fixed_ips": [{"ip_address": "10.0.0.2"}]}
    assert api.raw("POST", path, {"ports": [twice, twice]}).status_code == 409
    overlapping = [{"network_id": id, "cidr": cidr, "ip_version": 4} for cidr in ("10.1.0.0/16", "10.1.2.0/24")]
    assert api.raw("POST", "/v2.0/subnets", {"subnets": overlapping}).status_code == 400
    assert api.show("network", id)["subnets"] == [subnet["id"]]
    names = [{"name": "bulk-fails"}, {"name": "bulk-fails", "mtu": 9000}]
    assert api.raw("POST", "/v2.0/networks", {"networks": names}).status_code == 400
    assert api.list("network", ("name", "bulk-fails")) == []
    # Nothing stays reserved either.
    assert len(api.ask("POST", path, {"ports": [good] * 5}, 201)["ports"]) == 5


def test_tags(api: Api) -> None:
    network = api.create("network")
    base = f"/v2.0/networks/{network['id']}/tags"
    assert api.ask("GET", base) == {"tags": []}
    assert api.raw("PUT", base + "/red").status_code == 201
    assert api.raw("PUT", base + "/red").status_code == 201
    assert api.ask("PUT", base, {"tags": ["a", "b"]}) == {"tags": ["a", "b"]}
    assert api.ask("POST", base, {"tags": ["b", "c"]}) == {"tags": ["b", "c"]}
    assert api.ask("GET", base) == {"tags": ["a", "b", "c"]}
    assert api.raw("GET", base + "/a").status_code == 204
    assert api.fault(api.raw("GET", base + "/x")) == (404, "TagNotFound", "Tag x could not be found.")
    assert api.raw("DELETE", base + "/a").status_code == 204
    assert api.raw("DELETE", base + "/a").status_code == 404
    assert api.show("network", network["id"])["tags"] == ["b", "c"]
    for params, found in (
        ({"tags": "b,c"}, True),
        ({"tags": "b,x"}, False),
        ({"tags-any": "b,x"}, True),
        ({"not-tags": "b,x"}, True),
        ({"not-tags": "b,c"}, False),
        ({"not-tags-any": "x"}, True),
        ({"not-tags-any": "b,x"}, False),
    ):
        assert bool(api.list("network", ("id", network["id"]), *params.items())) is found, params
    assert api.raw("DELETE", base).status_code == 204
    assert api.show("network", network["id"])["tags"] == []
    missing = str(uuid.uuid4())
    assert api.fault(api.raw("GET", f"/v2.0/ports/{missing}/tags")) == (
        404,
        "TagResourceNotFound",
        f"Resource ports {missing} could not be found.",
    )
    bad: Any
    for bad in ({}, [], {"tags": "a"}, {"tags": ["a", "a"]}, {"tags": [1]}, {"tags": ["a" * 256]}):
        assert api.raw("PUT", base, bad).status_code == 400


def test_revision_constraint(api: Api) -> None:
    network = api.create("network")
    path = f"/v2.0/networks/{network['id']}"
    headers = {"If-Match": "revision_number=0"}
    api.ask("PUT", path, {"network": {"name": "a"}}, headers=headers)
    for method, body in (("PUT", {"network": {"name": "b"}}), ("DELETE", None)):
        assert api.fault(api.raw(method, path, body, headers=headers)) == (
            412,
            "RevisionNumberConstraintFailed",
            "Constrained to 0, but current revision is 1",
        )
    bad = api.raw("PUT", path, {"network": {}}, headers={"If-Match": "revision_number=x"})
    assert api.fault(bad)[:2] == (400, "BadRequest")
    assert api.raw("DELETE", path, headers={"If-Match": '"revision_number=1"'}).status_code == 204


def test_agents(api: Api) -> None:
    host = Host(
        id=str(uuid.uuid4()),
        name="host-a",
        hostname="a.example",
        tunnel_ip="192.0.2.1",
        bridge_mappings=(("external", "br-ex"),),
        alive=True,
        problem="a port is missing",
        joined_at="2026-01-31T12:00:00Z",
        seen_at="2026-01-31T12:00:01Z",
    )
    api.write(Insert(host))
    (shown,) = api.list("agent", ("host", "a.example"))
    assert shown["alive"] is True and shown["agent_type"] == "Open vSwitch agent" and shown["binary"] == "tunbridge"
    assert shown["configurations"]["tunnel_ip"] == "192.0.2.1"
    assert shown["configurations"]["bridge_mappings"] == {"external": "br-ex"}
    assert shown["configurations"]["problem"] == "a port is missing"
    assert shown["created_at"] == "2026-01-31 12:00:00"
    path = f"/v2.0/agents/{host.id}"
    assert set(api.ask("GET", path + "?fields=id&fields=alive")["agent"]) == {"id", "alive"}
    assert api.raw("PUT", path, {"agent": {}}).status_code == 405
    assert api.fault(api.raw("DELETE", path))[:2] == (409, "AgentAlive")
    api.write(Patch(Host, host.id, {"alive": False}))
    assert api.list("agent", ("alive", "False"), ("id", host.id))[0]["heartbeat_timestamp"] == "2026-01-31 12:00:01"
    assert api.raw("DELETE", path).status_code == 204
    assert api.fault(api.raw("GET", path)) == (404, "AgentNotFound", f"Agent {host.id} could not be found.")


def test_operator_requests_go_to_control(api: Api) -> None:
    answer = api.raw("GET", "/tunbridge/v1/flows")
    assert api.fault(answer)[:2] == (503, "ServiceUnavailable")
    assert api.raw("PUT", "/tunbridge/v1/flows", {}).status_code == 405
    # Any HTTP server will do: another route of ours.
    row = Control(id=str(uuid.uuid4()), endpoint=api.url)
    api.write(Insert(row))
    try:
        assert api.raw("GET", "/tunbridge/v1/../../healthz").status_code == 200
    finally:
        api.write(Delete(row))
    row = Control(id=str(uuid.uuid4()), endpoint="http://127.0.0.1:9")
    api.write(Insert(row))
    answer = api.raw("GET", "/tunbridge/v1/flows?host=a")
    assert api.fault(answer)[:2] == (503, "ServiceUnavailable") and "http://127.0.0.1:9" in answer.text
    api.write(Delete(row))


def test_health_and_metrics(api: Api) -> None:
    assert api.ask("GET", "/healthz") == {"status": "ok"}
    text = api.raw("GET", "/metrics").text
    assert "tunbridge_api_store_connected 1.0" in text
    assert 'tunbridge_api_requests_total{method="GET",route="/v2.0/networks/{id}",status="200"}' in text


TYPES = {"string": str, "integer": int, "boolean": bool, "null": type(None), "array": list, "object": dict}


def fits(document: Any, schema: dict[str, Any], value: Any) -> bool:
    """As much of JSON Schema as our own descriptions use."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return any(fits(document, each, value) for each in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    if "type" in schema and type(value) is not TYPES[schema["type"]]:
        return False
    if isinstance(value, list):
        return all(fits(document, schema.get("items", {}), each) for each in value)
    if isinstance(value, dict):
        inside = schema.get("properties", {})
        return set(schema.get("required", ())) <= set(value) and all(
            fits(document, inside.get(name, {}), each) for name, each in value.items()
        )
    return True


def test_openapi(api: Api) -> None:
    document = api.ask("GET", "/openapi.json")
    network, _ = network_with(api, "10.0.0.0/24", "fd00::/64")
    api.create("port", network_id=network["id"], extra_dhcp_opts=[{"opt_name": "a", "opt_value": "b"}])
    for name in ("network", "subnet", "port"):
        for each in api.list(name, ("limit", 50)):
            assert fits(document, {"$ref": f"#/components/schemas/{name.capitalize()}"}, each), each
            assert set(each) <= set(document["components"]["schemas"][name.capitalize()]["properties"])
    _, _, router, external = reachable(api)
    floating_ip = api.create("floatingip", floating_network_id=external)
    schemas = document["components"]["schemas"]
    for title, shown in (("Router", api.show("router", router)), ("Floatingip", floating_ip)):
        assert fits(document, {"$ref": f"#/components/schemas/{title}"}, shown), shown
        assert set(shown) <= set(schemas[title]["properties"])
    nested = document["paths"]["/v2.0/floatingips/{floatingip_id}/port_forwardings/{id}"]
    assert [each["name"] for each in nested["parameters"]] == ["floatingip_id", "id"]
    assert "/v2.0/floatingips/{floatingip_id}/port_forwardings/{id}/tags" not in document["paths"]
    assert "put" in document["paths"]["/v2.0/routers/{id}/add_router_interface"]
    assert document["components"]["schemas"]["PortCreate"]["required"] == ["network_id"]
    assert "id" not in document["components"]["schemas"]["PortUpdate"]["properties"]
