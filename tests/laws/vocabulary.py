"""Hypothesis strategies for flows: anything the vocabulary can say, and what the tables declare."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from flows.actions import (
    Action,
    CheckLarger,
    Ct,
    CtClear,
    DecTtl,
    FirstLive,
    Goto,
    InPort,
    Meter,
    Move,
    Nat,
    Normal,
    Output,
    OutputField,
    PopVlan,
    PushVlan,
    Resubmit,
    Set,
    Spread,
    ToController,
)
from flows.fields import (
    CT_INVALID,
    CT_STATE,
    CT_TUPLE,
    ETH_TYPE,
    FIELDS,
    ICMPV6_CODE,
    ICMPV6_TYPE,
    IN_PORT,
    IP_PROTO,
    PORT_LIMIT,
    PORT_LOCAL,
    REG,
    VLAN_PRESENT,
    VLAN_VID,
    Field,
    Kind,
)
from flows.flow import TAGS_MAX, Flow, check, tuple_is_known
from flows.match import Match
from flows.table import Table
from flows.tables import TABLES
from flows.value import Value, show_address

METER = 1
"""A meter that the bridges of the test have."""

Fields = Mapping[Field, Value]

_PROTOCOLS: tuple[Fields, ...] = (
    {},
    {ETH_TYPE: 0x0806},
    {ETH_TYPE: 0x0800},
    {ETH_TYPE: 0x86DD},
    *({ETH_TYPE: eth, IP_PROTO: proto} for eth in (0x0800, 0x86DD) for proto in (6, 17, 99)),
    {ETH_TYPE: 0x0800, IP_PROTO: 1},
    {ETH_TYPE: 0x86DD, IP_PROTO: 58},
    *({ETH_TYPE: 0x86DD, IP_PROTO: 58, ICMPV6_TYPE: type} for type in (133, 135, 136)),
    *(
        {ETH_TYPE: 0x86DD, IP_PROTO: 58, ICMPV6_TYPE: type, ICMPV6_CODE: code}
        for type in (133, 135, 136)
        for code in (0, 3)
    ),
    *({ETH_TYPE: eth} for eth in (0x0000, 0x05FF, 0x1234, 0x8035, 0x8847, 0x88CC)),
)
_TAGS: tuple[Fields, ...] = ({}, {}, {VLAN_VID: 0})

ports = st.one_of(st.integers(1, 4), st.integers(1, PORT_LIMIT - 1), st.just(PORT_LOCAL))


def there(field: Field, fixed: Fields, tagged: bool) -> bool:
    """Whether packets that match ``fixed`` have the field for certain."""
    for need in field.needs:
        if need.field is VLAN_VID:
            if not tagged:
                return False
        elif need.or_absent and need.field not in fixed:
            continue
        elif fixed.get(need.field) not in need.values:
            return False
    return field is not VLAN_VID or tagged


def _is_ip(fixed: Fields) -> bool:
    return fixed.get(ETH_TYPE) in (0x0800, 0x86DD)


def _commits(match: Match) -> st.SearchStrategy[bool]:
    """What is invalid can't be committed."""
    state = match.get(CT_STATE)
    return st.just(False) if state is not None and state[0] & CT_INVALID else st.booleans()


@st.composite
def nats(draw: st.DrawFn, match: Match, commit: bool) -> Nat | None:
    """Nothing, or addresses of the match's family, which only a committed connection gets."""
    if not commit or draw(st.booleans()):
        return draw(st.sampled_from((None, Nat())))
    size = 4 if match.get(ETH_TYPE) == (0x0800, 0xFFFF) else 16
    some = st.sampled_from((bytes(size - 1) + b"\1", bytes(size - 4) + b"\x0a\0\0\1", b"\xff" * size))
    packed = draw(st.one_of(some, st.binary(min_size=size, max_size=size).filter(any)))
    return Nat(draw(st.sampled_from(("src", "dst"))), show_address(packed), draw(st.sampled_from((0, 0, 1, 80, 65535))))


@st.composite
def cts(draw: st.DrawFn, match: Match, zones: Sequence[Field], tables: Sequence[Table]) -> Ct:
    zone = draw(st.one_of(st.sampled_from((0, 1, 4096, 65535)), *([st.sampled_from(zones)] if zones else [])))
    commit = draw(_commits(match))
    return Ct(zone, draw(st.sampled_from((None, *tables))), commit, draw(nats(match, commit)))


