"""What the rows of the store do not say at a glance: who holds what, kept up to date as they change."""

import asyncio
import ipaddress
import random
from collections.abc import Hashable, Iterable, Sequence
from functools import lru_cache

from controller.model import (
    AddressGroup,
    AddressScope,
    FloatingIP,
    Network,
    Pool,
    Port,
    PortForwarding,
    Record,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    SubnetPool,
)
from controller.model.protocol import protocol_number
from controller.northbound.router_index import RouterIndex
from controller.store import Change, Store

IP, MAC, VNI, NUMBER, SEGMENT, DEFAULT_POOL, ROUTER = (
    "ip", "mac", "vni", "number", "segment", "default pool", "router",
)  # fmt: skip
"""First items of the keys under which a request in progress keeps what it chose: see `Index.taken`."""
ROUTING = (Router, FloatingIP, PortForwarding)
RuleKey = tuple[object, ...]
"""What a rule says: see `rule_key`."""


class Index:
    """Who holds which address, MAC address, VNI, segment and group number, and what is on a network and in a group.

    `taken` holds what requests of this process have chosen and not yet stored, so that two of them never choose the
    same: (IP, subnet id, number), (MAC, network id, mac), (VNI, number), (SEGMENT, physical network, VLAN),
    (NUMBER, number), (DEFAULT_POOL, IP version) and (ROUTER, number).
    """

    def __init__(self, store: Store) -> None:
        self.networks = store.rows(Network)
        self.subnets = store.rows(Subnet)
        self.ports = store.rows(Port)
        self.security_groups = store.rows(SecurityGroup)
        self.security_group_rules = store.rows(SecurityGroupRule)
        self.address_groups = store.rows(AddressGroup)
        self.address_scopes = store.rows(AddressScope)
        self.subnet_pools = store.rows(SubnetPool)
        self.ports_of: dict[str, set[str]] = {}
        self.macs: dict[tuple[str, str], str] = {}
        self.vnis: dict[int, str] = {}
        self.segments: dict[tuple[str, int], str] = {}
        """(Physical network, VLAN or 0) -> network id."""
        self.held: dict[str, dict[int, str]] = {}
        """Subnet id -> address as a number -> port id."""
        self.numbers: dict[int, str] = {}
        """Number -> security group or address group."""
        self.members: dict[str, set[str]] = {}
        """Security group id -> ports."""
        self.rules_of: dict[str, set[str]] = {}
        self.rules_naming: dict[str, set[str]] = {}
        """Id of a remote group, of either kind -> rules."""
        self.rule_ids: dict[RuleKey, str] = {}
        self.subnets_from: dict[str, set[str]] = {}
        """Subnet pool id -> subnets."""
        self.pools_in: dict[str, set[str]] = {}
        """Address scope id -> subnet pools."""
        self.routing = RouterIndex(store)
        self.taken: set[Hashable] = set()
        self.generation = 0
        """Goes up with each transaction seen."""
        self._subnets_of: dict[str, dict[str, Subnet]] = {}
        self._ordered: dict[str, tuple[Subnet, ...]] = {}
        self._cursor: dict[str, int] = {}
        self._waiting: list[asyncio.Future[None]] = []
        for kind in (Network, SubnetPool, Subnet, Port, SecurityGroup, AddressGroup, SecurityGroupRule, *ROUTING):
            for row in store.rows(kind).values():
                self._add(row)
        store.subscribe(self._changed)

    def subnets_of(self, network_id: str) -> tuple[Subnet, ...]:
        """The network's subnets, oldest first."""
        if network_id not in self._ordered:
            found = self._subnets_of.get(network_id, {}).values()
            self._ordered[network_id] = tuple(sorted(found, key=lambda subnet: (subnet.created_at, subnet.id)))
        return self._ordered[network_id]

    def free_address(self, subnet: Subnet, *, anywhere: bool) -> int | None:
        """An address of the subnet's pools that nobody holds, or None. Upwards from the last one given, so that an
        address rests before it is given again; `anywhere` starts at random, for when another process goes the same way.
        """
        spans = pool_spans(subnet.allocation_pools)
        if not spans:
            return None
        first = random.randint(*random.choice(spans)) if anywhere else self._cursor.get(subnet.id, spans[0][0])
        ahead = [(max(low, first), high) for low, high in spans if high >= first]
        behind = [(low, min(high, first - 1)) for low, high in spans if low < first]
        held = self.held.get(subnet.id, {})
        for low, high in ahead + behind:
            number = low
            while number <= high:
                if number not in held and (IP, subnet.id, number) not in self.taken:
                    self._cursor[subnet.id] = number + 1
                    return number
                number += 1
        return None

    async def moved(self, since: int, timeout: float) -> bool:
        """Wait until `generation` is past `since`; False when `timeout` (s) went by first."""
        if self.generation != since:
            return True
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await asyncio.wait_for(waiter, timeout)
        except TimeoutError:
            self._waiting.remove(waiter)
            return False
        return True

    def _changed(self, changes: Sequence[Change]) -> None:
        # All that went first: what one row gives up another may take in the same transaction.
        for change in changes:
            if change.old is not None:
                self._drop(change.old)
        for change in changes:
            if change.new is not None:
                self._add(change.new)
        self.generation += 1
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _add(self, row: Record) -> None:
        if isinstance(row, Port):
            self.ports_of.setdefault(row.network_id, set()).add(row.id)
            self.macs[row.network_id, row.mac_address] = row.id
            for fixed in row.fixed_ips:
                self.held.setdefault(fixed.subnet_id, {})[number(fixed.ip_address)] = row.id
            for group_id in row.security_groups:
                self.members.setdefault(group_id, set()).add(row.id)
        elif isinstance(row, SecurityGroupRule):
            self.rules_of.setdefault(row.security_group_id, set()).add(row.id)
            self.rule_ids[rule_key(row)] = row.id
            for remote in _remotes(row):
                self.rules_naming.setdefault(remote, set()).add(row.id)
        elif isinstance(row, SecurityGroup | AddressGroup):
            self.numbers[row.number] = row.id
        elif isinstance(row, Subnet):
            self._subnets_of.setdefault(row.network_id, {})[row.id] = row
            self._ordered.pop(row.network_id, None)
            if row.subnetpool_id is not None:
                self.subnets_from.setdefault(row.subnetpool_id, set()).add(row.id)
        elif isinstance(row, SubnetPool):
            if row.address_scope_id is not None:
                self.pools_in.setdefault(row.address_scope_id, set()).add(row.id)
        elif isinstance(row, Network):
            self.vnis[row.vni] = row.id
            for segment in row.segments:
                self.segments[segment.physical_network, segment.vlan] = row.id
        elif isinstance(row, ROUTING):
            self.routing.add(row)

    def _drop(self, row: Record) -> None:
        if isinstance(row, Port):
            self.ports_of.get(row.network_id, set()).discard(row.id)
            self.macs.pop((row.network_id, row.mac_address), None)
            for fixed in row.fixed_ips:
                self.held.get(fixed.subnet_id, {}).pop(number(fixed.ip_address), None)
            for group_id in row.security_groups:
                _discard(self.members, group_id, row.id)
        elif isinstance(row, SecurityGroupRule):
            _discard(self.rules_of, row.security_group_id, row.id)
            self.rule_ids.pop(rule_key(row), None)
            for remote in _remotes(row):
                _discard(self.rules_naming, remote, row.id)
        elif isinstance(row, SecurityGroup | AddressGroup):
            self.numbers.pop(row.number, None)
        elif isinstance(row, Subnet):
            self._subnets_of.get(row.network_id, {}).pop(row.id, None)
            self._ordered.pop(row.network_id, None)
            if row.subnetpool_id is not None:
                _discard(self.subnets_from, row.subnetpool_id, row.id)
            if row.id not in self.subnets:
                self._cursor.pop(row.id, None)
                self.held.pop(row.id, None)
        elif isinstance(row, SubnetPool):
            if row.address_scope_id is not None:
                _discard(self.pools_in, row.address_scope_id, row.id)
        elif isinstance(row, Network):
            self.vnis.pop(row.vni, None)
            for segment in row.segments:
                self.segments.pop((segment.physical_network, segment.vlan), None)
            if row.id not in self.networks:
                for index in (self.ports_of, self._subnets_of, self._ordered):
                    index.pop(row.id, None)
        elif isinstance(row, ROUTING):
            self.routing.drop(row)


