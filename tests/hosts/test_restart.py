"""Parts of the controller are killed while machines talk."""

import time

import pytest

from tests.hosts.host import InstalledFlow
from tests.hosts.world import Place, World

Dump = dict[tuple[str, str], dict[str, InstalledFlow]]


def dump(world: World) -> Dump:
    return {(h.name, bridge): h.flows(bridge) for h in world.lab.hosts.values() for bridge in ("br-int", "br-tun")}


def test_killed_control_loses_no_packet_and_rewrites_no_flow(world: World) -> None:
    near, far = world.vm("red2"), world.vm("red1")
    before, begin = dump(world), time.monotonic()
    with near.pinging("10.0.0.11") as same_host, far.pinging("10.0.0.13") as cross_host:
        same_host.answered()
        cross_host.answered()
        world.serve.kill("control")
        world.serve.wait_hosts(world.lab.hosts)
        same_host.answered()
        cross_host.answered()
    after, passed = dump(world), time.monotonic() - begin
    for place in before:
        assert set(after[place]) == set(before[place])
        young = [
            flow.text
            for flow in after[place].values()
            if flow.seconds < passed - 0.5 or flow.cookie != before[place][flow.text].cookie
        ]
        assert not young, f"rewritten on {place}: {young}"
    for ping in (same_host, cross_host):
        assert ping.result and ping.result.sent > 50
        assert ping.result.lost == 0


# Each with an address of its own: neighbours remember the last owner's MAC for a while.
@pytest.mark.parametrize(("part", "number"), [("control", 61), ("api", 62), ("ovsdb-server", 63)])
def test_killed_part_comes_back(world: World, part: str, number: int) -> None:
    world.serve.kill(part)
    world.serve.wait()
    world.serve.wait_hosts(world.lab.hosts)
    place = Place("red6", "red", "h2", number)
    with world.guest(place) as vm:
        assert vm.lease and vm.lease.address == place.ipv4
        assert world.vm("red1").ping(place.ipv4).received


def test_stopped_control_does_not_stop_machines(world: World) -> None:
    """With nobody in control, machines keep their network; what was asked meanwhile comes true afterwards."""
    place = Place("blue6", "blue", "h3", 66)
    with world.vm("blue1").pinging("10.0.0.12") as ping:
        ping.answered()
        world.serve.stop()
        ping.answered()
        world.serve.start()
        world.serve.wait_hosts(world.lab.hosts)
    assert ping.result and ping.result.lost == 0
    with world.guest(place):
        assert world.vm("blue1").ping("10.0.0.66").received
