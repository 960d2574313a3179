"""Routers with real packets: on one host, over two and three, and what a router has to say itself."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.hosts.icmp import NO_PORT, NO_ROUTE, TOO_BIG, TTL_EXCEEDED, IcmpError
from tests.hosts.namespace import run
from tests.hosts.outside import GATEWAY, INTERNET
from tests.hosts.project import MTU, Seat
from tests.hosts.routed import A1, A2, B1, B2, SEATS, Routed
from tests.hosts.talk import SILENCE
from tests.hosts.tenant import Row
from tests.hosts.until import until

PROTOCOLS = ("tcp", "udp")


@pytest.mark.parametrize("seat", SEATS, ids=lambda seat: seat.name)
def test_default_route_comes_with_the_lease(routed: Routed, seat: Seat) -> None:
    vm = routed.vm(seat.name)
    assert vm.lease and vm.lease.address == seat.ipv4
    assert vm.lease.router == f"10.{seat.network}.0.1" or ("0.0.0.0/0", f"10.{seat.network}.0.1") in vm.lease.routes
    default = run(["ip", "route", "show", "default"], namespace=vm.namespace)
    assert f"via 10.{seat.network}.0.1 " in default


@pytest.mark.parametrize("near", (A1, A2), ids=lambda seat: seat.name)
@pytest.mark.parametrize("far", (B1, B2), ids=lambda seat: seat.name)
def test_networks_of_a_router_reach_each_other(routed: Routed, near: Seat, far: Seat) -> None:
    for origin, target in ((near, far), (far, near)):
        vm = routed.vm(origin.name)
        for address, own in ((target.ipv4, origin.ipv4), (target.ipv6, origin.ipv6)):
            vm.reach(address)
            assert vm.ping(address, count=5, interval=0.05).lost == 0
            for protocol in PROTOCOLS:
                assert vm.talk(address, protocol=protocol) == f"{target.name} saw {own}"


@pytest.mark.parametrize("seat", SEATS, ids=lambda seat: seat.name)
def test_router_answers_at_each_address(routed: Routed, seat: Seat) -> None:
    vm = routed.vm(seat.name)
    for address in ("10.1.0.1", "10.2.0.1", "fd00:1::1", "fd00:2::1", routed.snat):
        vm.reach(address)
        assert vm.ping(address, count=3, interval=0.05, size=1000).lost == 0, address


def test_router_serves_nothing_else(routed: Routed) -> None:
    for address in ("10.1.0.1", "10.2.0.1", "fd00:1::1", routed.snat):
        for protocol in PROTOCOLS:
            assert routed.vm("a1").talk(address, protocol=protocol, timeout=0.5) == SILENCE


@pytest.mark.parametrize("far", (B1, B2), ids=lambda seat: seat.name)
def test_each_router_takes_one_from_the_ttl(routed: Routed, far: Seat) -> None:
    vm = routed.vm("a1")
    assert vm.trace(far.ipv4, 2) == ["10.1.0.1", far.ipv4]
    assert vm.trace(far.ipv6, 2) == ["fd00:1::1", far.ipv6]
    assert vm.provoke(far.ipv4, ttl=1) == IcmpError("10.1.0.1", TTL_EXCEEDED[4], 0)
    assert vm.provoke(far.ipv6, ttl=1) == IcmpError("fd00:1::1", TTL_EXCEEDED[6], 0)
    assert vm.provoke(far.ipv4) == IcmpError(far.ipv4, NO_PORT[4], 0)
    assert vm.provoke(far.ipv6) == IcmpError(far.ipv6, NO_PORT[6], 0)


@contextmanager
def router(routed: Routed, name: str, *networks: int, **attributes: Any) -> Iterator[Row]:
    """A router for a while."""
    tenant = routed.red.tenant
    made = routed.red.router(name, *networks, **attributes)
    try:
        yield made
    finally:
        tenant.update("router", made["id"], routes=[])
        for port in tenant.list("port", device_id=made["id"], device_owner="network:router_interface"):
            tenant.detach(made, port=port)
        tenant.delete("router", made["id"])


@contextmanager
def routes(routed: Routed, router: Row, *pairs: tuple[str, str]) -> Iterator[None]:
    """(destination, next hop) pairs of a router for a while."""
    given = [{"destination": destination, "nexthop": nexthop} for destination, nexthop in pairs]
    routed.red.tenant.update("router", router["id"], routes=given)
    try:
        yield
    finally:
        routed.red.tenant.update("router", router["id"], routes=[])


def test_without_a_route_the_router_says_so(routed: Routed) -> None:
    routed.red.network(6)
    with router(routed, "alone", 6), routed.red.guest(Seat("n6", "h1", 6, 11)) as vm:
        vm.reach("10.6.0.1")
        assert vm.provoke("192.0.2.1") == IcmpError("10.6.0.1", NO_ROUTE[4], 0)
        assert vm.provoke("2001:db8:ffff::1") == IcmpError("fd00:6::1", NO_ROUTE[6], 0)


def test_two_routers_and_three_hosts(routed: Routed) -> None:
    """Networks 1 and 3 have a router each; network 9 lies between them."""
    tenant = routed.red.tenant
    for number in (3, 9):
        routed.red.network(number)
    ends = [tenant.port(routed.red.networks[9], f"transit {n}", f"10.9.0.{n}", f"fd00:9::{n}") for n in (1, 2)]
    c3 = Seat("c3", "g1", 3, 13)
    over = (("10.3.0.0/24", "10.9.0.2"), ("fd00:3::/64", "fd00:9::2"))
    back = (("10.1.0.0/24", "10.9.0.1"), ("fd00:1::/64", "fd00:9::1"))
    with router(routed, "second", 3) as second, routed.red.guest(c3) as far, far.serve():
        tenant.attach(routed.router, port=ends[0])
        try:
            tenant.attach(second, port=ends[1])
            with routes(routed, routed.router, *over), routes(routed, second, *back):
                for seat in (A1, A2):
                    vm = routed.vm(seat.name)
                    for there, here in ((c3.ipv4, seat.ipv4), (c3.ipv6, seat.ipv6)):
                        vm.expect(f"c3 saw {here}", there)
                        assert vm.talk(there, protocol="udp") == f"c3 saw {here}"
                        assert far.talk(here) == f"{seat.name} saw {there}"
                        assert vm.ping(there, count=5, interval=0.05).lost == 0
                    assert vm.trace(c3.ipv4, 3) == ["10.1.0.1", "10.9.0.2", c3.ipv4]
                    assert vm.trace(c3.ipv6, 3) == ["fd00:1::1", "fd00:9::2", c3.ipv6]
                    assert far.trace(seat.ipv4, 3) == ["10.3.0.1", "10.9.0.1", seat.ipv4]
                # The second router knows no way to network 2.
                assert far.provoke(B2.ipv4) == IcmpError("10.3.0.1", NO_ROUTE[4], 0)
                assert far.ping("10.9.0.1").received and far.ping("10.9.0.2").received
        finally:
            tenant.detach(routed.router, port=ends[0])
    assert routed.vm("a1").talk(B2.ipv4) == f"b2 saw {A1.ipv4}"


def test_packets_that_no_longer_fit(routed: Routed) -> None:
    """A network with a smaller MTU; and the outside's 1500 bytes, which no machine takes."""
    routed.red.network(4, mtu=1300)
    d1 = Seat("d1", "h2", 4, 11)
    with router_interface(routed, 4), routed.red.guest(d1, mtu=1300):
        near = routed.vm("a1")
        near.reach(d1.ipv4)
        near.reach(d1.ipv6)
        assert near.provoke(d1.ipv4, size=1400, whole=True) == IcmpError("10.1.0.1", TOO_BIG[4], 1300)
        assert near.provoke(d1.ipv6, size=1400, whole=True) == IcmpError("fd00:1::1", TOO_BIG[6], 1300)
        # 1300 bytes: 20 or 40 of IP, 8 of UDP.
        assert near.provoke(d1.ipv4, size=1272, whole=True) == IcmpError(d1.ipv4, NO_PORT[4], 0)
        assert near.provoke(d1.ipv6, size=1252, whole=True) == IcmpError(d1.ipv6, NO_PORT[6], 0)


