"""Routers: their interfaces, gateway and routes."""

from typing import Any

from .conftest import Api
from .routing import external_network, interface, network

INTERFACE, GATEWAY = "network:router_interface", "network:router_gateway"


def test_a_router(api: Api) -> None:
    made = api.create("router", name="r", description="d", project_id="p")
    assert made["status"] == "ACTIVE" and made["admin_state_up"] and made["distributed"] and made["ha"]
    assert made["external_gateway_info"] is None and made["routes"] == [] and made["tunbridge:gateways"] == []
    assert made["tenant_id"] == "p" and made["enable_snat"]
    changed = api.update("router", made["id"], name="s", admin_state_up=False, distributed=False, ha=False)
    assert changed | {"name": "r", "admin_state_up": True, "distributed": True, "ha": True} == made | {
        "revision_number": 1,
        "updated_at": changed["updated_at"],
    }
    assert api.create("router", ha=None, distributed=None)["ha"]
    assert [each["id"] for each in api.list("router", ("name", "s"), ("project_id", "p"))] == [made["id"]]
    api.delete("router", made["id"])
    assert api.raw("GET", f"/v2.0/routers/{made['id']}").status_code == 404


def test_several_at_once(api: Api) -> None:
    external, _ = external_network(api)
    bodies = [{"name": f"bulk{n}", "external_gateway_info": {"network_id": external}} for n in range(3)]
    made = api.ask("POST", "/v2.0/routers", {"routers": bodies}, 201)["routers"]
    addresses = {each["external_gateway_info"]["external_fixed_ips"][0]["ip_address"] for each in made}
    assert len(addresses) == 3


def test_interface_by_subnet(api: Api) -> None:
    net, subnet = network(api, "10.0.0.0/24")
    router = api.create("router", project_id="owner")["id"]
    answer = api.ask("PUT", f"/v2.0/routers/{router}/add_router_interface", {"subnet_id": subnet})
    port = api.show("port", answer["port_id"])
    assert answer == {
        "id": router,
        "tenant_id": "owner",
        "port_id": port["id"],
        "network_id": net,
        "subnet_id": subnet,
        "subnet_ids": [subnet],
    }
    assert port["fixed_ips"] == [{"subnet_id": subnet, "ip_address": "10.0.0.1"}]
    assert (port["device_owner"], port["device_id"], port["name"]) == (INTERFACE, router, "")
    assert port["security_groups"] == [] and not port["port_security_enabled"] and port["project_id"] == "owner"
    assert api.show("router", router)["revision_number"] == 1
    removed = api.ask("PUT", f"/v2.0/routers/{router}/remove_router_interface", {"subnet_id": subnet})
    assert removed == answer
    assert api.raw("GET", f"/v2.0/ports/{port['id']}").status_code == 404
    api.delete("router", router)


def test_interface_by_port(api: Api) -> None:
    net, subnet = network(api, "10.0.0.0/24")
    router = api.create("router")["id"]
    pair = {"ip_address": "10.0.0.77"}
    port = api.create("port", network_id=net, name="mine", project_id="q", allowed_address_pairs=[pair])
    answer = api.ask("PUT", f"/v2.0/routers/{router}/add_router_interface", {"port_id": port["id"]})
    assert answer["port_id"] == port["id"] and answer["subnet_ids"] == [subnet] and answer["tenant_id"] == "q"
    shown = api.show("port", port["id"])
    assert shown["fixed_ips"] == port["fixed_ips"] and shown["name"] == "mine"
    assert (shown["device_owner"], shown["device_id"]) == (INTERFACE, router)
    assert not shown["security_groups"] and not shown["port_security_enabled"] and not shown["allowed_address_pairs"]
    both = {"port_id": port["id"], "subnet_id": subnet}
    api.ask("PUT", f"/v2.0/routers/{router}/remove_router_interface", both)
    assert api.list("port", ("device_id", router)) == []


def test_one_subnet_on_several_routers(api: Api) -> None:
    net, subnet = network(api, "10.0.0.0/24")
    first, second = api.create("router")["id"], api.create("router")["id"]
    interface(api, first, subnet)
    other = api.create("port", network_id=net)["id"]
    api.ask("PUT", f"/v2.0/routers/{second}/add_router_interface", {"port_id": other})
    assert {port["device_id"] for port in api.list("port", ("network_id", net))} == {first, second}


def test_ipv6_subnets_of_a_network_share_a_port(api: Api) -> None:
    net, four = network(api, "10.0.0.0/24")
    six = [api.create("subnet", network_id=net, cidr=f"fd00:{n}::/64", ip_version=6)["id"] for n in (1, 2)]
    router = api.create("router")["id"]
    of_four = interface(api, router, four)
    first, second = interface(api, router, six[0]), interface(api, router, six[1])
    assert first["port_id"] == second["port_id"] != of_four["port_id"]
    assert second["subnet_ids"] == [six[1]]
    held = {each["ip_address"] for each in api.show("port", first["port_id"])["fixed_ips"]}
    assert held == {"fd00:1::1", "fd00:2::1"}
    api.ask("PUT", f"/v2.0/routers/{router}/remove_router_interface", {"subnet_id": six[0]})
    held = {each["ip_address"] for each in api.show("port", first["port_id"])["fixed_ips"]}
    assert held == {"fd00:2::1"}
    api.ask("PUT", f"/v2.0/routers/{router}/remove_router_interface", {"subnet_id": six[1]})
    assert api.raw("GET", f"/v2.0/ports/{first['port_id']}").status_code == 404