def loads(register: st.SearchStrategy[Field]) -> list[st.SearchStrategy[Action]]:
    """What writes a register from what the switch knows."""
    members = st.lists(st.integers(1, PORT_LIMIT - 1), min_size=1, max_size=9).map(tuple)
    return [
        st.builds(FirstLive, register, members),
        st.builds(Spread, register, st.one_of(st.integers(1, 9), st.sampled_from((0xFFFF, 0x10000)))),
        st.builds(CheckLarger, st.integers(0, 0xFFFF), register, st.integers(0, 31)),
    ]


def numbers(field: Field) -> st.SearchStrategy[int]:
    if field is IN_PORT:
        return ports
    edges = st.sampled_from(sorted({0, 1, field.mask >> 1, field.mask - 1, field.mask}))
    return st.one_of(edges, st.integers(0, field.mask))


@st.composite
def values(draw: st.DrawFn, field: Field) -> Value:
    if field is CT_STATE:
        # Always with a mask: of its 32 bits Open vSwitch has eight.
        return draw(st.integers(0, 0x3F)), draw(st.integers(1, 0x3F))
    number = draw(numbers(field))
    how = draw(st.sampled_from(("exact", "exact", "prefix", "mask"))) if field.maskable else "exact"
    if how == "exact":
        return number
    if how == "prefix":
        return number, field.mask & ~((1 << draw(st.integers(0, field.bits - 1))) - 1)
    mask = draw(st.integers(1, field.mask))
    # ovs-ofctl takes an IPv6 mask that begins with a digit for a prefix length, even where it wrote it itself.
    return number, mask | 0xFFFF << 112 if field.kind is Kind.IPV6 else mask


@st.composite
def matches(draw: st.DrawFn, declared: Sequence[Field] | None = None) -> tuple[Match, Fields, bool]:
    """(match, the fields that it fixes to one value, whether there is a VLAN tag for certain)."""
    tag = st.integers(0, 0xFFF).map(lambda vid: {VLAN_VID: VLAN_PRESENT | vid})
    some_tag = st.tuples(st.integers(0, 0x1FFF), st.integers(1, 0x1FFF)).map(lambda pair: {VLAN_VID: pair})
    fields: dict[Field, Any] = dict(draw(st.sampled_from(_PROTOCOLS)))
    fields |= draw(st.one_of(st.sampled_from(_TAGS), tag, some_tag))
    allowed = FIELDS if declared is None else declared
    if declared is not None:
        fields = dict(_closed({field: value for field, value in fields.items() if field in declared}))
    vid = fields.get(VLAN_VID, 0)
    tagged = bool((vid[0] & vid[1] if isinstance(vid, tuple) else vid) & VLAN_PRESENT)
    fixed = {field: value for field, value in fields.items() if isinstance(value, int)}
    kept = (VLAN_VID, ETH_TYPE, ICMPV6_CODE)
    more = [f for f in allowed if f not in fields and f not in kept and there(f, fixed, tagged)]
    taken: set[tuple[Field, int]] = set()
    for field in draw(st.lists(st.sampled_from(more), unique=True, max_size=6)) if more else ():
        # Two registers of different widths may not say different things about the same bits.
        bits = {(base, start + n) for base, start, _, window in _lies(field) for n in range(window.bit_length())}
        if not bits & taken:
            fields[field] = draw(values(field))
            taken |= bits
    return Match(fields), fixed, tagged


def _lies(field: Field) -> Iterable[tuple[Field, int, int, int]]:
    return field.pieces or ((field, 0, 0, field.mask),)


def _closed(fields: Fields) -> Fields:
    """Without those whose prerequisites are not among them."""
    kept = {f: v for f, v in fields.items() if there(f, fields, tagged=True)}
    return kept if kept == fields else _closed(kept)


@st.composite
def sets(draw: st.DrawFn, field: Field) -> Set:
    if field is VLAN_VID:
        return Set(field, VLAN_PRESENT | draw(st.integers(0, 0xFFF)))
    value = draw(st.integers(0, PORT_LIMIT - 1) if field is IN_PORT else values(field))
    return Set(field, *value) if isinstance(value, tuple) else Set(field, value)


