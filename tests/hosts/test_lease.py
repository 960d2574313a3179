"""DHCP with a real client."""

import socket
import struct

from tests.hosts import frame
from tests.hosts.until import until
from tests.hosts.world import DNS, Place, World


def is_request(data: bytes) -> bool:
    """A DHCP message to the server (UDP port 67)."""
    return data[12:14] == struct.pack("!H", frame.IPV4) and data[23] == socket.IPPROTO_UDP and data[36:38] == b"\0\x43"


def test_renewal_is_unicast_to_the_server_that_gave_the_lease(world: World) -> None:
    vm = world.vm("red3")
    before = vm.lease
    assert before
    with vm.sniffer(own=True) as wire:
        after = vm.renew()
        request = wire.wait(is_request, 0.1)
    assert after.event == "renew"
    assert (after.address, after.prefix, after.mtu, after.dns) == (
        before.address,
        before.prefix,
        before.mtu,
        before.dns,
    )
    assert request
    assert frame.mac_text(request[:6]) != frame.BROADCAST
    assert socket.inet_ntoa(request[30:34]) == before.server


def test_renewal_brings_what_has_changed(world: World) -> None:
    tenant, vm = world.tenants["red"], world.vm("red1")
    subnet = next(fixed["subnet_id"] for fixed in world.ports["red1"]["fixed_ips"] if "." in fixed["ip_address"])
    tenant.update("subnet", subnet, dns_nameservers=["192.0.2.54", DNS])
    try:
        until(lambda: vm.renew().dns, ("192.0.2.54", DNS))
    finally:
        tenant.update("subnet", subnet, dns_nameservers=[DNS])
    until(lambda: vm.renew().dns, (DNS,))


def test_new_port_leases_at_once_and_another_machine_does_not(world: World) -> None:
    with world.guest(Place("red9", "red", "h3", 99)) as vm:
        assert vm.lease and vm.lease.address == "10.0.0.99"
        with world.vm("red1").sniffer() as other, vm.sniffer() as own:
            vm.dhcp()
            assert own.wait(lambda data: data[36:38] == b"\0\x44", 1.0), "the client had no answer on the wire"
            heard = other.collect(lambda data: is_request(data) or data[36:38] == b"\0\x44", 0.2)
        assert not heard, "DHCP is between the client and the controller"