def rule_key(rule: SecurityGroupRule) -> RuleKey:
    """What the rule says: two rules of one group with the same key are the same rule."""
    everywhere = rule.remote_ip_prefix in ("0.0.0.0/0", "::/0")
    return (
        rule.security_group_id,
        rule.direction,
        rule.ethertype,
        protocol_number(rule.protocol),
        rule.port_range_min,
        rule.port_range_max,
        None if everywhere else rule.remote_ip_prefix,
        rule.remote_group_id,
        rule.remote_address_group_id,
    )


def _remotes(rule: SecurityGroupRule) -> list[str]:
    return [id for id in (rule.remote_group_id, rule.remote_address_group_id) if id is not None]


def _discard(sets: dict[str, set[str]], key: str, id: str) -> None:
    found = sets.get(key, set())
    found.discard(id)
    if not found:
        sets.pop(key, None)


def number(address: str) -> int:
    return int(ipaddress.ip_address(address))


@lru_cache(maxsize=4096)
def pool_spans(pools: tuple[Pool, ...]) -> tuple[tuple[int, int], ...]:
    """(first, last) numbers of the pools, ascending."""
    return tuple(sorted((number(pool.start), number(pool.end)) for pool in pools))


def in_spans(spans: Iterable[tuple[int, int]], value: int) -> bool:
    return any(low <= value <= high for low, high in spans)