@st.composite
def moves(draw: st.DrawFn, src: Field, dst: Field) -> Move:
    bits = draw(st.one_of(st.just(min(src.span, dst.span)), st.integers(1, min(src.span, dst.span))))
    return Move(src, dst, bits, draw(st.integers(0, src.span - bits)), draw(st.integers(0, dst.span - bits)))


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """Anything that can be said, in any table, whatever that declares."""
    table = draw(st.sampled_from(TABLES))
    match, fixed, tagged = draw(matches())
    tags = int(tagged)
    same = [t for t in TABLES if t.bridge == table.bridge]
    actions: list[Action] = [Meter(METER)] if draw(st.integers(0, 9)) == 0 else []
    for _ in range(draw(st.integers(0, 6))):
        readable = [f for f in FIELDS if there(f, fixed, tags > 0) and f not in (ETH_TYPE, IP_PROTO)]
        # A field that the match rests upon may not be written: what follows would rest on nothing.
        writable = [f for f in readable if f.writable and f is not ICMPV6_TYPE]
        choices: list[st.SearchStrategy[Action]] = [
            st.sampled_from(writable).flatmap(sets),
            st.tuples(st.sampled_from(readable), st.sampled_from(writable)).flatmap(lambda pair: moves(*pair)),
            st.builds(Output, ports),
            st.builds(OutputField, st.sampled_from(REG)),
            st.builds(ToController, st.integers(0, 0xFFFF)),
            st.builds(Resubmit, st.sampled_from(same)),
            *loads(st.sampled_from(REG)),
            st.sampled_from((InPort(), Normal(), CtClear())),
        ]
        if _is_ip(fixed):
            choices += [cts(match, REG, same), st.just(DecTtl())]
        if tags < TAGS_MAX:
            choices.append(st.just(PushVlan()))
        if tags:
            choices.append(st.just(PopVlan()))
        action = draw(st.one_of(choices))
        tags += isinstance(action, PushVlan) - isinstance(action, PopVlan)
        actions.append(action)
    later = [t for t in same if t.number > table.number]
    if bool(later) and draw(st.booleans()):
        actions.append(Goto(draw(st.sampled_from(later))))
    return Flow(table, draw(st.integers(0, 0xFFFF)), match, tuple(actions))


@st.composite
def declared_flows(draw: st.DrawFn) -> Flow:
    """What a table declares that its flows may be."""
    table = draw(st.sampled_from(TABLES))
    match, fixed, tagged = draw(matches(table.matches))
    actions: list[Action] = []
    if VLAN_VID in table.writes and not tagged:
        actions.append(PushVlan())
        tagged = True
    readable = [
        f
        for f in table.matches + table.reads
        if there(f, fixed, tagged) and (f not in CT_TUPLE or tuple_is_known(match, f))
    ]
    writable = [f for f in table.writes if there(f, fixed, tagged)]
    choices: list[st.SearchStrategy[Action]] = [st.builds(Resubmit, st.sampled_from(_named(table, table.calls)))]
    choices = choices if table.calls else []
    if writable:
        choices.append(st.sampled_from(writable).flatmap(sets))
        if readable:
            pairs = st.tuples(st.sampled_from(readable), st.sampled_from(writable))
            choices.append(pairs.flatmap(lambda pair: moves(*pair)))
    if table.outputs:
        choices += [st.builds(Output, ports), st.just(InPort()), st.just(ToController())]
    if whole := [f for f in table.writes if f in REG]:
        choices += loads(st.sampled_from(whole))
    if _is_ip(fixed) and table.goto:
        zones = [f for f in table.reads + table.matches if f in REG]
        choices += [cts(match, zones, _named(table, table.goto)), st.just(DecTtl())]
    if choices:
        actions += draw(st.lists(st.one_of(choices), max_size=4))
    if bool(table.goto) and draw(st.booleans()):
        actions.append(Goto(draw(st.sampled_from(_named(table, table.goto)))))
    flow = Flow(table, draw(st.integers(0, 0xFFFF)), match, tuple(actions))
    check(flow)
    return flow


def _named(table: Table, names: Iterable[str]) -> list[Table]:
    return [t for t in TABLES if t.bridge == table.bridge and t.name in names] or [table]
