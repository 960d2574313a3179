"""Routers, floating IPs and port forwardings through openstacksdk and the ``openstack`` command."""

import contextlib
import io
import json
from typing import Any

import openstack
import pytest
from openstack import exceptions
from openstackclient.shell import OpenStackShell

from .conftest import Api
from .routing import external_network, network

JSON = ("-f", "json")


def run(api: Api, *arguments: str) -> Any:
    """What the command prints, as JSON where it prints any. In this process: most of a command's time is its start.

    Once only: the client remembers the first endpoint.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = OpenStackShell().run(["--os-auth-type", "none", "--os-endpoint", api.url, *arguments])
    assert code == 0, (arguments, code, printed.getvalue())
    return json.loads(printed.getvalue()) if "json" in arguments else None


def test_openstack_command(own_api: Api) -> None:
    api = own_api
    external, _ = external_network(api)
    inside, subnet = network(api, "10.0.0.0/24")
    port = api.create("port", network_id=inside, name="r-vm", fixed_ips=[{"ip_address": "10.0.0.20"}])["id"]
    made = run(api, "router", "create", "r", "--description", "d", "--tag", "red", *JSON)
    assert made["name"] == "r" and made["tags"] == ["red"] and made["admin_state_up"]
    gateway = ("--external-gateway", external, "--fixed-ip", "ip-address=203.0.113.9", "--disable-snat")
    run(api, "router", "set", "r", *gateway)
    run(api, "router", "add", "subnet", "r", subnet)
    run(api, "router", "set", "r", "--route", "destination=172.17.0.0/16,gateway=10.0.0.20", "--name", "r2")
    shown = run(api, "router", "show", "r2", *JSON)
    assert shown["external_gateway_info"]["external_fixed_ips"][0]["ip_address"] == "203.0.113.9"
    assert shown["external_gateway_info"]["enable_snat"] is False
    assert [each["destination"] for each in shown["routes"]] == ["172.17.0.0/16"]
    assert [each["ip_address"] for each in shown["interfaces_info"]] == ["10.0.0.1"]
    listed = run(api, "router", "list", "--long", "--name", "r2", *JSON)
    assert [(each["Name"], each["Distributed"], each["HA"]) for each in listed] == [("r2", True, True)]

    floating_ip = run(api, "floating", "ip", "create", external, "--floating-ip-address", "203.0.113.50", *JSON)
    address = floating_ip["floating_ip_address"]
    assert address == "203.0.113.50"
    run(api, "floating", "ip", "set", address, "--port", "r-vm")
    listed = run(api, "floating", "ip", "list", "--port", "r-vm", *JSON)
    assert [(each["Floating IP Address"], each["Fixed IP Address"]) for each in listed] == [(address, "10.0.0.20")]
    run(api, "floating", "ip", "unset", address, "--port")
    forward = ("floating", "ip", "port", "forwarding")
    made = run(
        api, *forward, "create", address, "--port", "r-vm", "--internal-ip-address", "10.0.0.20",
        "--internal-protocol-port", "22", "--external-protocol-port", "2222", "--protocol", "tcp", *JSON,
    )  # fmt: skip
    assert made["external_port"] == 2222 and made["internal_port_id"] == port
    run(api, *forward, "set", address, made["id"], "--external-protocol-port", "2223")
    listed = run(api, *forward, "list", address, *JSON)
    assert [each["External Port"] for each in listed] == [2223]
    run(api, *forward, "delete", address, made["id"])
    run(api, "floating", "ip", "delete", address)
    run(api, "router", "unset", "r2", "--route", "destination=172.17.0.0/16,gateway=10.0.0.20")
    run(api, "router", "remove", "subnet", "r2", subnet)
    run(api, "router", "unset", "r2", "--external-gateway")
    run(api, "router", "delete", "r2")
    assert api.list("router") == []


@pytest.fixture(scope="module")
def sdk(own_api: Api) -> Any:
    connection = openstack.connect(auth_type="none", endpoint=own_api.url)
    yield connection.network
    connection.close()


def test_sdk(sdk: Any) -> None:
    external = sdk.create_network(name="sdk-out", is_router_external=True)
    sdk.create_subnet(network_id=external.id, cidr="203.0.113.0/24", ip_version=4)
    inside = sdk.create_network(name="sdk-in")
    subnet = sdk.create_subnet(network_id=inside.id, cidr="10.0.0.0/24", ip_version=4)
    port = sdk.create_port(network_id=inside.id)
    router = sdk.create_router(name="sdk-r", external_gateway_info={"network_id": external.id})
    assert router.status == "ACTIVE" and router.is_distributed and router.is_ha
    assert sdk.add_interface_to_router(router, subnet=subnet.id)["subnet_id"] == subnet.id
    routes = {"router": {"routes": [{"destination": "172.16.0.0/16", "nexthop": "10.0.0.9"}]}}
    assert len(sdk.add_extra_routes_to_router(router, routes).routes) == 1
    assert sdk.remove_extra_routes_from_router(router, routes).routes == []
    floating_ip = sdk.create_ip(floating_network_id=external.id, port_id=port.id)
    assert floating_ip.router_id == router.id and floating_ip.port_details["network_id"] == inside.id
    assert sdk.find_ip(floating_ip.floating_ip_address).id == floating_ip.id
    assert [each.id for each in sdk.ips(router_id=router.id)] == [floating_ip.id]
    with pytest.raises(exceptions.ConflictException, match="required by one or more floating IPs"):
        sdk.remove_interface_from_router(router, subnet=subnet.id)
    with pytest.raises(exceptions.ConflictException, match="still has ports"):
        sdk.delete_router(router, ignore_missing=False)
    floating_ip = sdk.update_ip(floating_ip, port_id=None)
    assert floating_ip.fixed_ip_address is None and sdk.find_available_ip() is not None
    forwarding = sdk.create_floating_ip_port_forwarding(
        floating_ip,
        protocol="udp",
        external_port=53,
        internal_port=5353,
        internal_port_id=port.id,
        internal_ip_address=port.fixed_ips[0]["ip_address"],
    )
    assert [each.id for each in sdk.floating_ip_port_forwardings(floating_ip)] == [forwarding.id]
    changed = sdk.update_floating_ip_port_forwarding(floating_ip, forwarding, internal_port=54)
    assert changed.internal_port == 54
    sdk.delete_floating_ip_port_forwarding(floating_ip, forwarding, ignore_missing=False)
    sdk.delete_ip(floating_ip, ignore_missing=False)
    sdk.remove_interface_from_router(router, subnet=subnet.id)
    sdk.delete_router(router, ignore_missing=False)
    sdk.delete_network(external, ignore_missing=False)
