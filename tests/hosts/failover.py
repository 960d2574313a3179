"""What traffic notices when something dies, comes back or moves: functions that do it and return figures.

Traffic is 100 pings a second on each way that is watched. Tests compare the figures with generous limits, the benchmark
prints them.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from tests.hosts.machine import Machine
from tests.hosts.outside import INTERNET
from tests.hosts.ping import RunningPing
from tests.hosts.routed import B2, Routed
from tests.hosts.until import until

ROUTED, SNAT = "routed", "SNAT"
FLOATING, FLOATING_OUT = "to a floating IP at the gateway", "from a floating IP at the gateway"
FLOATING_HOST = "to a floating IP on its machine's host"
GATEWAY_WAYS = (SNAT, FLOATING, FLOATING_OUT)
"""What passes the router's gateway host."""
WAYS = (ROUTED, *GATEWAY_WAYS, FLOATING_HOST)
PATIENCE = 30.0
"""Seconds within which traffic must go on."""
TAIL = 2.0
"""Seconds that traffic goes on afterwards: what comes late counts as well."""


class Outage(NamedTuple):
    """What one way noticed."""

    silence: float
    """Longest time between two answers, in seconds."""
    lost: int
    sent: int


class Move(NamedTuple):
    silence: float
    lost: int
    lost_after: int
    """Of those sent after the machine's port was ACTIVE on its new host."""


def ends(routed: Routed, way: str) -> tuple[Machine, str]:
    """Who pings which address."""
    vm, floating = routed.vm, routed.floating
    found: dict[str, tuple[Machine, str]] = {
        ROUTED: (vm("a1"), B2.ipv4),
        SNAT: (vm("b2"), INTERNET),
        FLOATING: (routed.inet, floating["a2"]),
        FLOATING_OUT: (vm("a2"), INTERNET),
        FLOATING_HOST: (routed.inet, floating["a1"]),
    }
    return found[way]


def watch(routed: Routed, ways: Iterable[str], happens: Callable[[], object], tail: float = TAIL) -> dict[str, Outage]:
    """What each way noticed while something happened and ``tail`` seconds afterwards.

    TimeoutError where traffic did not go on within PATIENCE.
    """
    with ExitStack() as stack:
        running: dict[str, RunningPing] = {}
        for way in ways:
            machine, address = ends(routed, way)
            running[way] = stack.enter_context(machine.pinging(address))
        for ping in running.values():
            ping.answered()
        happens()
        happened = time.time()
        for ping in running.values():
            ping.answered(PATIENCE, after=happened + tail)
    return {way: outage(ping) for way, ping in running.items()}


def outage(ping: RunningPing) -> Outage:
    result = ping.stop()
    return Outage(ping.silence, result.lost, result.sent)


def kill(routed: Routed, host: str, *daemons: str, ways: Iterable[str] = GATEWAY_WAYS) -> dict[str, Outage]:
    """kill -9 of the host's daemons, both or those named, which stay dead."""
    return watch(routed, ways, lambda: routed.lab.hosts[host].crash(*daemons))


def bring_back(routed: Routed, host: str, ways: Iterable[str] = GATEWAY_WAYS) -> dict[str, Outage]:
    """Start the daemons of the router's preferred gateway host again, until its traffic leaves there as before."""

    def back() -> None:
        routed.repair()
        until(routed.carriers, {host}, 20.0)

    return watch(routed, ways, back)


def bring_back_without_control(routed: Routed, host: str, ways: Iterable[str] = GATEWAY_WAYS) -> dict[str, Outage]:
    """Nobody gives the host its flows: it must not be sent any traffic."""
    # Time enough for the others to see that it is alive.
    return watch(routed, ways, routed.lab.hosts[host].start_switch, tail=5.0)


@contextmanager
def without_control(routed: Routed) -> Iterator[None]:
    """Every process of the controller is dead meanwhile."""
    routed.serve.stop()
    try:
        yield
    finally:
        routed.serve.start()


def restart_control(routed: Routed, ways: Iterable[str] = WAYS) -> dict[str, Outage]:
    """kill -9 of control, until every host is served again."""

    def restart() -> None:
        routed.serve.kill("control")
        routed.serve.wait_hosts(routed.lab.hosts, 30.0)

    return watch(routed, ways, restart)


def move(routed: Routed, name: str, host: str) -> Move:
    """A machine with a floating IP moves to another host, with pings from outside to that address."""
    vm, red = routed.vm(name), routed.red
    with routed.inet.pinging(routed.floating[name]) as ping:
        ping.answered()
        vm.move(routed.lab.hosts[host])
        red.tenant.wait_port(vm.port_id, {"status": "ACTIVE", "binding:host_id": host})
        active = time.time()
        ping.answered(PATIENCE, after=active + TAIL)
    return Move(*outage(ping)[:2], ping.lost_after(active))
