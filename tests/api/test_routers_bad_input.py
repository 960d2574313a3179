"""What is asked of routers, floating IPs and port forwardings that can't be: the errors of the real service."""

import uuid
from typing import Any

import httpx
import pytest

from .conftest import Api
from .routing import external_network, interface, network, reachable

NOBODY = str(uuid.uuid4())


class World:
    """A router between a network and an external one, with a port that has a floating IP."""

    def __init__(self, api: Api) -> None:
        self.inside, self.subnet, self.router, self.external = reachable(api)
        self.port = api.create("port", network_id=self.inside, fixed_ips=[{"ip_address": "10.0.0.20"}])["id"]
        made = api.create("floatingip", floating_network_id=self.external, port_id=self.port)
        self.floating_ip, self.address = made["id"], made["floating_ip_address"]
        self.free = api.create("floatingip", floating_network_id=self.external)["id"]
        self.interface = api.list("port", ("device_id", self.router), ("network_id", self.inside))[0]["id"]
        self.gateway = api.list("port", ("device_id", self.router), ("network_id", self.external))[0]["id"]
        self.island, self.island_subnet = network(api, "10.9.0.0/24")
        self.stranded = api.create("port", network_id=self.island)["id"]
        two = [{"ip_address": "10.0.0.40"}, {"ip_address": "10.0.0.41"}]
        self.two = api.create("port", network_id=self.inside, fixed_ips=two)["id"]
        self.bare = api.create("port", network_id=self.inside, fixed_ips=[])["id"]
        self.vm = api.create("port", network_id=self.inside, device_id="vm")["id"]
        self.inside_six = api.create("subnet", network_id=self.island, cidr="fd00::/64", ip_version=6)["id"]
        api.update("router", self.router, routes=[{"destination": "172.16.0.0/12", "nexthop": "203.0.113.1"}])


@pytest.fixture(scope="module")
def world(api: Api) -> World:
    return World(api)


def refused(api: Api, answer: httpx.Response, status: int, kind: str, message: str) -> None:
    assert api.fault(answer) == (status, kind, message)


def bad(what: str, message: str) -> tuple[int, str, str]:
    return 400, "BadRequest", f"Bad {what} request: {message}."


ROUTERS: list[tuple[dict[str, Any], str]] = [
    ({"admin_state_up": "perhaps"}, "Invalid input for operation: 'perhaps' cannot be converted to boolean."),
    ({"ha": "x"}, "Invalid input for operation: 'x' cannot be converted to boolean."),
    ({"external_gateway_info": "x"}, "Invalid input for external_gateway_info. Reason: 'x' is not a dictionary."),
    (
        {"external_gateway_info": {"enable_snat": True}},
        "Invalid input for external_gateway_info. Reason: Validation of dictionary's keys failed. Expected keys: "
        "{'network_id'} Provided keys: ['enable_snat'].",
    ),
    (
        {"external_gateway_info": {"network_id": NOBODY, "x": 1, "y": 2}},
        "Invalid input for external_gateway_info. Reason: Unexpected keys supplied: x, y.",
    ),
    (
        {"external_gateway_info": {"network_id": "x"}},
        "Invalid input for external_gateway_info. Reason: 'x' is not a valid UUID.",
    ),
    (
        {"external_gateway_info": {"network_id": NOBODY, "external_fixed_ips": [{"ip_address": "x"}]}},
        "Invalid input for external_gateway_info. Reason: 'x' is not a valid IP address.",
    ),
    ({"routes": []}, "Attribute 'routes' not allowed in POST"),
    ({"enable_snat": True}, "Attribute 'enable_snat' not allowed in POST"),
    ({"status": "ACTIVE"}, "Attribute 'status' not allowed in POST"),
    ({"interfaces": []}, "Unrecognized attribute(s) 'interfaces'"),
    ({"gateway_port_id": None}, "Unrecognized attribute(s) 'gateway_port_id'"),
]


@pytest.mark.parametrize(("given", "message"), ROUTERS)
def test_router_values(api: Api, given: dict[str, Any], message: str) -> None:
    status, _, found = api.fault(api.raw("POST", "/v2.0/routers", {"router": given}))
    assert (status, found) == (400, message)


