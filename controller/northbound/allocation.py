"""Subnets' prefixes that come from subnet pools."""

import ipaddress
from collections.abc import Iterable
from typing import Any

from controller.model import Subnet, SubnetPool
from controller.northbound.draft import Draft
from controller.northbound.faults import BadRequest, SubnetPoolNotFound
from controller.northbound.index import Index
from controller.northbound.pool_faults import (
    MaxPrefixSubnetAllocationError,
    MinPrefixSubnetAllocationError,
    NetworkAddressScopeAffinityError,
    NetworkSubnetPoolAffinityError,
    SubnetAllocationError,
    SubnetPoolQuotaExceeded,
)
from controller.northbound.prefixes import BITS, overlap, smallest_free, span, within

POOL, PREFIX_LENGTH, USE_DEFAULT = "subnetpool_id", "prefixlen", "use_default_subnetpool"
QUOTA_UNIT = {4: 1, 6: 1 << 64}
"""Addresses, by IP version: a quota counts IPv4 addresses, or IPv6 networks of length 64."""


def allocate(draft: Draft, given: dict[str, Any]) -> None:
    """Give the subnet that is asked for its pool and its prefix, where it is to come from a pool."""
    wanted_length, use_default = given.pop(PREFIX_LENGTH, None), given.pop(USE_DEFAULT, False)
    if "cidr" in given and wanted_length is not None:
        raise BadRequest("cidr and prefixlen must not be supplied together", resource="subnets")
    pool = _pool_for(draft, given, use_default=use_default)
    if pool is None and "cidr" not in given:
        raise BadRequest("a subnetpool must be specified in the absence of a cidr", resource="subnets")
    if pool is None:
        return
    if "allocation_pools" in given and "cidr" not in given:
        raise BadRequest("allocation_pools allowed only for specific subnet requests.", resource="subnets")
    version = given["ip_version"]
    if version != pool.ip_version:
        raise BadRequest(
            f"Cannot allocate IPv{version} subnet from IPv{pool.ip_version} subnet pool", resource="subnets"
        )
    given[POOL] = pool.id
    given["cidr"] = _prefix(draft, pool, given, wanted_length)
    # The pool's next revision makes two subnets from it, asked for at once anywhere, exclude each other.
    draft.change(pool)


def check_affinity(draft: Draft, subnet: Subnet) -> None:
    """A network's subnets of one IP version come from one pool, or from pools of one scope, or all from none."""
    others = [each for each in draft.subnets_of(subnet.network_id) if each.ip_version == subnet.ip_version]
    pool = draft.index.subnet_pools.get(subnet.subnetpool_id or "")
    if pool is None:
        if any(each.subnetpool_id is not None for each in others):
            raise NetworkSubnetPoolAffinityError
        return
    scope_id = scope_of(draft.index, others, subnet.ip_version)
    if scope_id is not None and pool.address_scope_id != scope_id:
        raise NetworkAddressScopeAffinityError
    if scope_id is None and any(each.subnetpool_id != pool.id for each in others):
        raise NetworkSubnetPoolAffinityError


def scope_of(index: Index, subnets: Iterable[Subnet], version: int) -> str | None:
    """The id of the address scope that one network's subnets are in."""
    for subnet in subnets:
        pool = index.subnet_pools.get(subnet.subnetpool_id or "")
        if subnet.ip_version == version and pool is not None and pool.address_scope_id is not None:
            return pool.address_scope_id
    return None


def _pool_for(draft: Draft, given: dict[str, Any], *, use_default: bool) -> SubnetPool | None:
    pool_id = given.get(POOL)
    if pool_id is not None and use_default:
        raise BadRequest("subnetpool_id and use_default_subnetpool cannot both be specified", resource="subnets")
    pools = draft.index.subnet_pools
    if pool_id is not None:
        if pool_id not in pools:
            raise SubnetPoolNotFound(id=pool_id)
        return pools[pool_id]
    if not use_default:
        return None
    version = ipaddress.ip_network(given["cidr"]).version if "cidr" in given else given["ip_version"]
    for pool in pools.values():
        if pool.is_default and pool.ip_version == version:
            return pool
    raise BadRequest(f"No default subnetpool found for IPv{version}", resource="subnets")


def _prefix(draft: Draft, pool: SubnetPool, given: dict[str, Any], wanted_length: int | None) -> str:
    """The prefix that was asked for, or one of the length that was asked for."""
    cidr: str | None = given.get("cidr")
    length = pool.default_prefixlen if wanted_length is None else wanted_length
    if cidr is not None:
        length = ipaddress.ip_network(cidr).prefixlen
    if length > pool.max_prefixlen:
        raise MaxPrefixSubnetAllocationError(length=length, bound=pool.max_prefixlen)
    if length < pool.min_prefixlen:
        raise MinPrefixSubnetAllocationError(length=length, bound=pool.min_prefixlen)
    gateway = given.get("gateway_ip")
    if cidr is None and gateway is not None and ipaddress.ip_address(gateway).version == pool.ip_version:
        cidr = str(ipaddress.ip_network(f"{gateway}/{length}", strict=False))
    subnets = draft.subnets_from(pool.id)
    _check_quota(pool, [each.cidr for each in subnets if each.project_id == given["project_id"]], length)
    taken = [each.cidr for each in subnets]
    if cidr is None:
        cidr = smallest_free(pool.prefixes, taken, length, pool.ip_version)
        if cidr is None:
            raise SubnetAllocationError(f"Insufficient prefix space to allocate subnet size /{length}")
    elif not within(cidr, pool.prefixes) or overlap([cidr], taken):
        raise SubnetAllocationError("Cannot allocate requested subnet from the available set of prefixes")
    return cidr


def _check_quota(pool: SubnetPool, held: Iterable[str], length: int) -> None:
    """A quota of 0 is none, as with the real service."""
    if not pool.default_quota:
        return
    used = sum(last - first + 1 for first, last in map(span, held))
    if used + (1 << BITS[pool.ip_version] - length) > pool.default_quota * QUOTA_UNIT[pool.ip_version]:
        raise SubnetPoolQuotaExceeded
