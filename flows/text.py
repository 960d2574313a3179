"""Flows as text: as ovs-ofctl writes them, and with names for people.

The layout is that of ``ovs-ofctl -O OpenFlow15 --no-stats dump-flows`` (lib/match.c, lib/ofp-actions.c of Open vSwitch
3.1): what is written here can be given to ``ovs-ofctl add-flow``, and comes out of the switch the same.
"""

from collections.abc import Callable, Iterator
from typing import Any

from flows import actions as act
from flows.actions import Action
from flows.fields import (
    ADDRESS,
    ADDRESS4,
    CT_FLAGS,
    CT_STATE,
    ETH_TYPE,
    FLAGS,
    IP_DSCP,
    IP_PROTO,
    MAC,
    NETWORK_KEY,
    OUTPUT,
    PATH,
    PURPOSES,
    REG,
    REMOTE,
    ROUTER,
    TAG,
    TCP_FLAG_NAMES,
    TCP_FLAGS,
    VLAN_PCP,
    VLAN_PRESENT,
    VLAN_VID,
    XREG,
    Field,
    Kind,
)
from flows.flow import Flow, covers
from flows.match import Match
from flows.tables import FLAG_NAMES
from flows.value import PORT_NAMES, hexadecimal, prefix_length, show

PROTOCOLS = {
    (0x0800, 1): "icmp",
    (0x0800, 2): "igmp",
    (0x0800, 6): "tcp",
    (0x0800, 17): "udp",
    (0x0800, 132): "sctp",
    (0x86DD, 6): "tcp6",
    (0x86DD, 17): "udp6",
    (0x86DD, 58): "icmp6",
    (0x86DD, 132): "sctp6",
}
"""(eth_type, ip_proto) -> one word for both."""
ETHERTYPES = {0x0800: "ip", 0x0806: "arp", 0x8035: "rarp", 0x86DD: "ipv6", 0x8847: "mpls", 0x8848: "mplsm"}

_ORDER = (
    *REG, "tun_id", "tun_src", "tun_dst", "tun_ipv6_src", "tun_ipv6_dst", "in_port", "vlan_vid", "vlan_pcp",
    "eth_src", "eth_dst", "eth_type", "ip_src", "ip_dst", "ipv6_src", "ipv6_dst", "arp_spa", "arp_tpa", "arp_op",
    "nw_proto", "arp_sha", "arp_tha", "ip_dscp", "nw_ttl", "icmp_type", "icmp_code", "icmpv6_type", "icmpv6_code",
    "tcp_src", "tcp_dst", "udp_src", "udp_dst", "tcp_flags", "nd_target", "nd_sll", "nd_tll",
)  # fmt: skip
_RANK = {str(name): rank for rank, name in enumerate(_ORDER)}
"""lib/match.c has an order of its own."""

_NAMES = {field: name.lower() for name, (field, _) in PURPOSES.items()}
_WIDE_FIRST = sorted(_NAMES, key=lambda field: -field.bits)
_SHOWN_AS = {
    NETWORK_KEY: Kind.DECIMAL,
    OUTPUT: Kind.DECIMAL,
    TAG: Kind.DECIMAL,
    REMOTE: Kind.DECIMAL,
    ROUTER: Kind.DECIMAL,
    PATH: Kind.DECIMAL,
    ADDRESS4: Kind.IPV4,
}


def text(flow: Flow) -> str:
    """``table=2, priority=30,arp actions=…``, exactly as ovs-ofctl, which leaves out ``table=0``."""
    match = match_text(flow.match)
    head = f"table={flow.table.number}, priority={flow.priority}"
    actions = ",".join(map(action_text, flow.actions)) or "drop"
    return f"{head},{match} actions={actions}" if match else f"{head} actions={actions}"


def named(flow: Flow) -> str:
    """For people: tables, registers and flags by name.

    ``table=l2 priority=20 network_key=5 dl_dst=fa:16:3e:00:00:01 -> output:=3 goto:deliver``
    """
    actions = map(_named_action, flow.actions) if flow.actions else ("drop",)
    return " ".join(
        [f"table={flow.table.name}", f"priority={flow.priority}", *_match(flow.match, True), "->", *actions]
    )


def match_text(match: Match) -> str:
    """``arp,reg0=0x5,arp_tpa=10.0.0.1``; empty when everything matches."""
    return ",".join(_match(match, False))


