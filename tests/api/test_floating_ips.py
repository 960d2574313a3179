"""Floating IPs and port forwardings."""

from .conftest import Api
from .routing import external_network, interface, network, reachable

HOLDER = "network:floatingip"


def forwardings(id: str) -> str:
    return f"/v2.0/floatingips/{id}/port_forwardings"


def test_a_floating_ip(api: Api) -> None:
    external, subnet = external_network(api)
    made = api.create("floatingip", floating_network_id=external, project_id="p", description="d")
    assert made["port_id"] is None and made["fixed_ip_address"] is None and made["router_id"] is None
    assert made["status"] == "DOWN" and made["port_details"] is None and made["port_forwardings"] == []
    (port,) = api.list("port", ("network_id", external))
    assert port["fixed_ips"] == [{"subnet_id": subnet, "ip_address": made["floating_ip_address"]}]
    assert (port["device_owner"], port["device_id"], port["project_id"]) == (HOLDER, made["id"], "")
    assert port["security_groups"] == [] and not port["port_security_enabled"]
    assert api.update("floatingip", made["id"], description="e")["description"] == "e"
    api.delete("floatingip", made["id"])
    assert api.list("port", ("network_id", external)) == []


def test_the_address_wanted(api: Api) -> None:
    external, subnet = external_network(api)
    api.create("subnet", network_id=external, cidr="2001:db8::/64", ip_version=6)
    other = api.create("subnet", network_id=external, cidr="198.51.100.0/24", ip_version=4)["id"]
    made = api.create("floatingip", floating_network_id=external, floating_ip_address="203.0.113.99")
    assert made["floating_ip_address"] == "203.0.113.99"
    made = api.create("floatingip", floating_network_id=external, subnet_id=other)
    assert made["floating_ip_address"].startswith("198.51.100.")
    made = api.create("floatingip", floating_network_id=external)
    (port,) = api.list("port", ("device_id", made["id"]))
    (held,) = port["fixed_ips"]
    assert held["subnet_id"] in (subnet, other) and held["ip_address"] == made["floating_ip_address"]


def test_association(api: Api) -> None:
    inside, _subnet, router, external = reachable(api)
    port = api.create("port", network_id=inside, name="vm", device_id="d", device_owner="compute:nova")
    fixed = port["fixed_ips"][0]["ip_address"]
    made = api.create("floatingip", floating_network_id=external, port_id=port["id"])
    assert (made["port_id"], made["fixed_ip_address"], made["router_id"]) == (port["id"], fixed, router)
    assert made["port_details"] == {
        name: port[name]
        for name in ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
    }
    api.update("port", port["id"], name="renamed")
    assert api.show("floatingip", made["id"])["port_details"]["name"] == "renamed"

    # To another port, nowhere, and back by address.
    second = api.create(
        "port", network_id=inside, fixed_ips=[{"ip_address": "10.0.0.50"}, {"ip_address": "10.0.0.51"}]
    )["id"]
    moved = api.update("floatingip", made["id"], port_id=second, fixed_ip_address="10.0.0.51")
    assert (moved["port_id"], moved["fixed_ip_address"]) == (second, "10.0.0.51")
    moved = api.update("floatingip", made["id"], port_id=second, fixed_ip_address="10.0.0.50")
    assert moved["fixed_ip_address"] == "10.0.0.50"
    free = api.update("floatingip", made["id"], port_id=None)
    assert (free["port_id"], free["fixed_ip_address"], free["router_id"]) == (None, None, None)
    assert api.update("floatingip", made["id"], description="x", port_id=port["id"])["port_id"] == port["id"]
    assert api.update("floatingip", made["id"], description="y")["port_id"] == port["id"]

    # Two addresses of one port may each have one, and one address one of each external network.
    one = api.create("floatingip", floating_network_id=external, port_id=second, fixed_ip_address="10.0.0.50")
    two = api.create("floatingip", floating_network_id=external, port_id=second, fixed_ip_address="10.0.0.51")
    assert {one["fixed_ip_address"], two["fixed_ip_address"]} == {"10.0.0.50", "10.0.0.51"}
    third, _ = external_network(api)
    beside = api.create("router", external_gateway_info={"network_id": third})["id"]
    foot = api.create("port", network_id=inside)["id"]
    api.ask("PUT", f"/v2.0/routers/{beside}/add_router_interface", {"port_id": foot})
    other = api.create("floatingip", floating_network_id=third, port_id=port["id"])
    assert other["router_id"] == beside


