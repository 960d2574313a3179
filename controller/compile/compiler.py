"""From what has changed to what each host must add and remove.

A change marks the units that read it; only these run again. The ledger says what came and went in each scope; each
host that follows the scope gets that, the same entries for all.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
import structlog

from apps.contract import App, Lack, Scope
from controller.compile.ledger import Delta, Entry, Ledger, Slot, UnitKey, entry
from controller.view.source import Read, Source
from controller.view.view import View

log = structlog.get_logger()

Follow = Callable[[View, str], Iterator[Scope]]
"""(view, host) -> the scopes whose flows belong on that host."""


class Plan(msgspec.Struct):
    """What one host must do, by slot. ``add`` overwrites what stands in its slot."""

    add: dict[Slot, Entry] = msgspec.field(default_factory=dict)
    delete: dict[Slot, Entry] = msgspec.field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.add or self.delete)

    def merge(self, add: dict[Slot, Entry], delete: dict[Slot, Entry]) -> None:
        """Append a later change."""
        for slot, e in delete.items():
            self.add.pop(slot, None)
            self.delete[slot] = e
        for slot, e in add.items():
            self.delete.pop(slot, None)
            self.add[slot] = e


class Outcome(msgspec.Struct):
    """What one batch of changes came to."""

    plans: dict[str, Plan]
    """Host -> plan; hosts with nothing to do are left out."""
    ran: list[UnitKey]
    failed: dict[UnitKey, str]
    """Units that raised or clashed, with the reason."""
    lacking: dict[UnitKey, str]
    """Units that could not have all that they were asked for, with what is missing."""


class Compiler:
    """Holds the desired state and who follows which scope."""

    def __init__(self, view: View, apps: Sequence[App], follow: Follow, hosts: Sequence[Source]) -> None:
        """``hosts``: sources whose keys are hosts, so that each is asked what it follows; the first has them all."""
        self.view = view
        self.ledger = Ledger()
        self.apps = {app.number: app for app in apps}
        if len(self.apps) != len(apps):
            raise ValueError("two apps have one number")
        self._app_of = {unit: app.number for app in apps for units in app.units.values() for unit in units}
        self._units: dict[Source, list[Callable[..., Iterator[Any]]]] = defaultdict(list)
        self.sources: dict[Callable[..., Any], Source] = {}
        """Unit function -> the source that its keys come from."""
        for app in apps:
            for source, units in app.units.items():
                self._units[source].extend(units)
                self.sources |= dict.fromkeys(units, source)
        self._follow = follow
        self.sources[follow] = hosts[0]
        for source in hosts:
            self._units[source].append(follow)
        self.scopes_of: dict[str, frozenset[Scope]] = {}
        self.hosts_in: dict[Scope, set[str]] = defaultdict(set)

    def app_of(self, unit: UnitKey) -> App:
        return self.apps[self._app_of[unit[0]]]

    def desired(self, host: str) -> Iterator[Entry]:
        """Everything that belongs on a host."""
        for scope in self.scopes_of.get(host, ()):
            yield from self.ledger.in_scope[scope].values()

    def due(self, changed: Iterable[Read]) -> list[UnitKey]:
        """Every unit that ``changed`` concerns."""
        dirty: dict[UnitKey, None] = {}
        for source, key in changed:
            dirty |= dict.fromkeys((unit, key) for unit in self._units.get(source, ()))
            readers = self.view.readers((source, key))
            dirty |= {reader: None for reader in readers if reader[0] in self.sources}  # type: ignore[index,misc]
        return list(dirty)

    def run(self, dirty: Sequence[UnitKey]) -> Outcome:
        """Run these units, and plan what follows from it. What is due may be run in parts, with others between."""
        failed: dict[UnitKey, str] = {}
        lacking: dict[UnitKey, str] = {}
        deltas: dict[Scope, Delta] = {}
        ran = [unit for unit in dirty if unit[0] is not self._follow]
        moved = {str(key): frozenset(self._run(function, key)) for function, key in dirty if function is self._follow}
        due: Iterable[UnitKey] = ran
        while due:
            come_and_gone, clashes, woken = self.ledger.replace(self._answers(due, failed, lacking))
            _append(deltas, come_and_gone)
            for clash in clashes:
                failed[clash.unit] = str(clash)
                log.error("unit refused", unit=clash.unit[0].__name__, key=clash.unit[1], reason=str(clash))
            ran += woken
            due = woken
        hosts = set(moved)
        for scope in deltas:
            hosts |= self.hosts_in[scope]
        plans = {host: self._plan(host, moved.get(host), deltas) for host in hosts}
        return Outcome({host: plan for host, plan in plans.items() if plan}, ran, failed, lacking)

    def _answers(
        self, due: Iterable[UnitKey], failed: dict[UnitKey, str], lacking: dict[UnitKey, str]
    ) -> dict[UnitKey, list[Entry]]:
        answers: dict[UnitKey, list[Entry]] = {}
        for unit in due:
            function, key = unit
            try:
                app = self._app_of[function]
                wanted = self._run(function, key)
                answers[unit] = [entry(unit, app, *each) for each in wanted if not isinstance(each, Lack)]
                if lacks := [each.what for each in wanted if isinstance(each, Lack)]:
                    lacking[unit] = "; ".join(lacks)
            except Exception as error:
                # The unit's old flows stay; it runs again when something that it read changes.
                log.exception("unit failed", unit=function.__name__, key=key)
                failed[unit] = f"{function.__name__}: {error}"
        return answers

    def _run(self, function: Callable[..., Iterator[Any]], key: Hashable) -> list[Any]:
        self.view.record((function, key))
        try:
            return list(function(self.view, key))
        finally:
            self.view.record(None)
            if not self.view.has(self.sources[function], key):
                # Its key is gone; should it come again, that alone marks the unit.
                self.view.forget((function, key))

    def _plan(self, host: str, moved: frozenset[Scope] | None, deltas: dict[Scope, Delta]) -> Plan:
        old = self.scopes_of.get(host, frozenset())
        new = old if moved is None else moved
        delete: dict[Slot, Entry] = {}
        add: dict[Slot, Entry] = {}
        for scope in old - new:
            self.hosts_in[scope].discard(host)
            delta = deltas.get(scope, Delta())
            delete |= {s: e for s, e in self.ledger.in_scope[scope].items() if s not in delta.come}
            delete |= delta.gone
        for scope in new & old & deltas.keys():
            delete |= deltas[scope].gone
            add |= deltas[scope].come
        for scope in new - old:
            self.hosts_in[scope].add(host)
            add |= self.ledger.in_scope[scope]
        if moved is not None:
            if new:
                self.scopes_of[host] = new
            else:
                self.scopes_of.pop(host, None)
        plan = Plan()
        plan.merge(add, {slot: e for slot, e in delete.items() if slot not in add})
        return plan


def _append(deltas: dict[Scope, Delta], later: dict[Scope, Delta]) -> None:
    """A slot that came and then went in one batch leaves what was there first as gone."""
    for scope, delta in later.items():
        first = deltas.setdefault(scope, Delta())
        for slot, e in delta.gone.items():
            if first.come.pop(slot, None) is None:
                first.gone[slot] = e
        first.come |= delta.come
