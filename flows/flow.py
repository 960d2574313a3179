"""A flow, and a meter: what an app can want on a bridge."""

from collections.abc import Iterable

import msgspec

from flows import actions as act
from flows.actions import Action
from flows.fields import (
    CT_ESTABLISHED,
    CT_INVALID,
    CT_IPV6_DST,
    CT_IPV6_SRC,
    CT_NW_DST,
    CT_NW_SRC,
    CT_RELATED,
    CT_REPLY,
    CT_STATE,
    CT_TUPLE,
    ETH_TYPE,
    VLAN_PRESENT,
    VLAN_VID,
    Field,
)
from flows.match import Match
from flows.table import Table

PRIORITY_MAX = 0xFFFF
TAGS_MAX = 2


class Flow(msgspec.Struct, frozen=True, gc=False):
    """One flow. Hashable. Not checked when it is made: see check()."""

    table: Table
    priority: int
    match: Match
    actions: tuple[Action, ...]


class MeterConfig(msgspec.Struct, frozen=True, gc=False):
    """A meter that drops what is above ``rate`` packets/s, after a burst of ``burst`` packets."""

    bridge: str
    id: int
    rate: int
    burst: int


Slot = tuple[str, int, int, Match]
"""(bridge, table's number, priority, match): a switch holds at most one flow of each."""


def slot(flow: Flow) -> Slot:
    return flow.table.bridge, flow.table.number, flow.priority, flow.match


def check(flow: Flow) -> None:
    """Holds a flow to its table's declaration and to OpenFlow's rules. ValueError says what is wrong with it."""
    table = flow.table

    def wrong(what: str) -> ValueError:
        return ValueError(f"{table}, priority {flow.priority}, {flow.match}: {what}")

    if not 0 <= flow.priority <= PRIORITY_MAX:
        raise wrong("no such priority")
    for field, value, mask in flow.match.items:
        if not covers(table.matches, field, field.mask if mask is None else mask):
            raise wrong(f"the table does not declare that it matches {field} ({value:#x})")
    tags = int(_tagged(flow.match))
    for at, action in enumerate(flow.actions):
        match action:
            case act.Set(field):
                _writes(flow, field, action.bits or field.mask, tags > 0)
            case act.Move(src, dst, bits, src_offset, dst_offset):
                if not covers(table.matches + table.reads, src, ((1 << bits) - 1) << src_offset):
                    raise wrong(f"the table does not declare that it reads {src}")
                _ready(flow, src, tags > 0)
                _writes(flow, dst, ((1 << bits) - 1) << dst_offset, tags > 0)
            case act.OutputField(field):
                if not covers(table.matches + table.reads, field, field.mask):
                    raise wrong(f"the table does not declare that it reads {field}")
            case act.Resubmit(to):
                if to.bridge != table.bridge or to.name not in table.calls:
                    raise wrong(f"the table does not declare that it calls {to}")
            case act.FirstLive(field) | act.Spread(field):
                _writes(flow, field, field.mask, tags > 0)
            case act.CheckLarger(_, field, bit):
                _writes(flow, field, 1 << bit, tags > 0)
            case act.DecTtl() if _family(flow.match) is None:
                raise wrong("a TTL needs a match on ip or ipv6")
            case act.Ct(zone, to, commit, nat):
                if not isinstance(zone, int) and not covers(table.matches + table.reads, zone, 0xFFFF):
                    raise wrong(f"the table does not declare that it reads {zone}")
                if to is not None and (to.bridge != table.bridge or to.name not in table.goto):
                    raise wrong(f"the table does not declare that it goes to {to}")
                if (family := _family(flow.match)) is None:
                    raise wrong("conntrack needs a match on ip or ipv6")
                if nat is not None and nat.address and len(nat.packed) != family:
                    raise wrong(f"nat to {nat.address} needs a match on its own family")
                if commit and (state := flow.match.get(CT_STATE)) is not None and state[0] & CT_INVALID:
                    raise wrong("what is invalid can't be committed")
            case act.Goto(to):
                if at != len(flow.actions) - 1:
                    raise wrong("goto comes last")
                if to.bridge != table.bridge or to.name not in table.goto:
                    raise wrong(f"the table does not declare that it goes to {to}")
                if to.number <= table.number:
                    raise wrong(f"goto {to} does not go forward")
            case act.Meter() if at:
                raise wrong("a meter comes first")
            case act.PushVlan():
                tags += 1
                if tags > TAGS_MAX:
                    raise wrong(f"Open vSwitch knows {TAGS_MAX} VLAN tags at most")
            case act.PopVlan():
                if not tags:
                    raise wrong("there is no VLAN tag to pop for certain")
                tags -= 1
        if isinstance(action, act.Output | act.OutputField | act.InPort | act.ToController) and not table.outputs:
            raise wrong("the table does not declare that it outputs")


