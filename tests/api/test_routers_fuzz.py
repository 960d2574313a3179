"""Whatever is asked of routers and floating IPs, and in whatever order, what is kept makes sense."""

import ipaddress
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import Api
from .routing import external_network, interface, network
from .test_definitions import OURS
from .test_fuzz import PLAUSIBLE, RELAXED, check
from .test_races import at_once
from .test_values import ANYTHING

Request = tuple[str, str, Any]
NAMES = ["router", "floatingip"]


class World:
    """Few things of each kind, so that requests about them meet."""

    def __init__(self, api: Api) -> None:
        self.inside = [network(api, cidr) for cidr in ("10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/23")]
        six = [
            api.create("subnet", network_id=self.inside[0][0], cidr=f"fd00:{n}::/64", ip_version=6)["id"]
            for n in (1, 2)
        ]
        self.subnets = [subnet for _, subnet in self.inside] + six
        self.outside = [external_network(api, cidr)[0] for cidr in ("203.0.113.0/28", "198.51.100.0/28")]
        self.routers = [api.create("router")["id"] for _ in range(2)]
        made = [api.create("port", network_id=self.inside[at % 2][0]) for at in range(4)]
        self.ports = [port["id"] for port in made]
        self.addresses = [
            each["ip_address"] for port in made for each in port["fixed_ips"] if ":" not in each["ip_address"]
        ]
        self.floating_ips = [api.create("floatingip", floating_network_id=net)["id"] for net in self.outside * 2]

    def requests(self, api: Api) -> st.SearchStrategy[Request]:
        router, port = st.sampled_from(self.routers), st.sampled_from(self.ports)
        floating_ip, outside = st.sampled_from(self.floating_ips), st.sampled_from(self.outside)
        where = st.fixed_dictionaries({"subnet_id": st.sampled_from(self.subnets)}) | st.fixed_dictionaries(
            {"port_id": port}
        )
        hop = {
            "destination": st.sampled_from(["172.16.0.0/16", "172.17.0.0/16"]),
            "nexthop": st.sampled_from(["10.0.0.9", "10.0.1.9", "203.0.113.1", "10.0.0.1"]),
        }
        routes = st.lists(st.fixed_dictionaries(hop), max_size=2)
        gateway = st.none() | st.fixed_dictionaries({"network_id": outside})
        held = st.sampled_from(list(zip(self.ports, self.addresses, strict=True)))
        numbers = {
            "protocol": st.sampled_from(["tcp", "udp"]),
            "external_port": st.integers(1, 2),
            "internal_port": st.integers(1, 2),
        }
        forwarding = st.tuples(held, st.fixed_dictionaries(numbers)).map(
            lambda both: both[1] | {"internal_port_id": both[0][0], "internal_ip_address": both[0][1]}
        )

        def forwardings(id: str) -> st.SearchStrategy[Request]:
            there = [each["id"] for each in api.show("floatingip", id)["port_forwardings"]]
            base = f"/v2.0/floatingips/{id}/port_forwardings"
            new = forwarding.map(lambda body: ("POST", base, {"port_forwarding": body}))
            if not there:
                return new
            one = st.sampled_from(there).map(lambda each: f"{base}/{each}")
            return (
                new
                | one.map(lambda path: ("DELETE", path, None))
                | st.tuples(one, forwarding).map(lambda both: ("PUT", both[0], {"port_forwarding": both[1]}))
            )

        def to_router(action: str, body: st.SearchStrategy[Any]) -> st.SearchStrategy[Request]:
            return st.tuples(router, body).map(lambda both: ("PUT", f"/v2.0/routers/{both[0]}{action}", both[1]))

        def update(name: str, id: st.SearchStrategy[str], body: st.SearchStrategy[Any]) -> st.SearchStrategy[Request]:
            return st.tuples(id, body).map(lambda both: ("PUT", f"/v2.0/{name}s/{both[0]}", {name: both[1]}))

        association = st.one_of(
            st.fixed_dictionaries({"port_id": st.none() | port}),
            held.map(lambda both: {"port_id": both[0], "fixed_ip_address": both[1]}),
        )
        return st.one_of(
            to_router("/add_router_interface", where),
            to_router("/remove_router_interface", where),
            to_router("", st.fixed_dictionaries({"external_gateway_info": gateway}).map(lambda body: {"router": body})),
            to_router("/add_extraroutes", routes.map(lambda each: {"router": {"routes": each}})),
            to_router("", routes.map(lambda each: {"router": {"routes": each}})),
            update("floatingip", floating_ip, association),
            update("floatingip", floating_ip, association),
            floating_ip.flatmap(forwardings),
            floating_ip.flatmap(forwardings),
            st.sampled_from(self.subnets[2:]).map(
                lambda id: ("PUT", f"/v2.0/subnets/{id}", {"subnet": {"gateway_ip": None}})
            ),
        )