@contextmanager
def router_interface(routed: Routed, number: int) -> Iterator[None]:
    """The network is the router's third, for a while; every switch has it when this begins."""
    for subnet in routed.red.subnets[number]:
        port = routed.red.tenant.attach(routed.router, subnet=subnet)["port_id"]
        routed.red.tenant.wait_port(port, {"status": "ACTIVE"})
    try:
        yield
    finally:
        for subnet in routed.red.subnets[number]:
            routed.red.tenant.detach(routed.router, subnet=subnet)


@pytest.mark.parametrize("name", ("a1", "a2"))
def test_outside_learns_the_smaller_mtu(routed: Routed, name: str) -> None:
    address = routed.floating[name]
    routed.inet.reach(address)
    told = routed.inet.provoke(address, size=1472, whole=True)
    assert told and (told.kind, told.mtu) == (TOO_BIG[4], MTU)
    assert told.origin in (routed.snat, address), "from an address that is known outside"
    assert routed.inet.provoke(address, size=MTU - 28, whole=True) == IcmpError(address, NO_PORT[4], 0)


@pytest.mark.parametrize("name", ("b2", "a1", "a2"))
def test_inside_learns_the_smaller_mtu_of_the_outside(routed: Routed, name: str) -> None:
    """Before anything is translated: behind SNAT, and with floating IPs on both kinds of hosts."""
    vm, gateway = routed.vm(name), "10.2.0.1" if name == "b2" else "10.1.0.1"
    vm.reach(INTERNET)
    routed.operator.update("network", routed.external["id"], mtu=1400)
    try:
        until(lambda: vm.provoke(INTERNET, size=1422, whole=True), IcmpError(gateway, TOO_BIG[4], 1400))
    finally:
        routed.operator.update("network", routed.external["id"], mtu=1500)


