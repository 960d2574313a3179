"""What can go wrong: each fault happens, ends, and has been got over when it returns."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from tests.hosts import process
from tests.hosts.failover import FLOATING, FLOATING_HOST, FLOATING_OUT, ROUTED, SNAT
from tests.hosts.namespace import ip
from tests.hosts.routed import Routed
from tests.hosts.until import until

L2 = "within a network"
WAYS = (L2, ROUTED, SNAT, FLOATING, FLOATING_OUT, FLOATING_HOST)
SWITCH, DATABASE = ("ovs-vswitchd",), ("ovsdb-server",)


class Fault(NamedTuple):
    name: str
    does: Callable[[Routed], None]
    why: str
    """Why packets may be lost; "" where none may."""


STALLS = "the userspace data path stands still until its database is back, so BFD takes the host to be dead"
EMPTY = "its switch is gone, and comes back empty"
BY_HAND: dict[str, tuple[tuple[str, ...], str]] = {
    "flows deleted by hand": (("ofctl", "del-flows", "br-int"), "its flows are gone until that is mended"),
    "a flow added by hand": (("ofctl", "add-flow", "br-int", "table=3,priority=9,arp,actions=drop"), ""),
    "controller taken away by hand": (
        ("vsctl", "del-controller", "br-int"),
        "a bridge that loses its last controller drops its flows",
    ),
    "tunnel port deleted by hand": (("vsctl", "del-port", "vxlan"), "its tunnels are gone until that is mended"),
}
"""What -> command and arguments, and why it costs packets."""


def _kill(part: str, routed: Routed) -> None:
    routed.serve.kill(part)


def _pause(part: str, seconds: float, routed: Routed) -> None:
    with _paused([routed.serve.child(part)]):
        time.sleep(seconds)  # the pause is the fault


@contextmanager
def _paused(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        process.send(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            process.send(pid, signal.SIGCONT)


def _crash(host: str, daemons: tuple[str, ...], routed: Routed) -> None:
    """kill -9, and at once a new one, as its monitor or systemd does."""
    there = routed.lab.hosts[host]
    there.crash(*daemons)
    starts: dict[tuple[str, ...], Callable[[], None]] = {DATABASE: there.start_database, SWITCH: there.start_switch}
    starts.get(daemons, there.start)()


def _pause_host(host: str, daemons: tuple[str, ...], seconds: float, routed: Routed) -> None:
    with _paused([routed.lab.hosts[host].pid(daemon) for daemon in daemons]):
        time.sleep(seconds)  # the pause is the fault


def _unplug(host: str, seconds: float, routed: Routed) -> None:
    """The cable of the underlay."""
    ip([f"link set {host} down"], routed.lab.rack)
    try:
        time.sleep(seconds)  # for so long it is out
    finally:
        ip([f"link set {host} up"], routed.lab.rack)


def _by_hand(host: str, change: tuple[str, ...], routed: Routed) -> None:
    there = routed.lab.hosts[host]
    if change[0] == "ofctl":
        there.ofctl(*change[1:])
    else:
        there.vsctl(*change[1:])


def faults(routed: Routed, seconds: float) -> list[Fault]:
    """All of them. ``seconds``: how long pauses and cut cables last."""
    shown = f"for {seconds:g} s"
    found = [Fault(f"{part} killed", partial(_kill, part), "") for part in ("control", "api", "ovsdb-server")]
    found += [
        Fault(f"{part} paused {shown}", partial(_pause, part, seconds), "")
        for part in ("control", "api", "ovsdb-server")
    ]
    for host in routed.lab.hosts:
        on_it: dict[str, tuple[Callable[[Routed], None], str]] = {
            "ovsdb-server killed": (partial(_crash, host, DATABASE), STALLS),
            f"ovsdb-server paused {shown}": (partial(_pause_host, host, DATABASE, seconds), ""),
            "ovs-vswitchd killed": (partial(_crash, host, SWITCH), EMPTY),
            "both killed": (partial(_crash, host, DATABASE + SWITCH), EMPTY),
            f"ovs-vswitchd paused {shown}": (partial(_pause_host, host, SWITCH, seconds), "its data path stands still"),
            f"cable out {shown}": (partial(_unplug, host, seconds), "nothing passes between it and other hosts"),
        }
        on_it |= {what: (partial(_by_hand, host, change), why) for what, (change, why) in BY_HAND.items()}
        found += [Fault(f"{host}: {what}", does, why) for what, (does, why) in on_it.items()]
    return found


def whole(routed: Routed, patience: float = 60.0) -> None:
    """Until everything is served, every BFD session is up, and nothing differs from what it shall be."""
    routed.serve.wait(patience)
    routed.serve.wait_hosts(routed.lab.hosts, patience)
    routed.steady()
    until(lambda: routed.serve.ask("audit")["audit"]["found"], [], patience)
