"""Subnet pools: where subnets' prefixes come from, and what may be asked of them."""

import ipaddress
from typing import Any

import msgspec

from controller.model import AddressScope, SubnetPool
from controller.northbound import values
from controller.northbound.attributes import Attribute, Rule, attributes
from controller.northbound.collection import Collection
from controller.northbound.draft import Draft, new_id
from controller.northbound.faults import SubnetPoolNotFound
from controller.northbound.index import Index
from controller.northbound.pool_faults import (
    AddressScopeNotFound,
    AddressScopePrefixConflict,
    EmptySubnetPoolPrefixList,
    IllegalSubnetPoolIpVersionAssociationToAddressScope,
    IllegalSubnetPoolPrefixBounds,
    IllegalSubnetPoolPrefixUpdate,
    NetworkAddressScopeAffinityError,
    PrefixVersionMismatch,
    SubnetPoolDeleteError,
)
from controller.northbound.prefixes import BITS, joined, overlap, within

MIN_LENGTH = {4: 8, 6: 64}
"""Bits of the largest subnet, by IP version, where nothing else is asked for."""
MIN, MAX, DEFAULT = "min_prefixlen", "max_prefixlen", "default_prefixlen"


class SubnetPools(Collection[SubnetPool]):
    name = "subnetpool"
    plural = "subnetpools"
    kind = SubnetPool
    missing = SubnetPoolNotFound

    def __init__(self, index: Index) -> None:
        super().__init__(index.subnet_pools, subnet_pool_attributes())

    def create(self, draft: Draft, given: dict[str, Any]) -> SubnetPool:
        fields = self.fields(given)
        version = _version(fields["prefixes"])
        fields["prefixes"] = joined(fields["prefixes"])
        fields.setdefault(MIN, MIN_LENGTH[version])
        fields.setdefault(MAX, BITS[version])
        fields.setdefault(DEFAULT, fields[MIN])
        pool = SubnetPool(id=new_id(), ip_version=version, created_at=draft.now, updated_at=draft.now, **fields)
        _check_bounds(pool)
        if pool.is_default:
            draft.default_pool(version)
        if pool.address_scope_id is not None:
            draft.change(_scope_for(draft, pool))
            _check_conflict(draft, pool)
        return draft.insert(pool)

    def update(self, draft: Draft, old: SubnetPool, given: dict[str, Any]) -> SubnetPool:
        fields = self.fields(given)
        if "prefixes" in fields:
            fields["prefixes"] = _grown(old, fields["prefixes"])
        new = msgspec.structs.replace(old, **fields)
        _check_bounds(new)
        if new.is_default and not old.is_default:
            draft.default_pool(new.ip_version)
        moves = new.address_scope_id != old.address_scope_id
        scope = _scope_for(draft, new) if new.address_scope_id is not None else None
        if moves:
            _move_networks(draft, old)
        if scope is not None and (moves or new.prefixes != old.prefixes):
            # The scope's next revision makes two pools that overlap, asked for at once anywhere, exclude each other.
            draft.change(scope)
            _check_conflict(draft, new)
        return self.changed(draft, old, fields)

    def delete(self, draft: Draft, old: SubnetPool) -> None:
        if draft.index.subnets_from.get(old.id):
            raise SubnetPoolDeleteError("Subnet pool has existing allocations")
        draft.delete(old)


def subnet_pool_attributes() -> dict[str, Attribute]:
    length = Rule(values.non_negative, required=False, matches=values.integer)
    rules = {
        "name": Rule(_name, required=True),
        "prefixes": Rule(_prefixes, filter=False, sort=False, put=True),
        "ip_version": Rule(matches=values.integer),
        MIN: length,
        MAX: length,
        DEFAULT: length,
        "default_quota": Rule(values.non_negative, matches=values.integer),
        "address_scope_id": Rule(values.identifier_or_none),
        "shared": Rule(values.boolean, matches=values.boolean, put=False),
        "is_default": Rule(values.boolean, matches=values.boolean),
    }
    return attributes(SubnetPool, rules)


def _name(value: Any) -> str:
    given = values.short_text(value)
    if not given.strip():
        raise values.Reason(f"'{given}' Blank strings are not permitted")
    return values.name(given)


def _prefixes(value: Any) -> tuple[str, ...]:
    return tuple(map(values.prefix, values.different(value)))


def _version(prefixes: tuple[str, ...]) -> int:
    if not prefixes:
        raise EmptySubnetPoolPrefixList
    versions = {ipaddress.ip_network(each).version for each in prefixes}
    if len(versions) > 1:
        raise PrefixVersionMismatch
    return versions.pop()


def _grown(old: SubnetPool, prefixes: tuple[str, ...]) -> tuple[str, ...]:
    """The new prefixes, joined: all that the pool has, and more."""
    same = joined(each for each in prefixes if ipaddress.ip_network(each).version == old.ip_version)
    if not all(within(each, same) for each in old.prefixes):
        raise IllegalSubnetPoolPrefixUpdate("Existing prefixes must be a subset of the new prefixes")
    _version(prefixes)
    return same


def _check_bounds(pool: SubnetPool) -> None:
    def ordered(name: str, length: int, base: str, base_length: int, *, right: bool) -> None:
        if not right:
            raise IllegalSubnetPoolPrefixBounds(bound=name, length=length, base=base, base_length=base_length)

    low, high, usual, bits = pool.min_prefixlen, pool.max_prefixlen, pool.default_prefixlen, BITS[pool.ip_version]
    ordered(MIN, low, MAX, high, right=low <= high)
    ordered(MAX, high, "ip_version_max", bits, right=high <= bits)
    ordered(DEFAULT, usual, MIN, low, right=usual >= low)
    ordered(DEFAULT, usual, MAX, high, right=usual <= high)


def _scope_for(draft: Draft, pool: SubnetPool) -> AddressScope:
    scope = draft.index.address_scopes.get(pool.address_scope_id or "")
    if scope is None:
        raise AddressScopeNotFound(id=pool.address_scope_id)
    if scope.ip_version != pool.ip_version:
        raise IllegalSubnetPoolIpVersionAssociationToAddressScope(
            id=pool.id, scope_id=scope.id, ip_version=scope.ip_version
        )
    return scope


def _check_conflict(draft: Draft, pool: SubnetPool) -> None:
    """Pools of one scope do not overlap."""
    for other in draft.pools_in(pool.address_scope_id):
        if other.id != pool.id and overlap(pool.prefixes, other.prefixes):
            raise AddressScopePrefixConflict


def _move_networks(draft: Draft, pool: SubnetPool) -> None:
    """The networks of the pool's subnets go from one scope to another with it, if they have no subnets from elsewhere.

    Each of them gets its next revision: it shows another scope, and meanwhile nobody may add a subnet of the old one.
    """
    subnets = draft.index.subnets
    for network_id in {subnets[each].network_id for each in draft.index.subnets_from.get(pool.id, ())}:
        for subnet in draft.subnets_of(network_id):
            if subnet.ip_version == pool.ip_version and subnet.subnetpool_id != pool.id:
                raise NetworkAddressScopeAffinityError
        draft.change(draft.network(network_id))
