"""Which addresses are seen, outside and inside: SNAT, floating IPs and port forwardings with real packets.

After each test: no frame with an inside address has left by any host's uplink.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.hosts.group import group
from tests.hosts.icmp import NO_PORT, IcmpError
from tests.hosts.outside import GATEWAY, INTERNET
from tests.hosts.project import Project, Seat
from tests.hosts.routed import A1, A2, B1, B2, GATEWAYS, INSIDE, Routed, gateway_address, routed_lab
from tests.hosts.talk import REFUSED, SILENCE
from tests.hosts.until import until

PROTOCOLS = ("tcp", "udp")
FLOATING = ("a1", "a2")
"""On its machine's host, and at the gateway."""
CLOSED = 9
SHORT = 0.7
"""Seconds after which what has not been answered will not be."""


@pytest.fixture(scope="module")
def routed() -> Iterator[Routed]:
    with routed_lab() as made, made.serving():
        made.settle()
        yield made


@pytest.fixture(autouse=True)
def leaks(routed: Routed) -> Iterator[list[str]]:
    """A test that lets inside addresses out names their networks in the list."""
    before, meant = routed.wire.heard(), list[str]()
    yield meant
    assert routed.wire.from_inside(INSIDE, before) <= routed.wire.from_inside(meant, before)


# SNAT


@pytest.mark.parametrize("seat", (B1, B2), ids=lambda seat: seat.name)
def test_machines_without_floating_ip_share_the_routers_address(routed: Routed, seat: Seat) -> None:
    vm = routed.vm(seat.name)
    for address in (INTERNET, GATEWAY):
        for protocol in PROTOCOLS:
            assert vm.talk(address, protocol=protocol) == f"inet saw {routed.snat}"
        assert vm.ping(address, count=5, interval=0.05).lost == 0
        assert vm.ping(address, size=1422, whole=True).lost == 0


def test_one_source_port_of_two_machines(routed: Routed) -> None:
    for protocol in PROTOCOLS:
        for name in ("b1", "b2"):
            assert routed.vm(name).talk(INTERNET, protocol=protocol, source_port=40000) == f"inet saw {routed.snat}"


def test_only_one_gateway_host_carries(routed: Routed) -> None:
    assert routed.active() in GATEWAYS
    assert routed.router_now()["tunbridge:gateways"][0] == routed.active()


def test_nobody_comes_in_by_the_routers_address(routed: Routed) -> None:
    inet = routed.inet
    assert inet.ping(routed.snat, count=5, interval=0.05).lost == 0
    for protocol in PROTOCOLS:
        assert inet.talk(routed.snat, protocol=protocol, timeout=SHORT) == SILENCE
        assert inet.talk(routed.snat, 40000, protocol, timeout=SHORT) == SILENCE
    assert inet.ping(routed.snat, count=1).received, "and it still answers pings"


def test_nobody_comes_in_by_an_inside_address(routed: Routed) -> None:
    """Straight to the router, from a neighbour who knows what is behind it."""
    with routed.inet.route("10.0.0.0/8", routed.snat):
        for seat in (A1, A2, B1, B2):
            assert routed.inet.talk(seat.ipv4, timeout=SHORT) == SILENCE
            assert routed.inet.ping(seat.ipv4, count=1, wait=SHORT).received == 0


# Floating IPs


@pytest.mark.parametrize("name", FLOATING)
def test_floating_ip(routed: Routed, name: str) -> None:
    vm, address = routed.vm(name), routed.floating[name]
    for protocol in PROTOCOLS:
        for outside in (INTERNET, GATEWAY):
            assert vm.talk(outside, protocol=protocol) == f"inet saw {address}"
        assert routed.inet.talk(address, protocol=protocol) == f"{name} saw {GATEWAY}"
    assert vm.ping(INTERNET, count=5, interval=0.05).lost == 0
    assert routed.inet.ping(address, count=5, interval=0.05).lost == 0
    assert routed.inet.ping(address, size=1422, whole=True).lost == 0


