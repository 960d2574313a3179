"""Who reaches whom, with real packets."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hosts.paths import expected_lease, lease_text, paths
from tests.hosts.world import MTU, PLACES, Place, World


def test_every_path_is_as_it_should_be(world: World) -> None:
    routes = paths(world)
    with ThreadPoolExecutor(6) as pool, world.serving():
        results = list(pool.map(lambda path: path.trial(), routes))
    wrong = [
        f"{path.origin} to {path.target} ({path.way}), {path.what}: {result.got}, not {path.should}"
        for path, result in zip(routes, results, strict=True)
        if result.got != path.should
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_lease(world: World, place: Place) -> None:
    vm = world.vm(place.name)
    assert lease_text(vm) == expected_lease(place)
    assert vm.lease and vm.lease.seconds >= 3600


def test_packet_larger_than_the_mtu_is_refused_at_its_source(world: World) -> None:
    ping = world.vm("red1").ping("10.0.0.13", count=1, size=MTU - 28 + 1, whole=True)
    assert ping.received == 0


def test_fragments_arrive(world: World) -> None:
    assert world.vm("red1").ping("10.0.0.13", size=4000).received
    assert world.vm("red1").ping("fd00::13", size=4000).received
