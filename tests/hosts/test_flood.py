"""What is asked of everybody: answered on the spot where the answer is known, else for the network's ports alone."""

import struct

from tests.hosts import frame
from tests.hosts.namespace import ip
from tests.hosts.world import PLACES, World

RED = ("red2", "red3", "red4")


def test_arp_is_answered_on_the_spot(world: World) -> None:
    vm = world.vm("red1")
    for target in ("red2", "red3"):
        place, mac = world.places[target], world.ports[target]["mac_address"]
        requests = _requests_seen(world, frame.arp_request(vm.mac, "10.0.0.11", place.ipv4), place.ipv4, 0)
        assert requests == dict.fromkeys(RED, 0)
        assert [answer.sender_mac for answer in vm.arp(place.ipv4, sender="10.0.0.11")] == [mac]


def test_arp_for_an_unknown_address_asks_everybody_of_the_network(world: World) -> None:
    request = frame.arp_request(world.vm("red1").mac, "10.0.0.11", "10.0.0.200")
    assert _requests_seen(world, request, "10.0.0.200", 1) == dict.fromkeys(RED, 1)


def _requests_seen(world: World, request: bytes, target: str, expected: int) -> dict[str, int]:
    """How many ARP requests for the target arrive at each, before a broadcast that was sent after them.

    Where some are expected, it is sent when the first has arrived: in the kernel, what is known overtakes what is not.
    """
    vm, fence = world.vm("red1"), b"fence after " + target.encode()
    sniffers = {name: world.vm(name).sniffer() for name in RED}
    counts = dict.fromkeys(RED, 0)

    def is_request(data: bytes) -> bool:
        arp = frame.parse_arp(data)
        return arp is not None and arp.operation == frame.REQUEST and arp.target == target

    try:
        with vm.sniffer() as wire:
            wire.send(request)
            for name, sniffer in sniffers.items() if expected else ():
                counts[name] += sniffer.wait(is_request) is not None
            wire.send(frame.datagram(frame.BROADCAST, vm.mac, "10.0.0.11", "10.0.0.255", fence))
        for name, sniffer in sniffers.items():

            def is_fence(data: bytes, name: str = name) -> bool:
                counts[name] += is_request(data)
                return fence in data

            assert sniffer.wait(is_fence), f"the broadcast did not arrive at {name}"
    finally:
        for sniffer in sniffers.values():
            sniffer.close()
    return counts


def test_neighbour_solicitation_goes_to_its_owner_alone(world: World) -> None:
    vm = world.vm("red1")
    ip(["neigh flush dev eth0"], vm.namespace)
    with world.vm("red4").sniffer() as stranger, world.vm("red3").sniffer() as owner:
        assert vm.ping("fd00::13").received
        assert owner.wait(lambda data: _solicits(data, "13"), 0.5)
        assert stranger.collect(lambda data: _solicits(data, "13"), 0.2) == []


def _solicits(data: bytes, ending: str) -> bool:
    """ICMPv6 type 135 for fd00::ending."""
    target = bytes.fromhex("fd00" + "0" * 24 + ending.zfill(4))
    return data[12:14] == struct.pack("!H", frame.IPV6) and data[54] == 135 and data[62:78] == target


def test_multicast_reaches_the_network_and_no_other(world: World) -> None:
    vm = world.vm("blue1")
    mark = b"to all machines of blue"
    sniffers = {place.name: world.vm(place.name).sniffer() for place in PLACES if place.name != "blue1"}
    try:
        with vm.sniffer() as wire:
            wire.send(frame.datagram("01:00:5e:00:00:fb", vm.mac, "10.0.0.11", "224.0.0.251", mark))
        seen = {name: len(sniffer.collect(lambda data: mark in data, 0.15)) for name, sniffer in sniffers.items()}
    finally:
        for sniffer in sniffers.values():
            sniffer.close()
    assert seen == {name: int(name.startswith("blue")) for name in seen}


def test_machines_that_come_and_go_are_flooded_while_they_are_there(world: World) -> None:
    from tests.hosts.world import Place

    with world.guest(Place("red8", "red", "h3", 88)) as vm, vm.sniffer() as guest:
        sender, mark = world.vm("red1"), b"is there anybody new?"
        with sender.sniffer() as wire:
            wire.send(frame.datagram(frame.BROADCAST, sender.mac, "10.0.0.11", "10.0.0.255", mark))
        assert guest.wait(lambda data: mark in data)