def test_where_floating_ips_are(routed: Routed) -> None:
    before = routed.wire.heard()
    for name in FLOATING:
        assert routed.inet.talk(routed.floating[name])
    assert routed.wire.hosts(routed.floating["a1"], before) == {"h1"}
    assert routed.wire.hosts(routed.floating["a2"], before) == {routed.active()}


def test_one_host_answers_for_each_address(routed: Routed) -> None:
    def macs(address: str) -> list[str]:
        return [answer.sender_mac for answer in routed.inet.arp(address, sender=GATEWAY)]

    tenant = routed.red.tenant
    for address in (routed.snat, *routed.floating.values()):
        (port,) = tenant.list("port", network_id=routed.external["id"], fixed_ips=f"ip_address={address}")
        assert macs(address) == [port["mac_address"]]
    assert macs("203.0.113.98") == []


# ICMP errors find their way


@pytest.mark.parametrize("name", ("a1", "a2", "b1", "b2"))
def test_refusals_come_back(routed: Routed, name: str) -> None:
    vm = routed.vm(name)
    for protocol in PROTOCOLS:
        assert vm.talk(GATEWAY, CLOSED, protocol) == REFUSED
    assert vm.provoke(GATEWAY) == IcmpError(GATEWAY, NO_PORT[4], 0)


@pytest.mark.parametrize("name", FLOATING)
def test_refusals_go_out(routed: Routed, name: str) -> None:
    address = routed.floating[name]
    for protocol in PROTOCOLS:
        assert routed.inet.talk(address, CLOSED, protocol) == REFUSED
    assert routed.inet.provoke(address) == IcmpError(address, NO_PORT[4], 0)


@pytest.mark.parametrize("name", ("a1", "b2"))
def test_the_way_out_can_be_traced(routed: Routed, name: str) -> None:
    vm = routed.vm(name)
    network = {"a1": 1, "b2": 2}[name]
    assert vm.trace(INTERNET, 2) == [f"10.{network}.0.1", INTERNET]


# Hairpins: who is behind the same router, by an outside address


@pytest.mark.parametrize("target", FLOATING)
@pytest.mark.parametrize("origin", ("b1", "b2"))
def test_machine_without_floating_ip_to_a_floating_ip(routed: Routed, origin: str, target: str) -> None:
    vm, address = routed.vm(origin), routed.floating[target]
    vm.expect(f"{target} saw {routed.snat}", address)
    assert vm.talk(address, protocol="udp") == f"{target} saw {routed.snat}"
    assert vm.ping(address, count=5, interval=0.05).lost == 0
    assert vm.talk(address, CLOSED, "udp") == REFUSED


@pytest.mark.parametrize(("origin", "target"), [("a1", "a2"), ("a2", "a1"), ("a1", "a1"), ("a2", "a2")])
def test_floating_ip_to_floating_ip(routed: Routed, origin: str, target: str) -> None:
    """Of one router: another's, and one's own."""
    vm, address = routed.vm(origin), routed.floating[target]
    vm.expect(f"{target} saw {routed.floating[origin]}", address)
    assert vm.talk(address, protocol="udp") == f"{target} saw {routed.floating[origin]}"
    assert vm.ping(address, count=5, interval=0.05).lost == 0
    assert vm.talk(address, CLOSED, "udp") == REFUSED


@pytest.mark.parametrize("target", ("h1", "h2"))
def test_floating_ip_of_a_machine_on_the_same_host(routed: Routed, target: str) -> None:
    seat = Seat("b9", target, 2, 19)
    with routed.red.guest(seat) as vm, vm.serve(), routed.red.floating(routed.external, vm) as address:
        for name in ("a1", "a2"):
            routed.vm(name).expect(f"b9 saw {routed.floating[name]}", address)
            vm.expect(f"{name} saw {address}", routed.floating[name])
        routed.vm("b1").expect(f"b9 saw {routed.snat}", address)
        # Inside, they know each other by their inside addresses.
        assert routed.vm("a1").talk(seat.ipv4) == f"b9 saw {A1.ipv4}"
        assert vm.talk(A2.ipv4) == f"a2 saw {seat.ipv4}"