@pytest.fixture(scope="module")
def second(own_api: Api) -> Iterator[Api]:
    other = Api("remote", own_api.remote)
    yield other
    other.close()


@settings(RELAXED, max_examples=30)
@given(data=st.data())
async def test_many_at_once(own_api: Api, second: Api, data: st.DataObject) -> None:
    api = own_api
    clear(api)
    world = World(api)
    for id, net in zip(world.routers, world.outside, strict=True):
        api.update("router", id, external_gateway_info={"network_id": net})
    for subnet in world.subnets[:2]:
        interface(api, world.routers[0], subnet)
    for _ in range(data.draw(st.integers(1, 5))):
        requests = [data.draw(world.requests(api)) for _ in range(4)]
        answers = await at_once([api.url, second.url], requests)
        for answer in answers:
            assert answer.status_code < 500, answer.text
    # What the other process wrote is seen here before a write of this one is answered.
    api.delete("network", api.create("network")["id"])
    sensible(api)


def clear(api: Api) -> None:
    for each in api.list("floatingip"):
        for one in each["port_forwardings"]:
            api.ask("DELETE", f"/v2.0/floatingips/{each['id']}/port_forwardings/{one['id']}", status=204)
        api.delete("floatingip", each["id"])
    for router in api.list("router"):
        api.update("router", router["id"], routes=[], external_gateway_info=None)
        for port in api.list("port", ("device_id", router["id"])):
            api.ask("PUT", f"/v2.0/routers/{router['id']}/remove_router_interface", {"port_id": port["id"]})
        api.delete("router", router["id"])
    for port in api.list("port"):
        api.delete("port", port["id"])
    for each in api.list("network"):
        api.delete("network", each["id"])


def sensible(api: Api) -> None:
    ports = {port["id"]: port for port in api.list("port")}
    cidrs = {subnet["id"]: ipaddress.ip_network(subnet["cidr"]) for subnet in api.list("subnet")}
    gateways: dict[str, str] = {}
    inside: dict[str, set[str]] = {}
    for router in api.list("router"):
        own = [port for port in ports.values() if port["device_id"] == router["id"]]
        owners = [port["device_owner"] for port in own]
        assert set(owners) <= {"network:router_interface", "network:router_gateway"}
        outside = [port for port in own if port["device_owner"] == "network:router_gateway"]
        info = router["external_gateway_info"]
        assert [port["network_id"] for port in outside] == ([info["network_id"]] if info else [])
        assert [port["fixed_ips"] for port in outside] == ([info["external_fixed_ips"]] if info else [])
        subnets = [each["subnet_id"] for port in own for each in port["fixed_ips"]]
        assert len(subnets) == len(set(subnets))
        prefixes = [cidrs[subnet] for subnet in subnets]
        assert not any(one.version == two.version and one.overlaps(two) for one, two in combinations(prefixes, 2))
        held = {each["ip_address"] for port in own for each in port["fixed_ips"]}
        for route in router["routes"]:
            hop = ipaddress.ip_address(route["nexthop"])
            assert any(hop in prefix for prefix in prefixes) and route["nexthop"] not in held
        if info:
            gateways[router["id"]] = info["network_id"]
        inside[router["id"]] = set(subnets)

    def leads(floating_ip: dict[str, Any], port_id: str, address: str) -> None:
        (subnet,) = (each["subnet_id"] for each in ports[port_id]["fixed_ips"] if each["ip_address"] == address)
        router = floating_ip["router_id"]
        assert gateways[router] == floating_ip["floating_network_id"] and subnet in inside[router]

    used: set[tuple[str, str, str]] = set()
    associated: set[str] = set()
    forwarded: set[str] = set()
    for each in api.list("floatingip"):
        (holder,) = (port for port in ports.values() if port["device_id"] == each["id"])
        assert [held["ip_address"] for held in holder["fixed_ips"]] == [each["floating_ip_address"]]
        if each["port_id"] is not None:
            key = each["port_id"], each["fixed_ip_address"], each["floating_network_id"]
            assert key not in used and not each["port_forwardings"]
            used.add(key)
            associated.add(each["port_id"])
            leads(each, each["port_id"], each["fixed_ip_address"])
        else:
            assert (each["router_id"] is None) == (not each["port_forwardings"])
        for one in each["port_forwardings"]:
            leads(each, one["internal_port_id"], one["internal_ip_address"])
            forwarded.add(one["internal_port_id"])
    assert not associated & forwarded


