"""Gateway hosts that die and come back, machines that move, control that is killed: all with traffic running.

Limits are generous, since a busy machine is slow; the figures are printed (``pytest -s``), and by the benchmark.
"""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.hosts.failover import (
    FLOATING,
    FLOATING_OUT,
    GATEWAY_WAYS,
    SNAT,
    Outage,
    bring_back,
    bring_back_without_control,
    kill,
    move,
    restart_control,
    watch,
    without_control,
)
from tests.hosts.outside import GATEWAY
from tests.hosts.routed import GATEWAYS, Routed
from tests.hosts.until import PATIENCE

pytestmark = pytest.mark.timeout(240)
SWITCH = "ovs-vswitchd"
BOTH = ("ovsdb-server", SWITCH)


@pytest.fixture(autouse=True)
def whole(routed: Routed) -> Iterator[None]:
    """Each test begins and ends with everything alive."""
    routed.settle()
    routed.steady()
    yield
    routed.repair()


def shown(what: str, outages: dict[str, Outage]) -> dict[str, Outage]:
    for way, outage in outages.items():
        print(f"{what}: {way}: silent for {outage.silence:.2f} s, lost {outage.lost} of {outage.sent}")
    return outages


def check(outages: dict[str, Outage], *, silence: float | None = None, lost: int | None = None) -> None:
    for way, outage in outages.items():
        assert silence is None or outage.silence < silence, (way, outage)
        assert lost is None or outage.lost <= lost, (way, outage)


FALSE_ALARM = 50
"""Pings that one may cost: half a second."""


def check_calm(routed: Routed, what: str, does: Callable[[], dict[str, Outage]], *, lost: int) -> None:
    """Nobody dies meanwhile, so nothing is handed over. In an emulated machine only, a vswitchd that lives waits 0.3 s
    for the processor now and then; that its peers take it for dead is right, and each time is counted."""

    def heard() -> int:
        return sum(host.deaths_heard() for host in routed.lab.hosts.values())

    before = heard()
    outages = shown(what, does())
    alarms = heard() - before
    print(f"{what}: {alarms} false alarms of BFD")
    check(outages, lost=lost + alarms * FALSE_ALARM if PATIENCE > 1 else lost)


ON_ITS_WAY = int(PATIENCE)
"""Pings that a returning gateway may cost on a busy machine: answers to what the other had translated, more where they
take longer. On a quiet one it is none (`make bench`)."""


@pytest.mark.parametrize("daemons", [(SWITCH,), BOTH], ids=("switch", "host"))
def test_gateway_dies_and_comes_back(routed: Routed, daemons: tuple[str, ...]) -> None:
    active = routed.active()
    dead = shown(f"{'switch' if len(daemons) == 1 else 'host'} killed", kill(routed, active, *daemons))
    assert routed.carriers() == {next(name for name in GATEWAYS if name != active)}
    check(dead, silence=2.0)
    check_calm(routed, "back", lambda: bring_back(routed, active), lost=ON_ITS_WAY)


def test_gateway_dies_while_nobody_is_in_control(routed: Routed) -> None:
    """And comes back: as long as nobody gives it flows, it is sent nothing. Then control comes back as well."""
    active = routed.active()
    other = next(name for name in GATEWAYS if name != active)
    with without_control(routed):
        dead = shown("switch killed, no control", kill(routed, active, SWITCH, ways=(SNAT, FLOATING_OUT)))
        assert routed.carriers() == {other}
        check(dead, silence=3.0)
        check_calm(routed, "back without flows", lambda: bring_back_without_control(routed, active), lost=0)
        assert routed.carriers() == {other}
    check_calm(routed, "back, with its flows", lambda: bring_back(routed, active), lost=ON_ITS_WAY)


def test_floating_ip_that_only_receives_is_found_again(routed: Routed) -> None:
    """With nobody in control to announce it: once the outside asks."""
    active = routed.active()

    def die() -> None:
        routed.lab.hosts[active].crash(*BOTH)
        routed.inet.forget_neighbours()

    with without_control(routed):
        dead = shown("host killed, no control, the outside asks", watch(routed, (FLOATING,), die))
        # One host answers for it, not every one that is left.
        assert len(routed.inet.arp(routed.floating["a2"], sender=GATEWAY)) == 1
    check(dead, silence=6.0)
    check_calm(routed, "back", lambda: bring_back(routed, active), lost=ON_ITS_WAY)


def test_other_gateway_dies(routed: Routed) -> None:
    """Which carries nothing."""
    (other,) = set(GATEWAYS) - {routed.active()}
    check(shown("standby killed", kill(routed, other, *BOTH)), lost=0)
    check_calm(routed, "standby back", lambda: watch(routed, GATEWAY_WAYS, routed.repair), lost=0)


def test_both_gateways_die_and_one_comes_back(routed: Routed) -> None:
    for name in GATEWAYS:
        routed.lab.hosts[name].crash(*BOTH)
    assert routed.vm("b2").ping("198.51.100.1", count=1).received == 0
    assert routed.inet.ping(routed.floating["a1"], count=1).received, "its own host has an uplink"
    assert routed.vm("a1").ping("10.2.0.12", count=1).received, "hosts go on to route"
    routed.lab.hosts["g2"].start()
    routed.vm("b2").reach("198.51.100.1", 30.0)
    assert routed.carriers() == {"g2"}


def test_machine_with_a_floating_ip_moves(routed: Routed) -> None:
    """Between hosts that have an uplink, to one that has none, and back."""
    for host in ("g2", "h2", "h1"):
        moved = move(routed, "a1", host)
        print(
            f"floating IP to {host}: silent for {moved.silence:.2f} s, "
            f"lost {moved.lost}, {moved.lost_after} of them after the port was active"
        )
        assert moved.lost_after < 10
        with routed.vm("a1").pinging("198.51.100.1") as out:
            out.answered()
            out.answered(after=time.time() + 0.5)
        assert out.result and out.result.lost == 0


def test_killed_control_loses_no_packet(routed: Routed) -> None:
    check_calm(routed, "control killed and back", lambda: restart_control(routed), lost=0)