def test_floating_ips_of_two_routers(routed: Routed) -> None:
    """Another project's, whose inside addresses are the same."""
    blue = Project(routed.lab, routed.serve.url, "other")
    try:
        blue.network(1)
        blue.let_in()
        snat = gateway_address(blue.router("router", 1, outside=routed.external))
        for host, other in (("h1", "g2"), ("h2", "h1")):
            seat = Seat("c1", host, 1, A1.number)
            with blue.guest(seat) as vm, vm.serve():
                vm.expect(f"inet saw {snat}", INTERNET)
                vm.expect(f"a1 saw {snat}", routed.floating["a1"])
                with blue.floating(routed.external, vm) as address:
                    for name in FLOATING:
                        routed.vm(name).expect(f"c1 saw {routed.floating[name]}", address)
                        vm.expect(f"{name} saw {address}", routed.floating[name])
                    routed.vm("b2").expect(f"c1 saw {routed.snat}", address)
                    routed.vm("b1").expect(f"c1 saw {routed.snat}", address)
                    routed.inet.expect(f"c1 saw {GATEWAY}", address)
                    vm.move(routed.lab.hosts[other])
                    blue.tenant.wait_port(vm.port_id, {"status": "ACTIVE", "binding:host_id": other})
                    routed.vm("a1").expect(f"c1 saw {routed.floating['a1']}", address)
                    routed.inet.expect(f"c1 saw {GATEWAY}", address)
                    assert vm.talk(INTERNET) == f"inet saw {address}"
    finally:
        blue.close()


# Port forwardings


def test_port_forwarding(routed: Routed) -> None:
    tenant = routed.red.tenant
    floating = tenant.floating_ip(routed.external)
    address = floating["floating_ip_address"]
    try:
        made = []
        for name, seat, port in (("a1", A1, 8081), ("b2", B2, 8082)):
            inside = {"internal_port_id": routed.vm(name).port_id, "internal_ip_address": seat.ipv4}
            made += [tenant.forward(floating, each, port, internal_port=8080, **inside) for each in PROTOCOLS]
        for name, port in (("a1", 8081), ("b2", 8082)):
            for protocol in PROTOCOLS:
                routed.inet.expect(f"{name} saw {GATEWAY}", address, port, protocol)
            # Behind the same router.
            routed.vm("b1").expect(f"{name} saw {routed.snat}", address, port)
        for protocol in PROTOCOLS:
            assert routed.inet.talk(address, 8080, protocol, timeout=SHORT) == SILENCE
        # What a1 says itself is known by its own floating IP, and what b2 says by the router's address.
        assert routed.vm("a1").talk(INTERNET) == f"inet saw {routed.floating['a1']}"
        assert routed.vm("b2").talk(INTERNET) == f"inet saw {routed.snat}"
        gone = made.pop(0)
        tenant.unforward(floating, gone)
        routed.inet.expect(SILENCE, address, 8081)
        assert routed.inet.talk(address, 8081, "udp") == f"a1 saw {GATEWAY}"
        for each in made:
            tenant.unforward(floating, each)
        routed.inet.expect(SILENCE, address, 8082)
    finally:
        for each in tenant.show("floatingip", floating["id"])["port_forwardings"]:
            tenant.unforward(floating, each)
        tenant.delete("floatingip", floating["id"])


# Security groups


