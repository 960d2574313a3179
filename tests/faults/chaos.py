"""A random history of faults, with random changes of intent in between, under traffic."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.faults.fault import Fault, faults, whole
from tests.faults.traffic import Traffic
from tests.hosts.host import InstalledFlow
from tests.hosts.routed import Routed
from tests.hosts.tenant import Row, Tenant

TAIL = 0.5
"""Seconds after a fault has been got over in which losses are still its own."""
Dump = dict[tuple[str, str], dict[str, InstalledFlow]]


class Event(NamedTuple):
    """One fault, and what it came to."""

    fault: Fault
    seconds: float
    """From its end until everything is served and all traffic flows."""
    lost: dict[str, int]
    """Way -> pings."""
    broken: dict[str, str]
    """Way -> how its TCP stream ended."""

    @property
    def unexplained(self) -> bool:
        return bool(self.lost or self.broken) and not self.fault.why


class Changes:
    """What tenants do meanwhile: none of it concerns the machines that talk."""

    def __init__(self, routed: Routed, dice: random.Random) -> None:
        self._dice, self._routed = dice, routed
        self._tenant: Tenant = routed.red.tenant
        self._made: dict[str, list[Row]] = {
            kind: [] for kind in ("port", "security_group_rule", "floatingip", "network")
        }
        self.done: Counter[str] = Counter()
        self._group = self._tenant.create("security_group", name="chaos")

    def some(self, count: int) -> None:
        for _ in range(count):
            kind = self._dice.choice(list(self._made))
            made = self._made[kind]
            if made and self._dice.random() < 0.5:
                row = made.pop(self._dice.randrange(len(made)))
                self._tenant.delete(kind, row["id"])
                self.done[f"{kind} deleted"] += 1
            else:
                made.append(self._make(kind))
                self.done[f"{kind} made"] += 1

    def _make(self, kind: str) -> Row:
        tenant, red, dice = self._tenant, self._routed.red, self._dice
        if kind == "network":
            row = tenant.network(f"chaos-{self.done.total()}")
            tenant.subnet(row, "10.77.0.0/24")
            return row
        if kind == "floatingip":
            return tenant.floating_ip(self._routed.external)
        if kind == "security_group_rule":
            port = dice.randrange(1, 65536)
            taken = {rule["port_range_min"] for rule in self._made[kind]}
            while port in taken:
                port = dice.randrange(1, 65536)
            span: dict[str, Any] = {"protocol": "tcp", "port_range_min": port, "port_range_max": port}
            return tenant.create(kind, security_group_id=self._group["id"], direction="ingress", **span)
        groups = dice.choice([[], [self._group["id"]]])
        more = {"security_groups": groups} if groups else {}
        return tenant.port(red.networks[dice.choice([1, 2])], f"chaos-{self.done.total()}", **more)


def chaos(routed: Routed, dice: random.Random, count: int, seconds: float) -> Iterator[Event]:
    """``count`` faults, one after the other, each until it has been got over."""
    known = faults(routed, seconds)
    changes = Changes(routed, dice)
    with Traffic(routed) as traffic:
        for _ in range(count):
            yield suffer(routed, traffic, dice.choice(known), lambda: changes.some(dice.randrange(4)))
            changes.some(dice.randrange(3))


def each(routed: Routed, seconds: float) -> Iterator[Event]:
    """Every fault once."""
    with Traffic(routed) as traffic:
        for fault in faults(routed, seconds):
            yield suffer(routed, traffic, fault)


def suffer(routed: Routed, traffic: Traffic, fault: Fault, meanwhile: Callable[[], object] = lambda: None) -> Event:
    """One fault. ``meanwhile`` happens right after it, while it is still being got over."""
    begin = time.time()
    fault.does(routed)
    over = time.time()
    meanwhile()
    whole(routed)
    traffic.flows(time.time())
    done = time.time()
    traffic.flows(done + TAIL)
    return Event(fault, done - over, traffic.lost(begin, done + TAIL), traffic.broken())


def dump(routed: Routed) -> Dump:
    return {(h.name, bridge): h.flows(bridge) for h in routed.lab.hosts.values() for bridge in ("br-int", "br-tun")}


def compiled_anew(routed: Routed) -> list[str]:
    """Law 1, on every switch: what has come of this history is what a new control compiles from the final state.

    Gives what a new control has changed, as text: nothing.
    """
    before, begin = dump(routed), time.monotonic()
    routed.serve.kill("control")
    whole(routed)
    after, passed = dump(routed), time.monotonic() - begin
    changed = []
    for place, flows in before.items():
        changed += [f"{place}: gone: {text}" for text in flows.keys() - after[place].keys()]
        for text, flow in after[place].items():
            if text not in flows:
                changed.append(f"{place}: new: {text}")
            elif flow.cookie != flows[text].cookie or flow.seconds < passed - 0.5:
                changed.append(f"{place}: rewritten: {text}")
    return changed
