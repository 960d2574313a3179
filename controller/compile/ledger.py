"""Who wants which flow where: the desired state of all hosts, each shared flow held (and encoded) once."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

import msgspec

from apps.contract import Scope
from flows.cookie import cookie
from flows.flow import Flow, MeterConfig, slot
from flows.wire import body

UnitKey = tuple[Callable[..., Any], Hashable]
"""(function, key)."""
Slot = Hashable
"""What a switch holds at most one of: a bridge's table, priority and match; or a meter's number."""


class Entry(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One flow or meter that a unit wants, with its bytes."""

    unit: UnitKey
    scope: Scope
    item: Flow | MeterConfig
    slot: Slot
    cookie: int
    body: bytes

    @property
    def bridge(self) -> str:
        return self.item.table.bridge if isinstance(self.item, Flow) else self.item.bridge


def entry(unit: UnitKey, app: int, scope: Scope, item: Flow | MeterConfig) -> Entry:
    if isinstance(item, MeterConfig):
        return Entry(unit, scope, item, (item.bridge, "meter", item.id), 0, b"")
    encoded = body(item)
    return Entry(unit, scope, item, slot(item), cookie(app, item, encoded), encoded)


class Clash(msgspec.Struct, frozen=True):
    """Two units want one match. The first keeps it; the second's whole set of flows is refused."""

    unit: UnitKey
    holder: UnitKey
    entry: Entry

    def __str__(self) -> str:
        holder = f"{self.holder[0].__name__}({self.holder[1]})"
        return f"wants the same match as {holder} with other actions or in another scope: {self.entry.item}"


class Delta(msgspec.Struct):
    """What came and went in one scope, by slot. A slot in both has changed: it only comes."""

    come: dict[Slot, Entry] = msgspec.field(default_factory=dict)
    gone: dict[Slot, Entry] = msgspec.field(default_factory=dict)


class Ledger:
    """Unit -> entries, scope -> entries, and that no two units want one slot on one host."""

    def __init__(self) -> None:
        self._of_unit: dict[UnitKey, dict[tuple[Scope, Slot], Entry]] = {}
        self.in_scope: dict[Scope, dict[Slot, Entry]] = defaultdict(dict)
        self._on_hosts: Counter[Slot] = Counter()
        self._shared: dict[Slot, Entry] = {}
        self._waiting: dict[Slot, set[UnitKey]] = defaultdict(set)
        """Units that were refused a slot, to be run again when it is free."""

    def entries(self, unit: UnitKey) -> Iterable[Entry]:
        return self._of_unit.get(unit, {}).values()

    def entries_everywhere(self) -> Iterator[Entry]:
        for entries in self._of_unit.values():
            yield from entries.values()

    def replace(self, answers: dict[UnitKey, list[Entry]]) -> tuple[dict[Scope, Delta], list[Clash], set[UnitKey]]:
        """Give units their new entries.

        Returns what came and went by scope, the units that were refused (they keep nothing), and units that were
        refused earlier and whose slot has become free: run these again.
        """
        deltas: dict[Scope, Delta] = defaultdict(Delta)
        woken: set[UnitKey] = set()
        wanted: dict[UnitKey, dict[tuple[Scope, Slot], Entry]] = {}
        for unit, entries in answers.items():
            new = wanted[unit] = {(e.scope, e.slot): e for e in entries}
            for key, e in self._of_unit.pop(unit, {}).items():
                kept = new.get(key)
                if kept is not None and (kept.cookie or kept.item) == (e.cookie or e.item):
                    new[key] = e
                    continue
                self._remove(e)
                deltas[e.scope].gone[e.slot] = e
                woken |= self._waiting.pop(e.slot, set())
            for waiting in self._waiting.values():
                waiting.discard(unit)
        clashes = []
        for unit, new in wanted.items():
            fresh = [e for e in new.values() if self.in_scope[e.scope].get(e.slot) is not e]
            clash = next((c for e in fresh if (c := self._clash(e)) is not None), None)
            if clash is not None:
                clashes.append(clash)
                self._waiting[clash.entry.slot].add(unit)
                for key, e in new.items():
                    if self.in_scope[key[0]].get(e.slot) is e:
                        self._remove(e)
                        deltas[e.scope].gone[e.slot] = e
                continue
            for e in fresh:
                self._add(e)
                deltas[e.scope].come[e.slot] = e
            if new:
                self._of_unit[unit] = new
        return deltas, clashes, woken - answers.keys()

    def _clash(self, e: Entry) -> Clash | None:
        held = self._shared.get(e.slot) or self.in_scope[e.scope].get(e.slot)
        if held is None and e.scope[0] != "host" and self._on_hosts[e.slot]:
            held = next(x for scope, xs in self.in_scope.items() if scope[0] == "host" and (x := xs.get(e.slot)))
        return None if held is None else Clash(e.unit, held.unit, e)

    def _add(self, e: Entry) -> None:
        self.in_scope[e.scope][e.slot] = e
        if e.scope[0] == "host":
            self._on_hosts[e.slot] += 1
        else:
            self._shared[e.slot] = e

    def _remove(self, e: Entry) -> None:
        del self.in_scope[e.scope][e.slot]
        if e.scope[0] != "host":
            del self._shared[e.slot]
        elif self._on_hosts[e.slot] == 1:
            del self._on_hosts[e.slot]
        else:
            self._on_hosts[e.slot] -= 1
