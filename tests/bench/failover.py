"""What traffic notices when gateway hosts die and come back, when a machine moves, and when control is killed."""

import asyncio
from collections.abc import Callable

from tests.bench.row import AT_MOST, BELOW, Row, bench, median, row
from tests.hosts.failover import (
    FLOATING,
    FLOATING_OUT,
    SNAT,
    Outage,
    bring_back,
    kill,
    move,
    restart_control,
    without_control,
)
from tests.hosts.routed import Routed, routed_lab

ROUNDS = 3
BOTH = ("ovsdb-server", "ovs-vswitchd")
HOW = f"kill -9 of its daemons; the longest time without an answer, at 100 pings a second; median of {ROUNDS}"
FLOATING_WAYS = (FLOATING, FLOATING_OUT)
INSIDE_OUT = (SNAT, FLOATING_OUT)
"""Ways that the inside keeps alive: without control nobody announces to the outside where an address is now."""


@bench("failover")
async def failover() -> list[Row]:
    return await asyncio.to_thread(_failover)


def _failover() -> list[Row]:
    with routed_lab() as routed:
        dead, back = _rounds(routed, lambda host: kill(routed, host, *BOTH))

        def alone(host: str) -> dict[str, Outage]:
            with without_control(routed):
                return kill(routed, host, *BOTH, ways=INSIDE_OUT)

        forsaken, _ = _rounds(routed, alone)
        _steady(routed)
        moved = [move(routed, "a1", host).lost_after for host in ("g2", "h2", "h1")]
        _steady(routed)
        control = {way: outage.lost for way, outage in restart_control(routed).items()}
    worst = f"worst of {ROUNDS} and of all ways; 100 pings a second"
    after = "sent after its port was ACTIVE; worst of 3 moves, to hosts with and without an uplink"
    ways = f"{', '.join(control)}; OVN 25.03: 860"
    outwards = f"{HOW}; those that only receive are found when the outside asks again"
    return [
        row("gateway host killed, silence, SNAT", 4, _silence(dead, SNAT), "s", BELOW, 0.5, HOW),
        row("gateway host killed, silence, floating IPs", 4, _silence(dead, *FLOATING_WAYS), "s", BELOW, 0.5, HOW),
        row("the same, no controller alive, SNAT", 4, _silence(forsaken, SNAT), "s", BELOW, 1, HOW),
        row("the same, floating IPs", 4, _silence(forsaken, FLOATING_OUT), "s", BELOW, 1, outwards),
        row("gateway host back, pings lost", 4, max(map(_lost, back)), "lost", AT_MOST, 0, worst),
        row("floating IP moved with its VM, pings lost", 4, max(moved), "lost", BELOW, 10, after),
        row("control killed and back, pings lost", 4, max(control.values()), "lost", AT_MOST, 0, ways),
    ]


def _rounds(
    routed: Routed, die: Callable[[str], dict[str, Outage]]
) -> tuple[list[dict[str, Outage]], list[dict[str, Outage]]]:
    dead, back = [], []
    for _ in range(ROUNDS):
        _steady(routed)
        active = routed.active()
        dead.append(die(active))
        back.append(bring_back(routed, active))
    return dead, back


def _steady(routed: Routed) -> None:
    routed.repair()
    routed.settle()
    routed.steady()


def _silence(rounds: list[dict[str, Outage]], *ways: str) -> float:
    """Of the worst of these ways."""
    return median([max(outages[way].silence for way in ways) for outages in rounds])


def _lost(outages: dict[str, Outage]) -> int:
    return max(outage.lost for outage in outages.values())
