"""Security group rules with what each has admitted, over all hosts."""

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from apps.security.rules import remote_number, rule_flows, rules_of
from apps.security.sets import groups_of
from controller.compile.ledger import Slot
from controller.model import SecurityGroupRule
from controller.view.network import GROUP, RULE
from flows.flow import Flow, slot

if TYPE_CHECKING:
    from controller.control import Control


class RuleCount(msgspec.Struct, frozen=True):
    """``packets`` and ``bytes`` that the rule has let through, on either side. Of rules that overlap, one counts."""

    group: str
    group_name: str
    rule: str
    what: str
    packets: int
    bytes: int


def rules_of_set(control: "Control", key: str) -> dict[Slot, str]:
    """Slot of a flow in table `rules` -> id of the rule that it stands for; the first, where several are alike."""
    found: dict[Slot, str] = {}
    for rule in rules_of(control.view, key):
        if (number := remote_number(control.view, rule)) is not None:
            for flow in rule_flows(key, rule, number):
                found.setdefault(slot(flow), rule.id)
    return found


def describe(rule: SecurityGroupRule) -> str:
    """``ingress IPv4 tcp 80-90 from group …``"""
    parts = [rule.direction, rule.ethertype, rule.protocol or "any"]
    if rule.port_range_min is not None or rule.port_range_max is not None:
        ends = (rule.port_range_min, rule.port_range_max)
        parts.append("-".join("" if end is None else str(end) for end in dict.fromkeys(ends)))
    side = "from" if rule.direction == "ingress" else "to"
    for kind, value in (
        ("", rule.remote_ip_prefix),
        ("group ", rule.remote_group_id),
        ("addresses ", rule.remote_address_group_id),
    ):
        if value:
            parts.append(f"{side} {kind}{value}")
    return " ".join(parts)


async def count_rules(control: "Control", group: str = "", host: str = "") -> list[RuleCount]:
    """Of one group (by id or name) or all, on one host or all. Asks the switches."""
    groups = {id: row for id, row in control.view.all(GROUP).items() if group in ("", id, row.name)}
    totals: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    sets: dict[str, dict[Slot, str]] = {}
    for (name, bridge_name), bridge in control.switches.bridges.items():
        if bridge_name != "br-int" or host not in ("", name, control.names.shown(name)) or bridge.channel is None:
            continue
        entries = {
            e.cookie: e for e in control.compiler.desired(name) if e.scope[0] == "set" and isinstance(e.item, Flow)
        }
        for installed in await bridge.channel.flows():
            if (e := entries.get(installed.cookie)) is None:
                continue
            key = e.scope[1]
            if key not in sets:
                sets[key] = rules_of_set(control, key) if groups.keys() & set(groups_of(key)) else {}
            if (rule := sets[key].get(e.slot)) is not None:
                packets, octets = totals[rule]
                totals[rule] = packets + installed.packets, octets + installed.octets
    rows = [rule for rule in control.view.all(RULE).values() if rule.security_group_id in groups]
    return [
        RuleCount(
            group=rule.security_group_id,
            group_name=groups[rule.security_group_id].name,
            rule=rule.id,
            what=describe(rule),
            packets=totals[rule.id][0],
            bytes=totals[rule.id][1],
        )
        for rule in sorted(rows, key=lambda rule: (rule.security_group_id, rule.direction, rule.ethertype, rule.id))
    ]