def _match(match: Match, names: bool) -> Iterator[str]:
    exact = {field: value for field, value, mask in match.items if mask is None}
    eth_type, proto = exact.get(ETH_TYPE, -1), exact.get(IP_PROTO, -1)
    word = PROTOCOLS.get((eth_type, proto))
    hidden = {ETH_TYPE, IP_PROTO} if word else {ETH_TYPE} if eth_type in ETHERTYPES else set()
    if (state := next(((v, m) for f, v, m in match.items if f is CT_STATE), None)) is not None:
        yield f"ct_state={_ct_state(state[0], CT_STATE.mask if state[1] is None else state[1])}"
    if word or eth_type in ETHERTYPES:
        yield word or ETHERTYPES[eth_type]
    hidden |= {CT_STATE, *XREG}
    items = [(f, v, f.mask if m is None else m) for f, v, m in match.items if f not in hidden]
    if names:
        yield from _registers(match)
    else:
        items += [(register, *found) for register in REG if (found := match.get(register)) is not None]
    pcp = exact.get(VLAN_PCP)
    for field, value, mask in sorted(items, key=lambda item: _RANK[item[0].name]):
        if field is VLAN_VID:
            yield _vlan(value, mask, pcp)
        elif field is not VLAN_PCP:
            yield _item(field, value, mask)


def _registers(match: Match) -> Iterator[str]:
    shown: dict[Field, str] = {}
    for field in (*_WIDE_FIRST, *REG):
        found = match.get(field)
        if found is None or covers(shown, field, found[1]):
            continue
        # A wide register goes by the name of a narrower one when nothing outside that is matched.
        if field in _NAMES and covers([other for other in _NAMES if other.bits < field.bits], field, found[1]):
            continue
        shown[field] = f"{_name(field)}={_named_value(field, *found)}"
    yield from (shown[field] for field in dict.fromkeys((*_NAMES, *REG)) if field in shown)


def _name(field: Field) -> str:
    return _NAMES.get(field, field.name)


def _named_value(field: Field, value: int, mask: int) -> str:
    """Flags as ``from_tunnel`` or ``-from_tunnel``."""
    if field is FLAGS and mask == sum(bit for bit in FLAG_NAMES if bit & mask):
        return "+".join(name if value & bit else f"-{name}" for bit, name in FLAG_NAMES.items() if bit & mask)
    if mask != field.mask:
        return _masked(field, value, mask)
    kind = _SHOWN_AS.get(field, field.kind)
    if field is MAC and value >> 48 == 0:
        kind = Kind.MAC
    elif field is ADDRESS:
        kind = Kind.IPV6 if value >> 32 else Kind.IPV4
    return show(kind, value)


def _named_action(action: Action) -> str:
    match action:
        case act.Set(field):
            return f"{_name(field)}:={_named_value(field, action.number, action.bits or field.mask)}"
        case act.Move(src, dst, bits, src_offset, dst_offset):
            return f"{_named_part(dst, dst_offset, bits)}:={_named_part(src, src_offset, bits)}"
        case act.OutputField(field):
            return f"output:{_name(field)}"
        case act.Resubmit(table):
            return f"call:{table.name}"
        case act.Goto(table):
            return f"goto:{table.name}"
        case act.Ct(zone, table, commit, nat):
            does = "+".join((["commit"] if commit else []) + ([table.name] if table else []))
            within = [str(zone) if isinstance(zone, int) else _name(zone)]
            if nat is not None:
                within.append(f"{nat.side}:={_nat_to(nat)}" if nat.side else "nat")
            return f"ct:{does}({','.join(within)})"
        case act.FirstLive(field, ports):
            return f"{_name(field)}:=first_live({','.join(map(str, ports))})"
        case act.Spread(field, count):
            return f"{_name(field)}:=spread({count})"
        case act.CheckLarger(size, field, bit):
            flag = FLAG_NAMES.get(1 << bit) if field is FLAGS else None
            return f"{flag or _named_part(field, bit, 1)}:=larger({size})"
    return action_text(action)


def _named_part(field: Field, offset: int, bits: int) -> str:
    if offset == 0 and bits in (field.span, 48 if field is MAC else 0):
        return _name(field)
    return f"{_name(field)}[{offset}]" if bits == 1 else f"{_name(field)}[{offset}..{offset + bits - 1}]"


def _item(field: Field, value: int, mask: int) -> str:
    if field is IP_DSCP:
        return f"nw_tos={value << 2}"
    if field is ETH_TYPE:
        return f"{field.label}=0x{value:04x}"
    if field is TCP_FLAGS:
        return f"tcp_flags={_tcp_flags(value, mask)}"
    if mask == field.mask:
        return f"{field.label}={show(field.kind, value)}"
    return f"{field.label}={_masked(field, value, mask)}"


