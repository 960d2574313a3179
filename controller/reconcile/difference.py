"""What is installed on a bridge against what is wanted there. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from controller.compile.ledger import Entry, Slot
from controller.southbound.installed import InstalledFlow
from flows.decode import Undecodable, decode
from flows.flow import Flow, MeterConfig
from flows.text import named


class Installed(msgspec.Struct, frozen=True):
    """All that a bridge holds."""

    flows: Sequence[InstalledFlow]
    meters: Mapping[int, tuple[int, int]]
    """Meter id -> (rate, burst)."""
    groups: Sequence[int]


class Difference(msgspec.Struct, frozen=True):
    """Empty when the bridge is as wanted."""

    missing: dict[Slot, Entry]
    """Wanted, and not there or not so."""
    strays: tuple[InstalledFlow, ...]
    """There, and wanted by nobody; or with a cookie of ours, but not what that cookie stands for."""
    meters: tuple[int, ...]
    """There, and wanted by nobody."""
    groups: tuple[int, ...]
    """All that are there: nothing of ours is a group."""

    def __bool__(self) -> bool:
        return bool(self.missing or self.strays or self.meters or self.groups)

    def words(self, bridge: str) -> Iterator[tuple[str, str]]:
        """(kind, what) of each part, for people: kind is ``flow``, ``meter`` or ``group``."""
        for e in self.missing.values():
            if isinstance(e.item, MeterConfig):
                yield "meter", f"meter {e.item.id} is missing or changed"
            else:
                yield "flow", f"missing: {named(e.item)}"
        for flow in self.strays:
            yield "flow", f"nobody's: {_shown(bridge, flow)}"
        for meter in self.meters:
            yield "meter", f"meter {meter} is nobody's"
        for group in self.groups:
            yield "group", f"group {group} is nobody's"


def difference(installed: Installed, wanted: Iterable[Entry]) -> Difference:
    """Flows are compared whole: a switch gives them back in the bytes in which they were sent (law 3)."""
    missing: dict[Slot, Entry] = {}
    by_cookie: dict[int, Entry] = {}
    meters = dict(installed.meters)
    for e in wanted:
        if isinstance(e.item, Flow):
            by_cookie[e.cookie] = e
        elif meters.pop(e.item.id, None) != (e.item.rate, e.item.burst):
            missing[e.slot] = e
    strays: list[InstalledFlow] = []
    here: set[int] = set()
    for flow in installed.flows:
        found = by_cookie.get(flow.cookie)
        if found is not None and _is(flow, found):
            here.add(flow.cookie)
        else:
            strays.append(flow)
    # What shares its cookie with a stray is deleted along with it.
    here -= {flow.cookie for flow in strays}
    missing |= {e.slot: e for cookie, e in by_cookie.items() if cookie not in here}
    return Difference(missing, tuple(strays), tuple(meters), tuple(installed.groups))


def _is(flow: InstalledFlow, e: Entry) -> bool:
    item = e.item
    assert isinstance(item, Flow)
    return (flow.table, flow.priority) == (item.table.number, item.priority) and flow.raw == e.body


def _shown(bridge: str, flow: InstalledFlow) -> str:
    """As text; what is beyond the vocabulary as bytes."""
    try:
        return named(decode(bridge, flow.table, flow.priority, flow.raw))
    except Undecodable:
        return f"table={flow.table} priority={flow.priority} match {flow.match.hex()} {flow.instructions.hex()}"
