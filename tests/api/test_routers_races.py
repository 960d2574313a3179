"""Requests about one router, address or port that meet in two api processes: one wins, the others learn why not."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Api
from .routing import interface, network, reachable
from .test_races import at_once


@pytest.fixture(scope="module")
def second(api: Api) -> Iterator[Api]:
    other = Api("remote", api.remote)
    yield other
    other.close()


def put_interface(router: str, action: str, **given: Any) -> tuple[str, str, Any]:
    return "PUT", f"/v2.0/routers/{router}/{action}_router_interface", given


async def test_overlapping_interfaces_exclude_each_other(api: Api, second: Api) -> None:
    for _ in range(5):
        router = api.create("router")["id"]
        subnets = [network(api, cidr)[1] for cidr in ("10.0.0.0/16", "10.0.0.0/24", "10.0.0.0/8", "10.0.0.0/25")]
        answers = await at_once(
            [api.url, second.url], [put_interface(router, "add", subnet_id=subnet) for subnet in subnets]
        )
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
        assert all("overlaps with cidr" in answer.text for answer in answers if answer.status_code == 400)
        assert len(api.list("port", ("device_id", router))) == 1


async def test_all_of_many_interfaces_are_kept(api: Api, second: Api) -> None:
    router = api.create("router")["id"]
    subnets = [network(api, f"10.0.{n}.0/24")[1] for n in range(12)]
    answers = await at_once(
        [api.url, second.url], [put_interface(router, "add", subnet_id=subnet) for subnet in subnets]
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len(api.list("port", ("device_id", router))) == 12
    refused = api.raw("DELETE", f"/v2.0/routers/{router}")
    assert api.fault(refused)[1] == "RouterInUse"


async def test_one_floating_ip_of_many_gets_an_address(api: Api, second: Api) -> None:
    inside, _, _, external = reachable(api)
    for _ in range(4):
        port = api.create("port", network_id=inside)["id"]
        body = {"floatingip": {"floating_network_id": external, "port_id": port}}
        answers = await at_once([api.url, second.url], [("POST", "/v2.0/floatingips", body)] * 6)
        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 5}
        assert {api.fault(answer)[1] for answer in answers if answer.status_code == 409} == {
            "FloatingIPPortAlreadyAssociated"
        }
        assert len(api.list("floatingip", ("port_id", port))) == 1


async def test_a_port_has_a_floating_ip_or_forwardings(api: Api, second: Api) -> None:
    inside, _, _, external = reachable(api)
    for _ in range(5):
        port = api.create("port", network_id=inside)
        one, two = (api.create("floatingip", floating_network_id=external)["id"] for _ in range(2))
        forwarding = {
            "protocol": "tcp",
            "external_port": 1,
            "internal_port": 1,
            "internal_port_id": port["id"],
            "internal_ip_address": port["fixed_ips"][0]["ip_address"],
        }
        answers = await at_once(
            [api.url, second.url],
            [
                ("PUT", f"/v2.0/floatingips/{one}", {"floatingip": {"port_id": port["id"]}}),
                ("POST", f"/v2.0/floatingips/{two}/port_forwardings", {"port_forwarding": forwarding}),
            ],
        )
        assert sum(answer.status_code < 300 for answer in answers) == 1
        lost = next(answer for answer in answers if answer.status_code >= 300)
        assert api.fault(lost)[1] in ("PortHasPortForwarding", "PortHasBindingFloatingIP")


async def test_an_interface_goes_or_is_needed(api: Api, second: Api) -> None:
    for _ in range(6):
        inside, subnet, router, external = reachable(api)
        port = api.create("port", network_id=inside)["id"]
        body = {"floatingip": {"floating_network_id": external, "port_id": port}}
        answers = await at_once(
            [api.url, second.url],
            [("POST", "/v2.0/floatingips", body), put_interface(router, "remove", subnet_id=subnet)],
        )
        kinds = [api.fault(answer)[1] for answer in answers if answer.status_code >= 400]
        assert kinds in (["RouterInterfaceInUseByFloatingIP"], ["ExternalGatewayForFloatingIPNotFound"])


async def test_a_gateway_goes_or_is_needed(api: Api, second: Api) -> None:
    for _ in range(6):
        inside, _, router, external = reachable(api)
        port = api.create("port", network_id=inside)["id"]
        body = {"floatingip": {"floating_network_id": external, "port_id": port}}
        none = {"router": {"external_gateway_info": None}}
        answers = await at_once(
            [api.url, second.url],
            [("POST", "/v2.0/floatingips", body), ("PUT", f"/v2.0/routers/{router}", none)],
        )
        kinds = [api.fault(answer)[1] for answer in answers if answer.status_code >= 400]
        assert kinds in (["RouterExternalGatewayInUseByFloatingIp"], ["ExternalGatewayForFloatingIPNotFound"])


async def test_a_router_goes_or_gets_an_interface(api: Api, second: Api) -> None:
    for _ in range(6):
        router = api.create("router")["id"]
        _, subnet = network(api, "10.0.0.0/24")
        answers = await at_once(
            [api.url, second.url],
            [put_interface(router, "add", subnet_id=subnet), ("DELETE", f"/v2.0/routers/{router}", None)],
        )
        assert sorted(answer.status_code for answer in answers) in ([200, 409], [204, 404])
        gone = answers[1].status_code == 204
        assert (api.list("port", ("device_id", router)) == []) == gone


async def test_a_port_goes_while_floating_ips_come(api: Api, second: Api) -> None:
    inside, _, _, external = reachable(api)
    for _ in range(6):
        port = api.create("port", network_id=inside)["id"]
        floating_ip = api.create("floatingip", floating_network_id=external)["id"]
        answers = await at_once(
            [api.url, second.url],
            [
                ("PUT", f"/v2.0/floatingips/{floating_ip}", {"floatingip": {"port_id": port}}),
                ("DELETE", f"/v2.0/ports/{port}", None),
            ],
        )
        assert answers[1].status_code == 204 and answers[0].status_code in (200, 404)
        assert api.show("floatingip", floating_ip)["port_id"] is None


async def test_the_last_forwardings_go_together(api: Api, second: Api) -> None:
    inside, _, _, external = reachable(api)
    port = api.create("port", network_id=inside)
    for _ in range(5):
        floating_ip = api.create("floatingip", floating_network_id=external)["id"]
        base = f"/v2.0/floatingips/{floating_ip}/port_forwardings"
        given = {
            "protocol": "udp",
            "internal_port_id": port["id"],
            "internal_ip_address": port["fixed_ips"][0]["ip_address"],
        }
        both = [given | {"external_port": n, "internal_port": n} for n in (1, 2)]
        made = api.ask("POST", base, {"port_forwardings": both}, 201)["port_forwardings"]
        answers = await at_once([api.url, second.url], [("DELETE", f"{base}/{each['id']}", None) for each in made])
        assert [answer.status_code for answer in answers] == [204, 204]
        assert api.show("floatingip", floating_ip)["router_id"] is None


async def test_routes_from_many_sides_all_count(api: Api, second: Api) -> None:
    router = api.create("router")["id"]
    interface(api, router, network(api, "10.0.0.0/24")[1])
    routes = [{"destination": f"172.16.{n}.0/24", "nexthop": "10.0.0.9"} for n in range(12)]
    bodies = [("PUT", f"/v2.0/routers/{router}/add_extraroutes", {"router": {"routes": [each]}}) for each in routes]
    answers = await at_once([api.url, second.url], bodies)
    assert {answer.status_code for answer in answers} == {200}
    assert len(api.show("router", router)["routes"]) == 12