def test_gateways(api: Api, world: World) -> None:
    def gateway(network_id: str, **more: Any) -> httpx.Response:
        info = {"network_id": network_id, **more}
        return api.raw("PUT", f"/v2.0/routers/{router}", {"router": {"external_gateway_info": info}})

    router = api.create("router")["id"]
    refused(api, gateway(NOBODY), 404, "NetworkNotFound", f"Network {NOBODY} could not be found.")
    message = f"Network {world.inside} is not an external network"
    refused(api, gateway(world.inside), *bad("router", message))
    taken = gateway(world.external, external_fixed_ips=[{"ip_address": world.address}])
    assert api.fault(taken)[:2] == (409, "IpAddressAlreadyAllocated")
    same = gateway(world.external, external_fixed_ips=[{"ip_address": "203.0.113.1"}])
    refused(api, same, *bad("router", "External IP 203.0.113.1 is the same as the gateway IP"))
    outside = gateway(world.external, external_fixed_ips=[{"ip_address": "198.51.100.1"}])
    assert api.fault(outside)[:2] == (400, "InvalidIpForNetwork")
    assert api.show("router", router)["external_gateway_info"] is None

    external, subnet = external_network(api, "10.0.0.0/16")
    interface(api, router, world.island_subnet)
    own = api.create("subnet", network_id=world.island, cidr="10.0.7.0/24", ip_version=4)["id"]
    interface(api, router, own)
    overlaps = f"Cidr 10.0.0.0/16 of subnet {subnet} overlaps with cidr 10.0.7.0/24 of subnet {own}"
    refused(api, gateway(external), *bad("router", overlaps))
    api.update("network", world.island, **{"router:external": True})
    refused(
        api, gateway(world.island), *bad("router", f"Router already has a port on subnet {_first(api, world, router)}")
    )
    api.update("network", world.island, **{"router:external": False})


def _first(api: Api, world: World, router: str) -> str:
    """The oldest of the island's subnets on which the router is."""
    held = {
        each["subnet_id"]
        for port in api.list("port", ("device_id", router), ("network_id", world.island))
        for each in port["fixed_ips"]
    }
    subnets = api.list("subnet", ("network_id", world.island))
    subnets.sort(key=lambda row: (row["created_at"], row["id"]))
    return str(next(each["id"] for each in subnets if each["id"] in held))


def test_gateway_in_use(api: Api, world: World) -> None:
    message = (
        f"Gateway cannot be updated for router {world.router}, since a gateway to external network {world.external} "
        "is required by one or more floating IPs."
    )
    other, _ = external_network(api, "192.0.2.0/24")
    for info in (None, {}, {"network_id": other}):
        answer = api.raw("PUT", f"/v2.0/routers/{world.router}", {"router": {"external_gateway_info": info}})
        refused(api, answer, 409, "RouterExternalGatewayInUseByFloatingIp", message)
    answer = api.raw("PUT", f"/v2.0/networks/{world.external}", {"network": {"router:external": False}})
    assert api.fault(answer)[:2] == (409, "ExternalNetworkInUse")
    # With a route by way of the gateway's subnet.
    router = api.create("router", external_gateway_info={"network_id": other})["id"]
    routes = [{"destination": "172.16.0.0/12", "nexthop": "192.0.2.1"}]
    api.update("router", router, routes=routes)
    answer = api.raw("PUT", f"/v2.0/routers/{router}", {"router": {"external_gateway_info": None}})
    message = f"Invalid format for routes: {routes}, the nexthop is not connected with router"
    refused(api, answer, 400, "InvalidRoutes", message)
    both = api.update("router", router, external_gateway_info=None, routes=[])
    assert both["external_gateway_info"] is None


