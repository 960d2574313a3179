"""What is asked of floating IPs and port forwardings that can't be: the errors of the real service."""

from typing import Any

import httpx
import pytest

from .conftest import Api
from .routing import external_network, network
from .test_routers_bad_input import NOBODY, World, bad, refused


@pytest.fixture(scope="module")
def world(api: Api) -> World:
    return World(api)


def create(api: Api, network_id: str, **given: Any) -> httpx.Response:
    return api.raw("POST", "/v2.0/floatingips", {"floatingip": {"floating_network_id": network_id, **given}})


def test_networks_and_addresses(api: Api, world: World) -> None:
    missing = "Failed to parse request. Required attribute 'floating_network_id' not specified"
    assert api.fault(api.raw("POST", "/v2.0/floatingips", {"floatingip": {}}))[2] == missing
    for id in (world.inside, NOBODY):
        refused(api, create(api, id), *bad("floatingip", f"Network {id} is not a valid external network"))
    empty = api.create("network", **{"router:external": True})["id"]
    none = bad("floatingip", f"Network {empty} does not contain any IPv4 subnet")
    refused(api, create(api, empty), *none)
    six = api.create("subnet", network_id=empty, cidr="2001:db8::/64", ip_version=6)["id"]
    refused(api, create(api, empty), *none)
    api.create("subnet", network_id=empty, cidr="192.0.2.0/30", ip_version=4)
    message = f"Unable to find any IP address on external network {empty}."
    for given in ({"subnet_id": six}, {"floating_ip_address": "2001:db8::9"}):
        refused(api, create(api, empty, **given), 400, "ExternalIpAddressExhausted", message)
    assert create(api, empty).status_code == 201
    full = f"No more IP addresses available on network {empty}."
    refused(api, create(api, empty), 409, "IpAddressGenerationFailure", full)
    outside = create(api, world.external, floating_ip_address="198.51.100.1")
    assert api.fault(outside)[:2] == (400, "InvalidIpForNetwork")
    taken = create(api, world.external, floating_ip_address=world.address)
    assert api.fault(taken)[:2] == (409, "IpAddressAlreadyAllocated")
    assert api.fault(create(api, world.external, subnet_id=world.subnet))[0] == 400
    assert api.fault(create(api, world.external, subnet_id=NOBODY))[:2] == (404, "SubnetNotFound")
    for name, value in (("floating_ip_address", "x"), ("port_id", "x"), ("fixed_ip_address", "1.2.3")):
        assert api.fault(create(api, world.external, **{name: value}))[:2] == (400, "HTTPBadRequest")
    for name in ("router_id", "status", "floating_ip_address", "floating_network_id", "subnet_id", "port_details"):
        answer = api.raw("PUT", f"/v2.0/floatingips/{world.free}", {"floatingip": {name: None}})
        refused(api, answer, 400, "HTTPBadRequest", f"Cannot update read-only attribute {name}")
    for name in ("name", "holder_id", "dns_name"):
        assert "Unrecognized attribute" in api.fault(create(api, world.external, **{name: "x"}))[2]
    assert api.fault(api.raw("GET", f"/v2.0/floatingips/{NOBODY}")) == (
        404,
        "FloatingIPNotFound",
        f"Floating IP {NOBODY} could not be found",
    )


