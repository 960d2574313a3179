"""What one port has the controller do takes nothing from another."""

import re

from tests.hosts.test_lease import is_request
from tests.hosts.world import World

FLOOD = 5000
"""Requests that one machine sends as fast as it can; in the middle of it the other asks once."""


def refused(world: World, name: str) -> int:
    """Packets of a machine's port that its meter has dropped."""
    vm = world.vm(name)
    stats = vm.host.ofctl("meter-stats", "br-int", f"meter={vm.host.ofport(vm.tap)}")
    return sum(map(int, re.findall(r"^\s*0: packet_count:(\d+)", stats, re.MULTILINE)))


def test_a_machine_that_asks_too_much_is_refused_alone(world: World) -> None:
    noisy, quiet = world.vm("red1"), world.vm("red2")
    assert noisy.host is quiet.host
    before = {name: refused(world, name) for name in ("red1", "red2")}
    with noisy.sniffer(own=True) as wire:
        noisy.renew()
        request = wire.wait(is_request, 1.0)
        assert request
        for number in range(FLOOD):
            wire.send(request)
            if number == FLOOD // 2:
                assert quiet.renew().event == "renew"
    # Most of the flood does not even reach the switch.
    assert refused(world, "red1") - before["red1"] > 100
    assert refused(world, "red2") == before["red2"]
