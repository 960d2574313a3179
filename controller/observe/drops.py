"""What has been dropped on which host, and why: flows without actions, as their tables declare them."""

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from controller.observe.explain import intent
from flows.flow import Flow
from flows.table import Table

if TYPE_CHECKING:
    from controller.control import Control


class Drop(msgspec.Struct, frozen=True):
    """One table of one host; of it, what one router, network or port is concerned by. Counted since the flows came."""

    host: str
    table: str
    reason: str
    concerns: str
    """``router 5e… (edge) on …``, as `tunbridge flows` names what wants a flow; "" for what is the same for all."""
    packets: int
    bytes: int


async def count_drops(control: "Control", host: str = "") -> list[Drop]:
    """On one host (by system-id or host name) or all, in the order of the tables. Asks the switches."""
    rows: list[Drop] = []
    for (name, _), bridge in sorted(control.switches.bridges.items()):
        if host not in ("", name, control.names.shown(name)) or bridge.channel is None:
            continue
        dropping = {
            e.cookie: (e.item.table, intent(control, control.compiler.sources[e.unit[0]], e.unit[1]))
            for e in control.compiler.desired(name)
            if isinstance(e.item, Flow) and not e.item.actions and e.item.table.drops
        }
        totals: dict[tuple[Table, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
        for flow in await bridge.channel.flows():
            if flow.packets and (key := dropping.get(flow.cookie)) is not None:
                packets, octets = totals[key]
                totals[key] = packets + flow.packets, octets + flow.octets
        for (table, concerns), count in sorted(totals.items(), key=lambda row: (row[0][0].number, row[0][1])):
            rows.append(Drop(name, table.name, table.drops, concerns, *count))
    return rows