def test_the_router_with_the_gateway_address_translates(api: Api) -> None:
    inside, subnet = network(api, "10.0.0.0/24")
    external, _ = external_network(api)
    routers = [api.create("router", external_gateway_info={"network_id": external})["id"] for _ in range(5)]
    interface(api, routers[2], subnet)
    for router in routers[:2] + routers[3:]:
        foot = api.create("port", network_id=inside)["id"]
        api.ask("PUT", f"/v2.0/routers/{router}/add_router_interface", {"port_id": foot})
    port = api.create("port", network_id=inside)["id"]
    assert api.create("floatingip", floating_network_id=external, port_id=port)["router_id"] == routers[2]


def test_it_lets_go_of_what_goes(api: Api) -> None:
    inside, _subnet, _router, external = reachable(api)
    port = api.create("port", network_id=inside)["id"]
    made = api.create("floatingip", floating_network_id=external, port_id=port)["id"]
    free = {"port_id": None, "fixed_ip_address": None, "router_id": None, "port_details": None}
    api.delete("port", port)
    assert free.items() <= api.show("floatingip", made).items()
    # The address of a port goes, the port stays.
    port = api.create("port", network_id=inside, fixed_ips=[{"ip_address": "10.0.0.60"}, {"ip_address": "10.0.0.61"}])
    api.update("floatingip", made, port_id=port["id"], fixed_ip_address="10.0.0.60")
    api.update("port", port["id"], fixed_ips=[{"ip_address": "10.0.0.60"}])
    assert api.show("floatingip", made)["port_id"] == port["id"]
    api.update("port", port["id"], fixed_ips=[{"ip_address": "10.0.0.62"}])
    assert free.items() <= api.show("floatingip", made).items()


def test_an_external_network_goes_with_its_unused_floating_ips(api: Api) -> None:
    inside, _subnet, router, external = reachable(api)
    port = api.create("port", network_id=inside)["id"]
    used = api.create("floatingip", floating_network_id=external, port_id=port)["id"]
    unused = api.create("floatingip", floating_network_id=external)["id"]
    answer = api.raw("DELETE", f"/v2.0/networks/{external}")
    assert api.fault(answer)[:2] == (409, "NetworkInUse")
    assert api.show("floatingip", unused)["id"] == unused
    api.update("floatingip", used, port_id=None)
    api.update("router", router, external_gateway_info=None)
    api.delete("network", external)
    assert api.raw("GET", f"/v2.0/floatingips/{used}").status_code == 404
    assert api.list("floatingip", ("floating_network_id", external)) == []


def test_filters_and_sorting(api: Api) -> None:
    inside, _subnet, router, external = reachable(api)
    ports = [api.create("port", network_id=inside)["id"] for _ in range(3)]
    made = [api.create("floatingip", floating_network_id=external, port_id=port) for port in ports]
    free = api.create("floatingip", floating_network_id=external)

    def found(*params: tuple[str, str]) -> set[str]:
        return {each["id"] for each in api.list("floatingip", *params)}

    everything = {each["id"] for each in made}
    assert found(("floating_network_id", external)) == everything | {free["id"]}
    assert found(("router_id", router)) == everything
    assert found(("port_id", ports[1])) == {made[1]["id"]}
    assert found(("port_id", ports[1]), ("port_id", ports[2])) == {made[1]["id"], made[2]["id"]}
    mine = ("floating_network_id", external)
    assert found(mine, ("floating_ip_address", free["floating_ip_address"])) == {free["id"]}
    assert found(mine, ("fixed_ip_address", made[0]["fixed_ip_address"])) == {made[0]["id"]}
    assert found(mine, ("status", "ACTIVE")) == set()
    order = api.list("floatingip", mine, ("sort_key", "floating_ip_address"), ("sort_dir", "desc"))
    addresses = [each["floating_ip_address"] for each in order]
    assert addresses == sorted(addresses, reverse=True)
    api.list("floatingip", mine, ("sort_key", "router_id"), ("sort_dir", "asc"))