def test_gateway(api: Api) -> None:
    external, subnet = external_network(api)
    router = api.create("router", project_id="p", external_gateway_info={"network_id": external})
    info = router["external_gateway_info"]
    assert info["network_id"] == external and info["enable_snat"] is True
    assert [each["subnet_id"] for each in info["external_fixed_ips"]] == [subnet]
    (port,) = api.list("port", ("device_id", router["id"]))
    assert (
        port["device_owner"] == GATEWAY and port["project_id"] == "" and port["fixed_ips"] == info["external_fixed_ips"]
    )
    assert port["security_groups"] == [] and not port["port_security_enabled"]

    # The address may be chosen, and stays when it is not spoken of.
    wanted = {"network_id": external, "external_fixed_ips": [{"ip_address": "203.0.113.77"}], "enable_snat": False}
    changed = api.update("router", router["id"], external_gateway_info=wanted)
    assert changed["external_gateway_info"] == {
        "network_id": external,
        "enable_snat": False,
        "external_fixed_ips": [{"subnet_id": subnet, "ip_address": "203.0.113.77"}],
    }
    assert not changed["enable_snat"] and api.show("router", router["id"]) == changed
    assert [each["id"] for each in api.list("port", ("device_id", router["id"]))] == [port["id"]]
    changed = api.update("router", router["id"], external_gateway_info={"network_id": external})
    assert changed["external_gateway_info"]["enable_snat"] is True
    assert changed["external_gateway_info"]["external_fixed_ips"][0]["ip_address"] == "203.0.113.77"

    # Another network, then none.
    other, _ = external_network(api, "198.51.100.0/24")
    changed = api.update("router", router["id"], external_gateway_info={"network_id": other})
    assert changed["external_gateway_info"]["network_id"] == other
    assert [each["network_id"] for each in api.list("port", ("device_id", router["id"]))] == [other]
    assert api.update("router", router["id"], external_gateway_info={})["external_gateway_info"] is None
    assert api.list("port", ("device_id", router["id"])) == []
    api.update("router", router["id"], external_gateway_info={"network_id": other})
    assert api.update("router", router["id"], external_gateway_info=None)["external_gateway_info"] is None
    api.update("router", router["id"], external_gateway_info={"network_id": other})
    api.delete("router", router["id"])
    assert api.list("port", ("network_id", other)) == []


def test_gateway_of_both_versions(api: Api) -> None:
    external, four = external_network(api)
    six = api.create("subnet", network_id=external, cidr="2001:db8::/64", ip_version=6)["id"]
    router = api.create("router", external_gateway_info={"network_id": external})
    held = router["external_gateway_info"]["external_fixed_ips"]
    assert [each["subnet_id"] for each in held] == [four, six]


def test_routes(api: Api) -> None:
    _, subnet = network(api, "10.0.0.0/24")
    external, _ = external_network(api)
    router = api.create("router", external_gateway_info={"network_id": external})["id"]
    interface(api, router, subnet)

    def route(to: str, via: str) -> dict[str, str]:
        return {"destination": to, "nexthop": via}

    # Equal destinations share the load.
    first = [route("172.16.0.0/16", "10.0.0.5"), route("172.16.0.0/16", "10.0.0.6"), route("0.0.0.0/0", "203.0.113.1")]
    assert api.update("router", router, routes=first)["routes"] == first
    path = f"/v2.0/routers/{router}"
    more = [route("172.17.0.0/16", "10.0.0.5"), first[0]]
    added = api.ask("PUT", f"{path}/add_extraroutes", {"router": {"routes": more}})["router"]
    assert added["routes"] == [*first, more[0]]
    gone = [first[1], route("192.0.2.0/24", "10.0.0.9")]
    left = api.ask("PUT", f"{path}/remove_extraroutes", {"router": {"routes": gone}})["router"]
    assert left["routes"] == [first[0], first[2], more[0]]
    assert api.update("router", router, routes=None)["routes"] == []


def test_status_and_gateways_come_from_control(api: Api) -> None:
    from controller.model import Router
    from controller.store import Patch

    router = api.create("router")
    assert "tunbridge:fault" not in router
    fault = {"status": "ERROR", "fault": "no host reaches it", "gateways": ("a", "b")}
    api.write(Patch(Router, router["id"], fault))
    shown: dict[str, Any] = api.show("router", router["id"])
    assert shown["status"] == "ERROR" and shown["tunbridge:fault"] == "no host reaches it"
    assert shown["tunbridge:gateways"] == ["a", "b"]


def test_tags_and_revisions(api: Api) -> None:
    router = api.create("router")["id"]
    api.ask("PUT", f"/v2.0/routers/{router}/tags/red", status=201)
    assert [each["id"] for each in api.list("router", ("tags", "red"))] == [router]
    headers = {"If-Match": "revision_number=0"}
    body = {"router": {"name": "x"}}
    assert api.raw("PUT", f"/v2.0/routers/{router}", body, headers=headers).status_code == 412
