"""Each part of the system is killed, paused or cut off once, and then many at random, all under traffic."""

import random
from collections.abc import Iterator

import pytest

from tests.faults.chaos import Event, chaos, compiled_anew, suffer
from tests.faults.fault import Fault, faults, whole
from tests.faults.traffic import Traffic
from tests.hosts.conftest import routed  # noqa: F401  # the lab is that of tests/hosts
from tests.hosts.routed import Routed

SECONDS = 1.0
CONTROLLER = ("control", "api", "ovsdb-server")
ONE_BY_ONE = (
    *(f"{part} killed" for part in CONTROLLER),
    *(f"{part} paused for {SECONDS:g} s" for part in CONTROLLER),
    *("h2: ovsdb-server killed", "h1: ovs-vswitchd killed", "g1: both killed", "h2: both killed"),
    *(f"h1: cable out for {SECONDS:g} s", "h1: controller taken away by hand", "g2: tunnel port deleted by hand"),
)
FEW = 500
"""Pings (5 seconds) that a way may lose where a fault explains it, on a busy machine."""


@pytest.fixture(autouse=True)
def repaired(routed: Routed) -> Iterator[None]:  # noqa: F811
    routed.settle()
    whole(routed)
    yield
    routed.repair()


def named(routed: Routed, name: str) -> Fault:  # noqa: F811
    return next(fault for fault in faults(routed, SECONDS) if fault.name == name)


def check(event: Event) -> None:
    print(f"{event.fault.name}: whole after {event.seconds:.1f} s; lost {event.lost}; ended {event.broken}")
    assert not event.unexplained, f"{event.fault.name} cost {event.lost} {event.broken}"
    assert all(lost < FEW for lost in event.lost.values()), event.lost


@pytest.mark.timeout(400)
def test_one_by_one(routed: Routed) -> None:  # noqa: F811
    with Traffic(routed) as traffic:
        for name in ONE_BY_ONE:
            check(suffer(routed, traffic, named(routed, name)))
        renewals = traffic.renewals
    assert renewals.done > 5
    assert renewals.failed == 0


@pytest.mark.timeout(400)
def test_twenty_at_random(routed: Routed) -> None:  # noqa: F811
    for event in chaos(routed, random.Random(20), 20, SECONDS):
        check(event)
    assert compiled_anew(routed) == []


def test_traffic_sees_losses(routed: Routed) -> None:  # noqa: F811
    """What is asserted elsewhere to be nothing is something here."""
    with Traffic(routed) as traffic:
        event = suffer(routed, traffic, named(routed, "h1: ovs-vswitchd killed"))
    assert set(event.lost) >= {"within a network", "routed"}
