"""External networks: two routers on one, a router that does not translate, one with a VLAN tag and IPv6."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.hosts.outside import GATEWAY, INTERNET
from tests.hosts.project import Project, Seat
from tests.hosts.routed import A1, B1, B2, Routed, gateway_address
from tests.hosts.talk import REFUSED

pytestmark = pytest.mark.usefixtures("leaks")
PROTOCOLS = ("tcp", "udp")
FLOATING = ("a1", "a2")
"""On its machine's host, and at the gateway."""
CLOSED = 9


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