def test_interface_comes_and_goes(routed: Routed) -> None:
    routed.red.network(5)
    e1 = Seat("e1", "h2", 5, 11)
    near = routed.vm("a1")
    with routed.red.guest(e1) as far, far.serve():
        with router_interface(routed, 5):
            near.expect(f"e1 saw {A1.ipv4}", e1.ipv4)
            near.expect(f"e1 saw {A1.ipv6}", e1.ipv6)
            assert far.talk(B2.ipv4) == f"b2 saw {e1.ipv4}"
        until(lambda: near.talk(e1.ipv4, timeout=1).startswith("e1"), False)
        assert far.ping("10.5.0.1", count=1).received == 0
        assert near.talk(B2.ipv4) == f"b2 saw {A1.ipv4}"


def test_router_that_is_down_routes_nothing(routed: Routed) -> None:
    routed.red.network(7)
    routed.red.network(8)
    f1, f2 = Seat("f1", "h1", 7, 11), Seat("f2", "h2", 8, 12)
    tenant = routed.red.tenant
    with router(routed, "down", 7, 8) as second, routed.red.guest(f1) as near, routed.red.guest(f2):
        near.reach(f2.ipv4)
        tenant.update("router", second["id"], admin_state_up=False)
        until(lambda: near.ping(f2.ipv4, count=1).received, 0)
        assert near.ping("10.7.0.1", count=1).received == 0
        tenant.update("router", second["id"], admin_state_up=True)
        near.reach(f2.ipv4)


SERVICE = "172.31.0.7"
"""An address that is no subnet's: machines have it, and a route leads to them."""


