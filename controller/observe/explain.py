"""Live flows, each with the name of its table, its app, and the intent that wants it."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import msgspec

from controller.compile.ledger import Entry, Slot
from controller.observe.rules import describe, rules_of_set
from controller.southbound.installed import InstalledFlow
from controller.view.network import (
    ALWAYS,
    FLOATING_IP,
    FORWARDING,
    HOSTS_OF_NETWORK,
    HOSTS_OF_SET,
    LEARNED,
    LOCATION,
    MEMBER,
    NETWORK,
    PEER,
    PORT,
    ROUTER,
    RULE,
)
from controller.view.source import Source
from controller.view.topology import ROUTER_OF_PORT, ROUTER_ON_HOST
from flows.decode import Undecodable, decode
from flows.flow import Flow
from flows.tables import BY_NUMBER, RULES
from flows.text import named

if TYPE_CHECKING:
    from controller.control import Control


NAMED: dict[Source, tuple[str, Any]] = {
    LOCATION: ("port", PORT),
    ROUTER_OF_PORT: ("port", PORT),
    NETWORK: ("network", NETWORK),
    HOSTS_OF_NETWORK: ("network", NETWORK),
    ROUTER: ("router", ROUTER),
    FLOATING_IP: ("floating IP", FLOATING_IP),
    FORWARDING: ("port forwarding", FORWARDING),
}
"""Source of a unit's key -> what it is, and the rows that name it."""


class ExplainedFlow(msgspec.Struct, frozen=True):
    """One installed flow."""

    host: str
    bridge: str
    table: str
    priority: int
    packets: int
    bytes: int
    app: str
    """"" where nobody wants the flow."""
    intent: str
    """What wants it: ``port 6a… (web-1)``, ``network …``, ``host …``, or "" for a flow of every bridge."""
    flow: str
    cookie: str


class Filter(msgspec.Struct, frozen=True):
    """What to show; "" is everything. Networks and ports by id or name, hosts by system-id or host name."""

    host: str = ""
    bridge: str = ""
    network: str = ""
    port: str = ""


async def explain(control: "Control", wanted: Filter) -> list[ExplainedFlow]:
    """Asks the switches that the filter names. A host that does not answer in time raises TimeoutError."""
    networks = _ids(control, NETWORK, wanted.network)
    ports = _ids(control, PORT, wanted.port)
    rows: list[ExplainedFlow] = []
    for (host, name), bridge in sorted(control.switches.bridges.items()):
        session = control.sessions.get(host)
        names = {host, session.facts.hostname if session is not None and session.facts is not None else host}
        if (wanted.host and wanted.host not in names) or wanted.bridge not in ("", name) or bridge.channel is None:
            continue
        entries = {e.cookie: e for e in control.compiler.desired(host) if isinstance(e.item, Flow)}
        sets: dict[str, dict[Slot, str]] = {}
        for installed in sorted(await bridge.channel.flows(), key=lambda flow: (flow.table, -flow.priority)):
            e = entries.get(installed.cookie)
            if ports is not None and not (e and e.unit[1] in ports):
                continue
            if networks is not None and not (e and _network(control, e) in networks):
                continue
            table = BY_NUMBER.get((name, installed.table))
            rows.append(
                ExplainedFlow(
                    host=host,
                    bridge=name,
                    table=table.name if table else str(installed.table),
                    priority=installed.priority,
                    packets=installed.packets,
                    bytes=installed.octets,
                    app=control.compiler.app_of(e.unit).name if e else "",
                    intent=_intent(control, e, sets) if e else "nobody",
                    flow=_named(e.item) if e and isinstance(e.item, Flow) else _foreign(name, installed),
                    cookie=f"{installed.cookie:016x}",
                )
            )
    return rows


def _intent(control: "Control", e: Entry, sets: dict[str, dict[Slot, str]]) -> str:
    """A flow of table `rules` is a rule's; which, is asked once for a set."""
    kind, key = e.scope
    if kind == "set" and isinstance(e.item, Flow) and e.item.table is RULES:
        if key not in sets:
            sets[key] = rules_of_set(control, key)
        rule = control.view.row(RULE, sets[key].get(e.slot, ""))
        if rule is not None:
            return f"rule {rule.id} ({describe(rule)})"
    return intent(control, control.compiler.sources[e.unit[0]], e.unit[1])


def intent(control: "Control", source: Source, key: Hashable) -> str:
    """A unit's key in words: what kind of thing it is, its id, and its name where it has one."""
    if source is ALWAYS:
        return ""
    if source in NAMED:
        label, rows = NAMED[source]
        row = control.view.row(rows, key)
        return f"{label} {key}" + (f" ({row.name})" if row is not None and row.name else "")
    if isinstance(key, tuple):
        if source is MEMBER:
            return f"member {key[1]} of security group {key[0]}"
        if source is LEARNED:
            return f"neighbour {key[1]} on network {key[0]}"
        if source is ROUTER_ON_HOST:
            return f"{intent(control, ROUTER, key[1])} on {key[0]}"
        return f"{'host' if source is PEER else 'network'} {key[1]} on {key[0]}"
    if source is HOSTS_OF_SET:
        return f"security groups {key}" if key else "no security group"
    return f"{source.name} {key}"


def _ids(control: "Control", kind: Any, wanted: str) -> set[str] | None:
    if not wanted:
        return None
    return {id for id, row in control.view.all(kind).items() if wanted in (id, row.name)}


def _network(control: "Control", e: Entry) -> str:
    """The network that a unit is about."""
    key = e.unit[1]
    if isinstance(key, tuple):
        return str(key[1])
    where = control.view.row(LOCATION, str(key))
    return where.network_id if where is not None else str(key)


def _named(flow: Flow) -> str:
    """Without table and priority, which have columns of their own."""
    return named(flow).split(" ", 2)[2]


def _foreign(bridge: str, installed: InstalledFlow) -> str:
    """What somebody else has put there; as bytes where it is beyond the vocabulary."""
    try:
        return _named(decode(bridge, installed.table, installed.priority, installed.raw))
    except Undecodable:
        return f"match {installed.match.hex()} instructions {installed.instructions.hex()}"