@pytest.mark.parametrize("name", FLOATING)
def test_security_groups_hold_for_floating_ips(routed: Routed, name: str) -> None:
    """They are asked about the address outside and the machine's own."""
    vm, address = routed.vm(name), routed.floating[name]
    with group(routed.red.tenant, vm) as rules:
        routed.inet.expect(SILENCE, address)
        assert routed.inet.ping(address, count=1, wait=SHORT).received == 0
        assert vm.talk(INTERNET) == f"inet saw {address}", "replies come in"
        rules.allow("tcp", 8080, remote_ip_prefix=f"{GATEWAY}/32")
        routed.inet.expect(f"{name} saw {GATEWAY}", address)
        assert routed.inet.talk(address, 8081, timeout=SHORT) == SILENCE
        assert routed.inet.talk(address, protocol="udp", timeout=SHORT) == SILENCE
        assert routed.vm("b1").talk(address, timeout=SHORT) == SILENCE, "seen as the router's address"
        rules.allow("tcp", 8080, remote_ip_prefix=f"{routed.snat}/32")
        routed.vm("b1").expect(f"{name} saw {routed.snat}", address)
    routed.inet.expect(f"{name} saw {GATEWAY}", address, protocol="udp")


# Changes


@pytest.mark.parametrize("names", [("a1", "b1"), ("a1", "b2"), ("a2", "b1")], ids=" to ".join)
def test_floating_ip_goes_to_another_machine(routed: Routed, names: tuple[str, str]) -> None:
    tenant = routed.red.tenant
    old, new = (routed.vm(name) for name in names)
    address = routed.floating[old.name]
    (row,) = tenant.list("floatingip", floating_ip_address=address)
    try:
        tenant.update("floatingip", row["id"], port_id=None)
        routed.inet.expect(SILENCE, address)
        assert routed.inet.ping(address, count=1, wait=SHORT).received == 0
        assert routed.inet.arp(address, sender=GATEWAY) == []
        old.expect(f"inet saw {routed.snat}", INTERNET)
        tenant.update("floatingip", row["id"], port_id=new.port_id)
        tenant.wait("floatingip", row["id"], {"status": "ACTIVE"})
        routed.inet.expect(f"{new.name} saw {GATEWAY}", address)
        new.expect(f"inet saw {address}", INTERNET)
        assert old.talk(INTERNET) == f"inet saw {routed.snat}"
    finally:
        tenant.update("floatingip", row["id"], port_id=old.port_id)
        tenant.wait("floatingip", row["id"], {"status": "ACTIVE"})
    routed.inet.expect(f"{old.name} saw {GATEWAY}", address)
    new.expect(f"inet saw {routed.snat}", INTERNET)


def test_connection_ends_with_its_floating_ip(routed: Routed) -> None:
    """It was to an address that nobody has any more."""
    tenant, vm, inet = routed.red.tenant, routed.vm("b2"), routed.inet
    with routed.red.floating(routed.external, vm) as address:
        inet.expect(f"b2 saw {GATEWAY}", address)
        with inet.pinging(address, interval=0.05) as ping:
            ping.answered()
            (row,) = tenant.list("floatingip", floating_ip_address=address)
            tenant.update("floatingip", row["id"], port_id=None)
            until(lambda: inet.ping(address, count=1, wait=0.3).received, 0)
            with pytest.raises(TimeoutError):
                ping.answered(1.0, after=time.time() + 0.1)
        tenant.update("floatingip", row["id"], port_id=vm.port_id)
        inet.expect(f"b2 saw {GATEWAY}", address)


@contextmanager
def plain_routing(routed: Routed) -> Iterator[None]:
    """The router translates no more, and the outside knows the way to what is behind it, for a while."""
    tenant, info = routed.red.tenant, {"network_id": routed.external["id"]}
    tenant.update("router", routed.router["id"], external_gateway_info={**info, "enable_snat": False})
    try:
        assert gateway_address(routed.router_now()) == routed.snat, "its address stays"
        with routed.inet.route("10.2.0.0/24", routed.snat):
            yield
    finally:
        tenant.update("router", routed.router["id"], external_gateway_info={**info, "enable_snat": True})