def _masked(field: Field, value: int, mask: int) -> str:
    kind = field.kind
    if kind in (Kind.IPV4, Kind.IPV6) and (length := prefix_length(mask, field.bits)) is not None:
        return f"{show(kind, value)}/{length}"
    if kind is Kind.DECIMAL:
        return f"{value:#x}/{mask:#x}"
    return f"{show(kind, value)}/{show(kind, mask)}"


def _ct_state(value: int, mask: int) -> str:
    return _signs(CT_FLAGS, value, mask)


def _tcp_flags(value: int, mask: int) -> str:
    if mask == TCP_FLAGS.mask:
        return "|".join(name for bit, name in TCP_FLAG_NAMES.items() if bit & value) or "0"
    return _signs(TCP_FLAG_NAMES, value, mask)


def _signs(names: dict[int, str], value: int, mask: int) -> str:
    return "".join(f"{'+' if value & bit else '-'}{name}" for bit, name in names.items() if bit & mask)


def _vlan(vid: int, mask: int, pcp: int | None) -> str:
    """Open vSwitch keeps the tag as 16 bits: priority, presence, VID."""
    present = vid & mask & VLAN_PRESENT
    vid_mask = mask & 0xFFF
    if present and vid_mask in (0, 0xFFF) and (vid_mask or pcp is not None):
        parts = [f"dl_vlan={vid & 0xFFF}"] if vid_mask else []
        return ",".join(parts if pcp is None else [*parts, f"dl_vlan_pcp={pcp}"])
    value = vid | (pcp or 0) << 13
    mask |= 0 if pcp is None else 0xE000
    return f"vlan_tci=0x{value:04x}" if mask == 0xFFFF else f"vlan_tci=0x{value:04x}/0x{mask:04x}"


def action_text(action: Action) -> str:
    return _ACTIONS[type(action)](action)


def _set(action: act.Set) -> str:
    field, value, mask = action.field, action.number, action.bits
    if mask is None:
        shown = show(field.kind, value)
    elif field.kind is Kind.DECIMAL:
        shown = f"{value}/{hexadecimal(mask)}"
    else:
        shown = _masked(field, value, mask)
    return f"set_field:{shown}->{field}"


def _part(field: Field, offset: int, bits: int) -> str:
    if offset == 0 and bits == field.span:
        return f"{field.source}[]"
    return f"{field.source}[{offset}]" if bits == 1 else f"{field.source}[{offset}..{offset + bits - 1}]"


def _ct(action: act.Ct) -> str:
    parts = ["commit"] if action.commit else []
    parts += [f"table={action.table.number}"] if action.table else []
    if isinstance(action.zone, Field):
        parts.append(f"zone={_part(action.zone, 0, 16)}")
    elif action.zone:
        parts.append(f"zone={action.zone}")
    if (nat := action.nat) is not None:
        parts.append(f"nat({nat.side}={_nat_to(nat)})" if nat.side else "nat")
    return f"ct({','.join(parts)})"


def _nat_to(nat: act.Nat) -> str:
    host = f"[{nat.address}]" if nat.port and ":" in nat.address else nat.address
    return f"{host}:{nat.port}" if nat.port else host


def _first_live(action: act.FirstLive) -> str:
    ports = ",".join(map(str, action.ports))
    return f"bundle_load(eth_src,0,active_backup,ofport,{action.field.source}[],members:{ports})"


_ACTIONS: dict[type, Callable[[Any], str]] = {
    act.Set: _set,
    act.Move: lambda a: f"move:{_part(a.src, a.src_offset, a.bits)}->{_part(a.dst, a.dst_offset, a.bits)}",
    act.Output: lambda a: PORT_NAMES.get(a.port) or f"output:{a.port}",
    act.OutputField: lambda a: f"output:{a.field.source}[]",
    act.InPort: lambda _: "IN_PORT",
    act.Normal: lambda _: "NORMAL",
    act.ToController: lambda a: f"CONTROLLER:{a.max_len}",
    act.Resubmit: lambda a: f"resubmit(,{a.table.number})",
    act.Goto: lambda a: f"goto_table:{a.table.number}",
    act.PushVlan: lambda _: "push_vlan:0x8100",
    act.PopVlan: lambda _: "pop_vlan",
    act.Ct: _ct,
    act.CtClear: lambda _: "ct_clear",
    act.DecTtl: lambda _: "dec_ttl",
    act.FirstLive: _first_live,
    act.Spread: lambda a: f"multipath(symmetric_l3l4+udp,0,hrw,{a.count},0,{a.field.source}[])",
    act.CheckLarger: lambda a: f"check_pkt_larger({a.size})->{_part(a.field, a.bit, 1)}",
    act.Meter: lambda a: f"meter:{a.id}",
}