def test_associations(api: Api, world: World) -> None:
    answers: list[tuple[dict[str, Any], tuple[int, str, str]]] = [
        (
            {"fixed_ip_address": "10.0.0.20"},
            bad("floatingip", "fixed_ip_address cannot be specified without a port_id"),
        ),
        ({"port_id": NOBODY}, (404, "PortNotFound", f"Port {NOBODY} could not be found.")),
        (
            {"port_id": world.bare},
            bad("floatingip", f"Cannot add floating IP to port {world.bare} that has no fixed IPv4 addresses"),
        ),
        (
            {"port_id": world.two},
            bad(
                "floatingip",
                f"Port {world.two} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when "
                "assigning a floating IP",
            ),
        ),
        (
            {"port_id": world.two, "fixed_ip_address": "10.0.0.20"},
            bad("floatingip", f"Port {world.two} does not have fixed ip 10.0.0.20"),
        ),
        (
            {"port_id": world.two, "fixed_ip_address": "fd00::1"},
            bad(
                "floatingip",
                "Cannot process floating IP association with fd00::1, since that is not an IPv4 address",
            ),
        ),
        (
            {"port_id": world.interface},
            bad("floatingip", f"Port {world.interface} is unable to be assigned a floating IP"),
        ),
        (
            {"port_id": world.stranded},
            (
                404,
                "ExternalGatewayForFloatingIPNotFound",
                f"External network {world.external} is not reachable from subnet {world.island_subnet}.  Therefore, "
                f"cannot associate Port {world.stranded} with a Floating IP.",
            ),
        ),
    ]
    before = len(api.list("port", ("network_id", world.external)))
    for given, (status, kind, message) in answers:
        refused(api, create(api, world.external, **given), status, kind, message)
        answer = api.raw("PUT", f"/v2.0/floatingips/{world.free}", {"floatingip": given})
        refused(api, answer, status, kind, message)
    assert len(api.list("port", ("network_id", world.external))) == before

    answer = api.raw("PUT", f"/v2.0/floatingips/{world.free}", {"floatingip": {"port_id": world.port}})
    address = api.show("floatingip", world.free)["floating_ip_address"]
    message = (
        f"Cannot associate floating IP {address} ({world.free}) with port {world.port} using fixed IP 10.0.0.20, as "
        f"that fixed IP already has a floating IP on external network {world.external}."
    )
    refused(api, answer, 409, "FloatingIPPortAlreadyAssociated", message)
    assert api.fault(create(api, world.external, port_id=world.port))[1] == "FloatingIPPortAlreadyAssociated"
    new = api.create("port", network_id=world.inside)["id"]
    bulk = {"floatingips": [{"floating_network_id": world.external, "port_id": new}] * 2}
    assert api.fault(api.raw("POST", "/v2.0/floatingips", bulk))[1] == "FloatingIPPortAlreadyAssociated"
    # A router on the subnet without a gateway leads nowhere, and neither does one to another network.
    other, _ = external_network(api, "198.51.100.0/24")
    assert api.fault(create(api, other, port_id=new))[1] == "ExternalGatewayForFloatingIPNotFound"


VALUES: list[tuple[dict[str, Any], str]] = [
    ({"protocol": "icmp"}, "Invalid input for protocol. Reason: icmp is not in valid_values."),
    ({"protocol": 6}, "Invalid input for protocol. Reason: 6 is not in valid_values."),
    (
        {"external_port": 0},
        "Invalid input for external_port. Reason: '0' is too small - must be at least '1'.",
    ),
    (
        {"internal_port": 65536},
        "Invalid input for internal_port. Reason: '65536' is too large - must be no larger than '65535'.",
    ),
    ({"internal_port": "x"}, "Invalid input for operation: 'x' is not an integer."),
    ({"internal_port_id": "x"}, "Invalid input for internal_port_id. Reason: 'x' is not a valid UUID."),
    ({"internal_ip_address": "x"}, "Invalid input for internal_ip_address. Reason: 'x' is not a valid IP address."),
    ({"floatingip_id": NOBODY}, "Unrecognized attribute(s) 'floatingip_id'"),
]


@pytest.mark.parametrize(("given", "message"), VALUES)
def test_forwarding_values(api: Api, world: World, given: dict[str, Any], message: str) -> None:
    body = forwarding(world.two, "10.0.0.40") | given
    answer = api.raw("POST", f"/v2.0/floatingips/{world.free}/port_forwardings", {"port_forwarding": body})
    assert api.fault(answer)[::2] == (400, message)


def forwarding(port: str, address: str, **more: Any) -> dict[str, Any]:
    return {
        "protocol": "tcp",
        "external_port": 2222,
        "internal_port": 22,
        "internal_port_id": port,
        "internal_ip_address": address,
        **more,
    }