def test_port_forwardings(api: Api) -> None:
    inside, _subnet, router, external = reachable(api)
    port = api.create("port", network_id=inside)
    fixed = port["fixed_ips"][0]["ip_address"]
    floating_ip = api.create("floatingip", floating_network_id=external)["id"]
    body = {
        "protocol": "TCP",
        "external_port": 2222,
        "internal_port": "22",
        "internal_port_id": port["id"],
        "internal_ip_address": fixed,
        "description": "ssh",
    }
    made = api.ask("POST", forwardings(floating_ip), {"port_forwarding": body}, 201)["port_forwarding"]
    assert made == body | {"id": made["id"], "protocol": "tcp", "internal_port": 22}
    shown = api.show("floatingip", floating_ip)
    assert shown["router_id"] == router and shown["port_id"] is None
    summary = {name: value for name, value in made.items() if name != "description"}
    assert shown["port_forwardings"] == [summary]

    # The same port of the other protocol, and others.
    api.ask("POST", forwardings(floating_ip), {"port_forwarding": body | {"protocol": "udp"}}, 201)
    more = [body | {"external_port": n, "internal_port": n} for n in (80, 443)]
    api.ask("POST", forwardings(floating_ip), {"port_forwardings": more}, 201)
    listed = api.ask("GET", forwardings(floating_ip))["port_forwardings"]
    assert len(listed) == 4 and made in listed
    params = {"external_port": "80", "protocol": "tcp", "fields": "external_port"}
    assert api.ask("GET", forwardings(floating_ip), params=params) == {"port_forwardings": [{"external_port": 80}]}
    one = f"{forwardings(floating_ip)}/{made['id']}"
    assert api.ask("GET", one)["port_forwarding"] == made
    changed = api.ask("PUT", one, {"port_forwarding": {"external_port": 2223, "description": "e"}})["port_forwarding"]
    assert changed == made | {"external_port": 2223, "description": "e"}
    assert {each["external_port"] for each in api.show("floatingip", floating_ip)["port_forwardings"]} == {
        80, 443, 2222, 2223,
    }  # fmt: skip

    # The last one to go lets the router go.
    for each in listed:
        assert api.show("floatingip", floating_ip)["router_id"] == router
        api.ask("DELETE", f"{forwardings(floating_ip)}/{each['id']}", status=204)
    shown = api.show("floatingip", floating_ip)
    assert shown["router_id"] is None and shown["port_forwardings"] == []


def test_forwardings_go_with_their_port_and_address(api: Api) -> None:
    inside, _subnet, router, external = reachable(api)
    floating_ip = api.create("floatingip", floating_network_id=external)["id"]
    ports = [
        api.create("port", network_id=inside, fixed_ips=[{"ip_address": f"10.0.0.{n}"}, {"ip_address": f"10.0.0.{n}1"}])
        for n in (2, 3)
    ]
    for at, (port, address) in enumerate([(0, "10.0.0.2"), (0, "10.0.0.21"), (1, "10.0.0.3")]):
        body = {
            "protocol": "tcp",
            "external_port": at + 1,
            "internal_port": 1,
            "internal_port_id": ports[port]["id"],
            "internal_ip_address": address,
        }
        api.ask("POST", forwardings(floating_ip), {"port_forwarding": body}, 201)

    def left() -> list[str]:
        return [each["internal_ip_address"] for each in api.show("floatingip", floating_ip)["port_forwardings"]]

    assert left() == ["10.0.0.2", "10.0.0.21", "10.0.0.3"]
    api.update("port", ports[0]["id"], fixed_ips=[{"ip_address": "10.0.0.21"}])
    assert left() == ["10.0.0.21", "10.0.0.3"]
    api.delete("port", ports[0]["id"])
    assert left() == ["10.0.0.3"] and api.show("floatingip", floating_ip)["router_id"] == router
    api.delete("port", ports[1]["id"])
    assert left() == [] and api.show("floatingip", floating_ip)["router_id"] is None
    api.delete("floatingip", floating_ip)