def test_without_snat_addresses_stay(routed: Routed, leaks: list[str]) -> None:
    leaks.append("10.2.0.0/24")
    b1, b2, inet = routed.vm("b1"), routed.vm("b2"), routed.inet
    with plain_routing(routed):
        for vm, seat in ((b1, B1), (b2, B2)):
            vm.expect(f"inet saw {seat.ipv4}", INTERNET)
            assert vm.talk(INTERNET, protocol="udp") == f"inet saw {seat.ipv4}"
            inet.expect(f"{vm.name} saw {GATEWAY}", seat.ipv4)
            assert inet.talk(seat.ipv4, CLOSED, "udp") == REFUSED
        for name in FLOATING:
            assert routed.vm(name).talk(INTERNET) == f"inet saw {routed.floating[name]}"
            assert inet.talk(routed.floating[name]) == f"{name} saw {GATEWAY}"
    b2.expect(f"inet saw {routed.snat}", INTERNET)
    assert b1.talk(INTERNET) == f"inet saw {routed.snat}"


# Another external network, with a VLAN tag and IPv6


def test_vlan_external_network(routed: Routed) -> None:
    inet, red = routed.inet, routed.red
    device = inet.add_vlan(100, "192.0.2.1/24", "2001:db8:100::1/64")
    external = routed.external_network("tagged", "192.0.2.0/24", "192.0.2.1", tag=100)
    routed.operator.subnet(external, "2001:db8:100::/64", gateway_ip="2001:db8:100::1", enable_dhcp=False)
    red.network(4)
    router = red.router("tagged", 4, outside=external)
    snat = gateway_address(router)
    fixed = router["external_gateway_info"]["external_fixed_ips"]
    (snat6,) = (each["ip_address"] for each in fixed if ":" in each["ip_address"])
    seats = (Seat("d1", "h1", 4, 11), Seat("d2", "h2", 4, 12))
    with red.guest(seats[0]) as near, red.guest(seats[1]) as far, near.serve(), far.serve():
        for vm in (near, far):
            vm.expect(f"inet saw {snat}", "192.0.2.1")
            assert vm.talk(INTERNET, protocol="udp") == f"inet saw {snat}"
            assert vm.talk("192.0.2.1", CLOSED, "udp") == REFUSED
        assert inet.ping(snat).received
        for vm in (near, far):
            with red.floating(external, vm) as address:
                inet.expect(f"{vm.name} saw 192.0.2.1", address)
                vm.expect(f"inet saw {address}", INTERNET)
                # By way of the outside's own router.
                routed.vm("a1").expect(f"{vm.name} saw {routed.floating['a1']}", address)
                routed.vm("b2").expect(f"{vm.name} saw {routed.snat}", address)
        with inet.route("fd00:4::/64", snat6, device):
            for vm, seat in zip((near, far), seats, strict=True):
                vm.reach("2001:db8:100::1")
                assert vm.talk("2001:db8:100::1") == f"inet saw {seat.ipv6}", "IPv6 is routed as it is"
                inet.expect(f"{vm.name} saw 2001:db8:100::1", seat.ipv6)


def test_machine_on_the_external_network_itself(routed: Routed) -> None:
    """A port of a provider network, where the host reaches it."""
    tenant = routed.red.tenant
    port = tenant.port(routed.external, "direct", "203.0.113.90")
    vm = routed.lab.add_vm("direct", "h1", port["id"], port["mac_address"], mtu=1500)
    try:
        vm.give("203.0.113.90/24")
        tenant.wait_port(port["id"], {"status": "ACTIVE"})
        with vm.serve():
            vm.expect("inet saw 203.0.113.90", GATEWAY)
            routed.inet.expect(f"direct saw {GATEWAY}", "203.0.113.90")
            routed.vm("b2").expect(f"direct saw {routed.snat}", "203.0.113.90")
            for name in FLOATING:
                routed.vm(name).expect(f"direct saw {routed.floating[name]}", "203.0.113.90")
                vm.expect(f"{name} saw 203.0.113.90", routed.floating[name])
    finally:
        routed.lab.remove_vm(vm)
        tenant.delete("port", port["id"])