def test_equal_routes_share_the_flows(routed: Routed) -> None:
    tenant, client = routed.red.tenant, routed.vm("b1")
    pair: dict[str, Any] = {"allowed_address_pairs": [{"ip_address": "172.31.0.0/24"}]}
    seats = (Seat("e21", "h1", 1, 21), Seat("e22", "h2", 1, 22))
    with (
        routed.red.guest(seats[0], **pair) as one,
        routed.red.guest(seats[1], **pair) as other,
        one.serve(),
        other.serve(),
    ):
        for vm in (one, other):
            vm.give(f"{SERVICE}/32")
        answers = {f"{seat.name} saw {B1.ipv4}" for seat in seats}
        with routes(routed, routed.router, *(("172.31.0.0/24", seat.ipv4) for seat in seats)):
            until(lambda: {client.talk(SERVICE, protocol="udp") for _ in range(16)}, answers)
            for protocol in PROTOCOLS:
                counts = Counter(client.talk(SERVICE, protocol=protocol) for _ in range(32))
                assert set(counts) == answers, counts
                assert min(counts.values()) >= 4, counts
            # One flow stays with one next hop.
            assert len({client.talk(SERVICE, protocol="udp", source_port=4444) for _ in range(5)}) == 1
        with routes(routed, routed.router, ("172.31.0.0/24", seats[1].ipv4)):
            until(lambda: {client.talk(SERVICE, protocol="udp") for _ in range(8)}, {f"e22 saw {B1.ipv4}"})
    assert tenant.show("router", routed.router["id"])["routes"] == []


@pytest.mark.parametrize("client", (B1, B2), ids=lambda seat: seat.name)
def test_virtual_address_is_found_and_followed(routed: Routed, client: Seat) -> None:
    """An address that no port has as its own: who has it is asked on the wire, and heard when that changes."""
    virtual = f"10.1.0.{100 + client.number}"
    vm = routed.vm(client.name)
    pair: dict[str, Any] = {"allowed_address_pairs": [{"ip_address": virtual}]}
    with (
        routed.red.guest(Seat("v1", "h1", 1, 31), **pair) as one,
        routed.red.guest(Seat("v2", "h2", 1, 32), **pair) as other,
        one.serve(),
        other.serve(),
    ):
        one.give(f"{virtual}/24")
        vm.expect(f"v1 saw {client.ipv4}", virtual)
        assert vm.ping(virtual, count=5, interval=0.05).lost == 0
        for was, now in ((one, other), (other, one)):
            was.take(f"{virtual}/24")
            now.give(f"{virtual}/24")
            now.announce(virtual)
            vm.expect(f"{now.name} saw {client.ipv4}", virtual)
            assert vm.talk(virtual, protocol="udp") == f"{now.name} saw {client.ipv4}"


def test_virtual_address_of_nobody_is_unreachable(routed: Routed) -> None:
    """Asked for, not found: silence or ICMP unreachable, and the router goes on."""
    vm = routed.vm("b1")
    told = vm.provoke("10.1.0.200", timeout=2.0)
    assert told is None or told.kind == (3, 1)
    assert vm.talk(A2.ipv4) == f"a2 saw {B1.ipv4}"


def test_longest_prefix_wins(routed: Routed) -> None:
    """A route to a part of what the default route covers."""
    vm = routed.vm("b1")
    vm.reach(GATEWAY)
    with routes(routed, routed.router, ("198.51.100.0/25", A1.ipv4)):
        # a1 does not forward, so what goes there is lost.
        until(lambda: vm.ping("198.51.100.1", count=1).received, 0)
    vm.reach("198.51.100.1")


def test_machine_moves_and_is_routed_to(routed: Routed) -> None:
    vm, near = routed.vm("b1"), routed.vm("a2")
    near.expect(f"b1 saw {A2.ipv4}", B1.ipv4)
    for host in ("g2", "h1"):
        vm.move(routed.lab.hosts[host])
        routed.red.tenant.wait_port(vm.port_id, {"status": "ACTIVE", "binding:host_id": host})
        assert near.talk(B1.ipv4) == f"b1 saw {A2.ipv4}"
        assert vm.talk(A1.ipv4) == f"a1 saw {B1.ipv4}"
        assert vm.ping("10.2.0.1", count=1).received