def test_interfaces(api: Api, world: World) -> None:
    def add(given: Any, router: str = world.router) -> httpx.Response:
        return api.raw("PUT", f"/v2.0/routers/{router}/add_router_interface", given)

    subnet, port = world.subnet, world.port
    missing = bad("router", "Either subnet_id or port_id must be specified")
    given: Any
    for given in ({}, None, [], "x", {"subnet": subnet}):
        refused(api, add(given), *missing)
    refused(
        api, add({"subnet_id": subnet, "port_id": port}), *bad("router", "Cannot specify both subnet-id and port-id")
    )
    for given in ({"subnet_id": "x"}, {"port_id": "x"}):
        refused(api, add(given), *bad("router", "'x' is not a valid UUID"))
    refused(api, add({"subnet_id": NOBODY}), 404, "SubnetNotFound", f"Subnet {NOBODY} could not be found.")
    refused(api, add({"port_id": NOBODY}), 404, "PortNotFound", f"Port {NOBODY} could not be found.")
    refused(api, add({"subnet_id": subnet}, NOBODY), 404, "RouterNotFound", f"Router {NOBODY} could not be found")
    twice = bad("router", f"Router already has a port on subnet {subnet}")
    refused(api, add({"subnet_id": subnet}), *twice)
    refused(api, add({"port_id": port}), *twice)
    refused(api, add({"port_id": world.bare}), *bad("router", "Router port must have at least one fixed IP"))
    other = api.create("router")["id"]
    refused(api, add({"port_id": world.two}, other), *bad("router", "Cannot have multiple IPv4 subnets on router port"))
    attached = (
        f"Unable to complete operation on port {world.vm} for network {world.inside}. Port already has an attached "
        "device vm."
    )
    refused(api, add({"port_id": world.vm}), 409, "PortInUse", attached)
    assert api.fault(add({"port_id": world.interface}, other))[1] == "PortInUse"
    taken = f"IP address 10.0.0.1 already allocated in subnet {subnet}"
    refused(api, add({"subnet_id": subnet}, other), 409, "IpAddressAlreadyAllocated", taken)
    none = api.create("subnet", network_id=world.inside, cidr="10.1.0.0/24", ip_version=4, gateway_ip=None)["id"]
    refused(api, add({"subnet_id": none}), *bad("router", "Subnet for router interface must have a gateway IP"))
    _, wide = network(api, "10.0.0.0/16")
    overlap = f"Cidr 10.0.0.0/16 of subnet {wide} overlaps with cidr 10.0.0.0/24 of subnet {subnet}"
    refused(api, add({"subnet_id": wide}), *bad("router", overlap))
    _, gateways = network(api, "203.0.0.0/16")
    assert "overlaps with cidr 203.0.113.0/24" in api.fault(add({"subnet_id": gateways}))[2]
    assert api.list("port", ("device_id", other)) == []


def test_ipv6_interfaces(api: Api) -> None:
    net, _ = network(api, "10.0.0.0/24")
    first, second, third = (
        api.create("subnet", network_id=net, cidr=f"fd00:{n}::/64", ip_version=6)["id"] for n in (1, 2, 3)
    )
    router = api.create("router")["id"]
    made = interface(api, router, first)
    port = api.create("port", network_id=net, fixed_ips=[{"subnet_id": second}])["id"]
    answer = api.raw("PUT", f"/v2.0/routers/{router}/add_router_interface", {"port_id": port})
    message = (
        "Cannot have multiple router ports with the same network id if both contain IPv6 subnets. Existing port "
        f"{made['port_id']} has IPv6 subnet(s) and network id {net}"
    )
    refused(api, answer, *bad("router", message))
    api.create("port", network_id=net, fixed_ips=[{"subnet_id": third, "ip_address": "fd00:3::1"}])
    answer = api.raw("PUT", f"/v2.0/routers/{router}/add_router_interface", {"subnet_id": third})
    assert api.fault(answer)[:2] == (409, "IpAddressAlreadyAllocated")
    alone = api.create("subnet", network_id=net, cidr="fd00:4::/64", ip_version=6, ipv6_address_mode="dhcpv6-stateful")[
        "id"
    ]
    answer = api.raw("PUT", f"/v2.0/routers/{router}/add_router_interface", {"subnet_id": alone})
    message = (
        f"IPv6 subnet {alone} configured to receive RAs from an external router cannot be added to Neutron Router."
    )
    refused(api, answer, *bad("router", message))


def test_removal_of_interfaces(api: Api, world: World) -> None:
    def remove(given: Any, router: str = world.router) -> httpx.Response:
        return api.raw("PUT", f"/v2.0/routers/{router}/remove_router_interface", given)

    router, subnet = world.router, world.subnet
    refused(api, remove({}), *bad("router", "Either subnet_id or port_id must be specified"))
    message = f"Router {router} does not have an interface with id {world.port}"
    refused(api, remove({"port_id": world.port}), 404, "RouterInterfaceNotFound", message)
    assert api.fault(remove({"port_id": world.gateway}))[1] == "RouterInterfaceNotFound"
    message = f"Router {router} has no interface on subnet {world.island_subnet}"
    refused(api, remove({"subnet_id": world.island_subnet}), 404, "RouterInterfaceNotFoundForSubnet", message)
    assert api.fault(remove({"subnet_id": NOBODY}))[:2] == (404, "SubnetNotFound")
    message = f"Subnet on port {world.interface} does not match the requested subnet {world.island_subnet}."
    both = {"port_id": world.interface, "subnet_id": world.island_subnet}
    refused(api, remove(both), 400, "SubnetMismatchForPort", message)
    message = (
        f"Router interface for subnet {subnet} on router {router} cannot be deleted, as it is required by one or more "
        "floating IPs."
    )
    for given in ({"subnet_id": subnet}, {"port_id": world.interface}):
        refused(api, remove(given), 409, "RouterInterfaceInUseByFloatingIP", message)
    other = api.create("router")["id"]
    _, routed = network(api, "10.5.0.0/24")
    interface(api, other, routed)
    api.update("router", other, routes=[{"destination": "10.6.0.0/24", "nexthop": "10.5.0.9"}])
    message = (
        f"Router interface for subnet {routed} on router {other} cannot be deleted, as it is required by one or more "
        "routes."
    )
    refused(api, remove({"subnet_id": routed}, other), 409, "RouterInterfaceInUseByRoute", message)
    refused(api, api.raw("DELETE", f"/v2.0/routers/{other}"), 409, "RouterInUse", f"Router {other} still has ports")


