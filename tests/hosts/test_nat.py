"""Which addresses are seen, outside and inside: SNAT, floating IPs and port forwardings with real packets.

After each test: no frame with an inside address has left by any host's uplink.
"""

import time

import pytest

from tests.hosts.group import group
from tests.hosts.icmp import NO_PORT, IcmpError
from tests.hosts.outside import GATEWAY, INTERNET
from tests.hosts.project import Seat
from tests.hosts.routed import A1, A2, B1, B2, GATEWAYS, Routed
from tests.hosts.talk import REFUSED, SILENCE
from tests.hosts.until import until

PROTOCOLS = ("tcp", "udp")
FLOATING = ("a1", "a2")
"""On its machine's host, and at the gateway."""
CLOSED = 9
SHORT = 0.7
"""Seconds after which what has not been answered will not be."""


pytestmark = pytest.mark.usefixtures("leaks")


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
    assert vm.talk(address, CLOSED) == REFUSED


@pytest.mark.parametrize(("origin", "target"), [("a1", "a2"), ("a2", "a1"), ("a1", "a1"), ("a2", "a2")])
def test_refusals_between_floating_ips(routed: Routed, origin: str, target: str) -> None:
    """An ICMP error quotes the packet that it is about: that is translated back as well."""
    assert routed.vm(origin).talk(routed.floating[target], CLOSED, "udp") == REFUSED


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


# Port forwardings


def test_port_forwarding(routed: Routed) -> None:
    """To machines without a floating IP of their own."""
    tenant = routed.red.tenant
    floating = tenant.floating_ip(routed.external)
    address = floating["floating_ip_address"]
    targets = {"b1": (B1, 8081), "b2": (B2, 8082)}
    made = {}
    try:
        for name, (seat, port) in targets.items():
            inside = {"internal_port_id": routed.vm(name).port_id, "internal_ip_address": seat.ipv4}
            for protocol in PROTOCOLS:
                made[name, protocol] = tenant.forward(floating, protocol, port, internal_port=8080, **inside)
        for name, (_, port) in targets.items():
            for protocol in PROTOCOLS:
                routed.inet.expect(f"{name} saw {GATEWAY}", address, port, protocol)
                # Behind the same router, with a floating IP and without.
                routed.vm("a1").expect(f"{name} saw {routed.floating['a1']}", address, port, protocol)
                routed.vm("a2").expect(f"{name} saw {routed.floating['a2']}", address, port, protocol)
                routed.vm("b2").expect(f"{name} saw {routed.snat}", address, port, protocol)
            # What they say themselves is known by the router's address.
            assert routed.vm(name).talk(INTERNET) == f"inet saw {routed.snat}"
        for protocol in PROTOCOLS:
            assert routed.inet.talk(address, 8080, protocol, timeout=SHORT) == SILENCE
        tenant.unforward(floating, made.pop(("b1", "tcp")))
        routed.inet.expect(SILENCE, address, 8081)
        assert routed.inet.talk(address, 8081, "udp") == f"b1 saw {GATEWAY}"
        assert routed.inet.talk(address, 8082) == f"b2 saw {GATEWAY}"
    finally:
        for each in made.values():
            tenant.unforward(floating, each)
        tenant.delete("floatingip", floating["id"])
    routed.inet.expect(SILENCE, address, 8082)


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
        routed.forget_flows()
        routed.inet.expect(f"{new.name} saw {GATEWAY}", address)
        new.expect(f"inet saw {address}", INTERNET)
        assert old.talk(INTERNET) == f"inet saw {routed.snat}"
    finally:
        tenant.update("floatingip", row["id"], port_id=old.port_id)
        tenant.wait("floatingip", row["id"], {"status": "ACTIVE"})
        routed.forget_flows()
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