def test_forwardings(api: Api, world: World) -> None:
    def post(id: str, **given: Any) -> httpx.Response:
        return api.raw("POST", f"/v2.0/floatingips/{id}/port_forwardings", {"port_forwarding": given})

    free = world.free
    good = forwarding(world.two, "10.0.0.40")
    refused(api, post(NOBODY, **good), 404, "FloatingIPNotFound", f"Floating IP {NOBODY} could not be found")
    missing = "Failed to parse request. Required attribute 'protocol' not specified"
    assert api.fault(post(free))[2] == missing
    assert api.fault(post(free, **good | {"internal_port_id": NOBODY}))[1] == "PortNotFound"
    message = (
        f"Cannot associate floating IP {world.address} ({world.floating_ip}) with port {world.two} using fixed IP "
        f"10.0.0.40, as that fixed IP already has a floating IP on external network {world.external}."
    )
    refused(api, post(world.floating_ip, **good), 409, "FloatingIPPortAlreadyAssociated", message)
    message = (
        f"Cannot create port forwarding to floating IP {world.address} ({world.floating_ip}) with port {world.port} "
        "using fixed IP 10.0.0.20, as that port already has a binding floating IP."
    )
    refused(api, post(free, **forwarding(world.port, "10.0.0.20")), 409, "PortHasBindingFloatingIP", message)
    message = f"Requested internal port {world.bare} must allocate an IPv4 address at least."
    refused(api, post(free, **forwarding(world.bare, "10.0.0.20")), *bad("port_forwarding", message))
    answer = post(free, **forwarding(world.two, "10.0.0.20"))
    assert "10.0.0.20 is not suitable for internal neutron port" in api.fault(answer)[2]
    stranded = api.show("port", world.stranded)["fixed_ips"][0]["ip_address"]
    message = (
        f"External network {world.external} is not reachable from subnet {world.island_subnet}. Cannot set Port "
        f"forwarding for port {world.stranded} with Floating IP {free}"
    )
    refused(api, post(free, **forwarding(world.stranded, stranded)), *bad("port_forwarding", message))

    made = api.ask("POST", f"/v2.0/floatingips/{free}/port_forwardings", {"port_forwarding": good}, 201)
    one = f"/v2.0/floatingips/{free}/port_forwardings/{made['port_forwarding']['id']}"
    duplicate = "A duplicate port forwarding entry with same attributes already exists, conflicting values are"
    for change in ({"internal_port": 23}, {"external_port": 2223}):
        assert api.fault(post(free, **good | change))[2].startswith(f"Bad port_forwarding request: {duplicate}")
    second = api.ask(
        "POST",
        f"/v2.0/floatingips/{free}/port_forwardings",
        {"port_forwarding": good | {"external_port": 80, "internal_port": 80}},
        201,
    )["port_forwarding"]["id"]
    again = {"port_forwarding": {"external_port": 2222}}
    answer = api.raw("PUT", f"/v2.0/floatingips/{free}/port_forwardings/{second}", again)
    assert api.fault(answer)[2].startswith(f"Bad port_forwarding request: {duplicate}")
    api.ask("PUT", one, {"port_forwarding": {"external_port": 2222}})

    message = f"Floating IP {free} in use by Port Forwarding resources."
    refused(api, api.raw("DELETE", f"/v2.0/floatingips/{free}"), 409, "FipInUseByPortForwarding", message)
    answer = api.raw("PUT", f"/v2.0/floatingips/{free}", {"floatingip": {"port_id": world.vm}})
    refused(api, answer, 409, "FipInUseByPortForwarding", message)
    message = f"Cannot associate floating IP to port {world.two} because it already has a Port Forwarding binding."
    answer = create(api, world.external, port_id=world.two, fixed_ip_address="10.0.0.41")
    refused(api, answer, 400, "PortHasPortForwarding", message)
    # The interface that the forwarding needs stays, and so does the router that it is on.
    api.update("floatingip", world.floating_ip, port_id=None)
    given = {"subnet_id": world.subnet}
    answer = api.raw("PUT", f"/v2.0/routers/{world.router}/remove_router_interface", given)
    assert api.fault(answer)[1] == "RouterInterfaceInUseByFloatingIP"
    inside, subnet = network(api, "10.8.0.0/24")
    beside = api.create("router", external_gateway_info={"network_id": world.external})["id"]
    api.ask("PUT", f"/v2.0/routers/{beside}/add_router_interface", {"subnet_id": subnet})
    port = api.create("port", network_id=inside, fixed_ips=[{"ip_address": "10.8.0.5"}])["id"]
    answer = post(free, **forwarding(port, "10.8.0.5", external_port=99))
    message = (
        f"The Floating IP {free} had been set on router {world.router}, the internal Neutron port {port} can not "
        "reach it"
    )
    refused(api, answer, *bad("port_forwarding", message))
    gone = f"/v2.0/floatingips/{free}/port_forwardings/{NOBODY}"
    for method, body in (("GET", None), ("PUT", {"port_forwarding": {}}), ("DELETE", None)):
        refused(
            api,
            api.raw(method, gone, body),
            404,
            "PortForwardingNotFound",
            f"Port Forwarding {NOBODY} could not be found.",
        )
    elsewhere = f"/v2.0/floatingips/{world.floating_ip}/port_forwardings/{second}"
    assert api.fault(api.raw("GET", elsewhere))[:2] == (404, "PortForwardingNotFound")
    assert api.fault(api.raw("GET", f"/v2.0/floatingips/{NOBODY}/port_forwardings"))[1] == "FloatingIPNotFound"