def test_routes(api: Api, world: World) -> None:
    def put(routes: Any) -> httpx.Response:
        return api.raw("PUT", f"/v2.0/routers/{world.router}", {"router": {"routes": routes}})

    def one(via: str, to: str = "172.16.0.0/24") -> list[dict[str, str]]:
        return [{"destination": to, "nexthop": via}]

    for via, reason in (
        ("192.0.2.1", "the nexthop is not connected with router"),
        ("fd00::5", "the nexthop is not connected with router"),
        ("10.0.0.1", "the nexthop is used by router"),
    ):
        message = f"Invalid format for routes: {one(via)}, {reason}"
        refused(api, put(one(via)), 400, "InvalidRoutes", message)
    many = [{"destination": f"172.16.{n}.0/24", "nexthop": "10.0.0.9"} for n in range(31)]
    message = f"Unable to complete operation for {world.router}. The number of routes exceeds the maximum 30."
    refused(api, put(many), 400, "RoutesExhausted", message)
    for routes in ("x", ["x"], [{"destination": "172.16.0.0/24"}], one("x"), one("10.0.0.9", "172.16.0.1/24")):
        assert api.fault(put(routes))[:2] == (400, "HTTPBadRequest")
    assert api.fault(put(one("10.0.0.9") * 2))[2].startswith("Invalid input for routes. Reason: Duplicate hostroute")
    for action in ("add_extraroutes", "remove_extraroutes"):
        given: Any
        for given in (None, {}, {"router": {}}, {"router": {"routes": "x"}}, {"router": {"routes": [], "name": "x"}}):
            answer = api.raw("PUT", f"/v2.0/routers/{world.router}/{action}", given)
            assert api.fault(answer)[0] == 400
    answer = api.raw("PUT", f"/v2.0/routers/{world.router}/add_extraroutes", {"router": {"routes": one("192.0.2.1")}})
    assert api.fault(answer)[:2] == (400, "InvalidRoutes")


def test_ports_that_belong_to_routers_and_floating_ips(api: Api, world: World) -> None:
    holder = api.list("port", ("device_id", world.floating_ip))[0]["id"]
    owners = {
        world.interface: "network:router_interface",
        world.gateway: "network:router_gateway",
        holder: "network:floatingip",
    }
    for port, owner in owners.items():
        message = f"Port {port} cannot be deleted directly via the port API: has device owner {owner}."
        refused(api, api.raw("DELETE", f"/v2.0/ports/{port}"), 409, "ServicePortInUse", message)
        for name, value in (("device_owner", "x"), ("device_id", ""), ("fixed_ips", [])):
            answer = api.raw("PUT", f"/v2.0/ports/{port}", {"port": {name: value}})
            message = f"Operation {name} update is not supported for device_owner {owner} on port {port}."
            refused(api, answer, 409, "UnsupportedPortDeviceOwner", message)
        held = api.show("port", port)
        same = {name: held[name] for name in ("device_owner", "device_id", "fixed_ips")}
        assert api.update("port", port, name="named", **same)["name"] == "named"
        api.update("port", port, name="")


def test_gateway_address_of_a_subnet_in_use(api: Api, world: World) -> None:
    message = f"Current gateway ip 10.0.0.1 already in use by port {world.interface}. Unable to update."
    for value in ("10.0.0.254", None):
        answer = api.raw("PUT", f"/v2.0/subnets/{world.subnet}", {"subnet": {"gateway_ip": value}})
        refused(api, answer, 409, "GatewayIpInUse", message)
    assert api.update("subnet", world.subnet, gateway_ip="10.0.0.1")["gateway_ip"] == "10.0.0.1"
    answer = api.raw("DELETE", f"/v2.0/subnets/{world.subnet}")
    assert api.fault(answer)[:2] == (409, "SubnetInUse")