def covers(declared: Iterable[Field], field: Field, mask: int) -> bool:
    """Whether declared fields include these bits of a field. Registers of different widths are compared bit by bit."""
    left = dict(_bits(field, mask))
    for other in declared:
        for base, bits in _bits(other, other.mask):
            if base in left:
                left[base] &= ~bits
    return not any(left.values())


def _bits(field: Field, mask: int) -> Iterable[tuple[Field, int]]:
    for base, start, source, window in field.pieces or ((field, 0, 0, field.mask),):
        yield base, (mask >> source & window) << start


def _writes(flow: Flow, field: Field, mask: int, tagged: bool) -> None:
    if not covers(flow.table.writes, field, mask):
        raise ValueError(f"{flow.table}: the table does not declare that it writes {field}")
    _ready(flow, field, tagged)


def tuple_is_known(match: Match, field: Field) -> bool:
    """Do the packets of a match have this field of the connection's tuple for certain? (is_ct_valid in lib/flow.h)"""
    state, family = match.get(CT_STATE), match.get(ETH_TYPE)
    families = {CT_NW_SRC: (0x0800,), CT_NW_DST: (0x0800,), CT_IPV6_SRC: (0x86DD,), CT_IPV6_DST: (0x86DD,)}
    known = state is not None and bool(state[0] & (CT_ESTABLISHED | CT_RELATED | CT_REPLY))
    return known and family is not None and family[0] in families.get(field, (0x0800, 0x86DD))


def _ready(flow: Flow, field: Field, tagged: bool) -> None:
    """A field is only there when the match says so: OFPBAC_MATCH_INCONSISTENT otherwise."""
    if field in CT_TUPLE and not tuple_is_known(flow.match, field):
        raise ValueError(f"{flow.table}: {field} needs a match on a connection that replies or is established")
    if field is VLAN_VID and not tagged:
        raise ValueError(f"{flow.table}: {field} without a VLAN tag for certain")
    for need in field.needs:
        found = flow.match.get(need.field)
        if need.field is VLAN_VID:
            if not tagged:
                raise ValueError(f"{flow.table}: {field} without a VLAN tag for certain")
        elif found is None:
            if not need.or_absent:
                raise ValueError(f"{flow.table}: an action on {field} needs a match on {need.field}: {flow.match}")
        elif found[1] & need.mask != need.mask or found[0] & need.mask not in need.values:
            raise ValueError(f"{flow.table}: an action on {field} needs a match on {need.field}: {flow.match}")
        if need.field is not ETH_TYPE:
            _ready(flow, need.field, tagged)


def _family(match: Match) -> int | None:
    """Bytes of an address: 4 with ip, 16 with ipv6, None otherwise."""
    found = match.get(ETH_TYPE)
    return None if found is None else {0x0800: 4, 0x86DD: 16}.get(found[0])


def _tagged(match: Match) -> bool:
    found = match.get(VLAN_VID)
    return found is not None and bool(found[0] & VLAN_PRESENT)