@pytest.fixture(scope="module")
def targets(api: Api) -> dict[str, str]:
    external, _ = external_network(api)
    inside, subnet = network(api, "10.0.0.0/24")
    router = api.create("router", external_gateway_info={"network_id": external})["id"]
    api.ask("PUT", f"/v2.0/routers/{router}/add_router_interface", {"subnet_id": subnet})
    return {
        "router": router,
        "floatingip": api.create("floatingip", floating_network_id=external)["id"],
        "network": external,
        "port": api.create("port", network_id=inside)["id"],
        "subnet": subnet,
    }


@RELAXED
@given(data=st.data())
def test_bodies(api: Api, targets: dict[str, str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    known = st.sampled_from([each.name for each in OURS[f"{name}s"].values() if each.post or each.put])
    ids = st.sampled_from(sorted(targets.values()))
    plausible = PLAUSIBLE | ids | st.fixed_dictionaries({"network_id": ids, "external_fixed_ips": PLAUSIBLE})
    values: dict[str, Any] = data.draw(st.dictionaries(known | st.text(max_size=5), plausible, max_size=4))
    method = data.draw(st.sampled_from(["POST", "PUT"]))
    if name == "floatingip" and method == "POST":
        values = {"floating_network_id": targets["network"]} | values
    base = f"/v2.0/{name}s"
    answer = api.raw(method, base + (f"/{targets[name]}" if method == "PUT" else ""), {name: values})
    check(api, answer)
    if answer.status_code == 201:
        api.delete(name, answer.json()[name]["id"])


@RELAXED
@given(data=st.data())
def test_actions(api: Api, targets: dict[str, str], data: st.DataObject) -> None:
    ids = st.sampled_from(sorted(targets.values()))
    where = st.dictionaries(st.sampled_from(["subnet_id", "port_id", "x"]), ANYTHING | ids, max_size=2)
    routes = st.fixed_dictionaries({"router": st.fixed_dictionaries({"routes": PLAUSIBLE})})
    action = data.draw(st.sampled_from(["add_router_interface", "remove_router_interface", "add_extraroutes"]))
    body = data.draw(ANYTHING | where | routes)
    check(api, api.raw("PUT", f"/v2.0/routers/{targets['router']}/{action}", json=body))
    forwarding = st.dictionaries(
        st.sampled_from(["protocol", "external_port", "internal_port", "internal_port_id", "internal_ip_address"]),
        PLAUSIBLE | ids | st.sampled_from(["tcp", "10.0.0.3"]),
    )
    body = data.draw(ANYTHING | st.fixed_dictionaries({"port_forwarding": ANYTHING | forwarding}))
    check(api, api.raw("POST", f"/v2.0/floatingips/{targets['floatingip']}/port_forwardings", json=body))


@RELAXED
@given(data=st.data())
def test_queries(api: Api, targets: dict[str, str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    known = [*OURS[f"{name}s"], "limit", "marker", "sort_key", "sort_dir", "fields"]
    words = st.sampled_from([*known, "asc", "1", "True", "203.0.113.2", *targets.values()]) | st.text(max_size=5)
    params = data.draw(st.lists(st.tuples(st.sampled_from(known), words), max_size=4))
    check(api, api.raw("GET", f"/v2.0/{name}s", params=params))
    base = f"/v2.0/floatingips/{targets['floatingip']}/port_forwardings"
    check(api, api.raw("GET", base, params=params))
