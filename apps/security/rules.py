"""Rules and members as flows."""

from collections.abc import Iterator

import structlog

from apps.contract import Wanted, on_remote, on_set
from apps.security.sets import groups_of, set_id
from controller.model import SecurityGroupRule
from controller.model.protocol import PROTOCOLS, protocol_number
from controller.model.security_group import INGRESS
from controller.view.network import (
    ADDRESS_GROUP,
    GROUP,
    HOSTS_OF_SET,
    MEMBER,
    RULE,
    RULES_OF_GROUP,
    TRUSTED,
    USERS_OF_REMOTE,
    SetKey,
    remote_of,
)
from controller.view.view import View
from flows import fields as f
from flows import tables as t
from flows.actions import Action, Resubmit, Set
from flows.flow import Flow
from flows.match import Match
from flows.value import Value

log = structlog.get_logger()

ETHERTYPES = {"IPv4": 0x0800, "IPv6": 0x86DD}
ALLOW = (Set(f.FLAGS, t.ALLOWED, t.ALLOWED),)
ICMP, ICMPV6 = PROTOCOLS["icmp"], PROTOCOLS["icmpv6"]
WITH_PORTS = [PROTOCOLS[name] for name in ("tcp", "udp", "sctp")]
"""Protocols whose ports Open vSwitch can match."""
ANY = (None, "any", "ip", "0")
PORT, PROTOCOL, TYPE, CODE = 0xFFFF, 0xFF << 16, 0xFF << 24, 0xFF
"""Bits of SERVICE."""


def rules(view: View, key: SetKey) -> Iterator[Wanted]:
    """What a set allows, once for all ports that have it, on every host with one."""
    if key == TRUSTED or not view.members(HOSTS_OF_SET, key):
        return
    remotes: dict[int, set[int]] = {0: set(), t.INGRESS: set()}
    for rule in rules_of(view, key):
        number = remote_number(view, rule)
        if number is None:
            continue
        if number:
            remotes[_direction(rule)].add(number)
        for flow in rule_flows(key, rule, number):
            yield on_set(key), flow
    for direction, numbers in remotes.items():
        if numbers:
            match = Match({f.SET: set_id(key), f.FLAGS: (direction, t.INGRESS)})
            calls: list[Action] = []
            for number in sorted(numbers):
                calls += [Set(f.REMOTE, number), Resubmit(t.MEMBER)]
            yield on_set(key), Flow(t.SET, 20, match, (*calls, Set(f.REMOTE, 0)))


def rules_of(view: View, key: SetKey) -> Iterator[SecurityGroupRule]:
    for group in groups_of(key):
        for id in sorted(view.members(RULES_OF_GROUP, group)):
            if (rule := view.row(RULE, id)) is not None:
                yield rule


def remote_number(view: View, rule: SecurityGroupRule) -> int | None:
    """What REMOTE must hold: 0 for a rule that names no group; None: the group is no more, the rule allows nothing."""
    id = remote_of(rule)
    if id is None:
        return 0
    group = view.row(GROUP, id) if rule.remote_group_id else view.row(ADDRESS_GROUP, id)
    return None if group is None else group.number


def rule_flows(key: SetKey, rule: SecurityGroupRule, remote: int) -> Iterator[Flow]:
    """A range of ports is as many flows as it takes prefixes; all else is one."""
    base: dict[f.Field, Value] = {
        f.SET: set_id(key),
        f.FLAGS: (_direction(rule), t.INGRESS),
        f.REMOTE: remote,
        f.ETH_TYPE: ETHERTYPES[rule.ethertype],
    }
    if rule.remote_ip_prefix:
        base |= address_match(rule.remote_ip_prefix)
    for service in _services(rule):
        yield Flow(t.RULES, 20, Match({**base, f.SERVICE: service}), ALLOW)


def address_match(text: str) -> dict[f.Field, Value]:
    """ADDRESS of an address or prefix. IPv4 is its low 32 bits: the family is matched beside it."""
    return {f.ADDRESS if ":" in text else f.ADDRESS4: text}


def member(view: View, key: tuple[str, str]) -> Iterator[Wanted]:
    """One address of a remote group: one flow, whatever rules name the group."""
    group_id, address = key
    group = view.row(GROUP, group_id)
    if group is not None and view.members(MEMBER, key) and view.members(USERS_OF_REMOTE, group_id):
        yield on_remote(group_id), _member(group.number, address)


def address_group(view: View, id: str) -> Iterator[Wanted]:
    group = view.row(ADDRESS_GROUP, id)
    if group is not None and view.members(USERS_OF_REMOTE, id):
        for address in group.addresses:
            yield on_remote(id), _member(group.number, address)


def _member(number: int, address: str) -> Flow:
    family = 0x86DD if ":" in address else 0x0800
    match = Match({f.REMOTE: number, f.ETH_TYPE: family, **address_match(address)})
    return Flow(t.MEMBER, 20, match, (Resubmit(t.RULES),))


def _direction(rule: SecurityGroupRule) -> int:
    return t.INGRESS if rule.direction == INGRESS else 0


def _services(rule: SecurityGroupRule) -> Iterator[tuple[int, int]]:
    """(value, mask) of SERVICE."""
    protocol = None if rule.protocol in ANY else protocol_number(rule.protocol)
    low, high = rule.port_range_min, rule.port_range_max
    if protocol is None:
        yield 0, 0
        return
    if protocol == ICMP and rule.ethertype == "IPv6":
        protocol = ICMPV6
    value, mask = protocol << 16, PROTOCOL
    if protocol in (ICMP, ICMPV6):
        if low is not None:
            value, mask = value | low << 24, mask | TYPE
        if high is not None:
            value, mask = value | high, mask | CODE
        yield value, mask
    elif low is None and high is None:
        yield value, mask
    elif protocol in WITH_PORTS:
        for port, bits in port_masks(low or 0, PORT if high is None else high):
            yield value | port, mask | bits
    else:
        # Open vSwitch sees no ports of this protocol; to leave them out would allow more than was asked.
        log.warning("rule allows nothing: ports of this protocol can't be matched", rule=rule.id, protocol=protocol)


def port_masks(low: int, high: int) -> Iterator[tuple[int, int]]:
    """The fewest (value, mask) pairs of 16 bits that are just the ports from low to high."""
    while low <= high:
        size = low & -low or 1 << 16
        while low + size - 1 > high:
            size >>= 1
        yield low, PORT & ~(size - 1)
        low += size
