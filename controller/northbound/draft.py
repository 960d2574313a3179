"""A change being prepared: steps of one transaction, and what they have chosen."""

import ipaddress
import random
import uuid
from collections.abc import Hashable
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from controller.model import FixedIP, Network, Port, Record, SecurityGroupRule, Segment, Subnet, SubnetPool
from controller.model.network import VLAN_MAX, VNI_MAX
from controller.model.resource import Resource
from controller.model.router import NUMBER_MAX as ROUTER_NUMBER_MAX
from controller.model.security_group import NUMBER_MAX
from controller.northbound.faults import (
    InvalidInput,
    IpAddressAlreadyAllocated,
    IpAddressGenerationFailure,
    MacAddressInUse,
    NetworkNotFound,
    TunnelIdInUse,
)
from controller.northbound.index import DEFAULT_POOL, IP, MAC, NUMBER, ROUTER, SEGMENT, VNI, Index, RuleKey
from controller.northbound.provider_faults import FlatNetworkInUse, NoNetworkAvailable, VlanIdInUse
from controller.store import Delete, Insert, Step, Update

R = TypeVar("R", bound=Resource)
MAC_BASE = "fa:16:3e"
"""What the Networking API's generated MAC addresses start with."""


class Draft:
    """Use it as a context: leaving it gives back what was chosen, which by then is stored or not wanted."""

    def __init__(self, index: Index, *, now: str, attempt: int = 0) -> None:
        self.index = index
        self.now = now
        self.attempt = attempt
        self.rules: dict[RuleKey, SecurityGroupRule] = {}
        """The rules that were asked for, by what they say."""
        self._inserted: dict[str, Record] = {}
        self._changed: dict[str, tuple[Record, Record]] = {}
        self._deleted: dict[str, Record] = {}
        self._chosen: list[Hashable] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.index.taken.difference_update(self._chosen)

    # The steps

    def steps(self) -> list[Step]:
        inserts: list[Step] = [Insert(record) for record in self._inserted.values()]
        updates: list[Step] = [Update(old, new) for old, new in self._changed.values()]
        deletes: list[Step] = [Delete(record) for record in self._deleted.values()]
        return inserts + updates + deletes

    def insert(self, record: R) -> R:
        self._inserted[record.id] = record
        return record

    def inserts(self, id: str) -> bool:
        return id in self._inserted

    def inserted(self, kind: type[R]) -> list[R]:
        """The new records of one kind."""
        return [each for each in self._inserted.values() if isinstance(each, kind)]

    def change(self, record: R, **fields: Any) -> R:
        """The record with these fields and the next revision. Several changes of one record become one step."""
        old, current = self._changed.get(record.id, (record, record))
        fields |= {"revision_number": record.revision_number + 1, "updated_at": self.now}
        new: R = msgspec.structs.replace(current, **fields)  # type: ignore[assignment]
        self._changed[record.id] = old, new
        return new

    def delete(self, record: Record) -> None:
        self._deleted[record.id] = record

    def network(self, network_id: str) -> Network:
        found = self.index.networks.get(network_id)
        if found is None:
            raise NetworkNotFound(id=network_id)
        return found

    def subnets_of(self, network_id: str) -> list[Subnet]:
        """The network's subnets, those of this draft included."""
        new = [each for each in self._inserted.values() if isinstance(each, Subnet) and each.network_id == network_id]
        return [*self.index.subnets_of(network_id), *new]

    def subnets_from(self, pool_id: str) -> list[Subnet]:
        """The subnets that come from the pool, those of this draft included."""
        new = [each for each in self._inserted.values() if isinstance(each, Subnet) and each.subnetpool_id == pool_id]
        return [*(self.index.subnets[each] for each in self.index.subnets_from.get(pool_id, ())), *new]

    def pools_in(self, scope_id: str | None) -> list[SubnetPool]:
        """The pools of the address scope, those of this draft included."""
        pools = (each for each in self._inserted.values() if isinstance(each, SubnetPool))
        new = [each for each in pools if each.address_scope_id == scope_id]
        return [*(self.index.subnet_pools[each] for each in self.index.pools_in.get(scope_id or "", ())), *new]

    def ports_of(self, network_id: str) -> list[Port]:
        """The network's ports, as this draft leaves them."""
        ids = self.index.ports_of.get(network_id, ())
        return [self._changed.get(each, (None, self.index.ports[each]))[1] for each in ids]  # type: ignore[misc]

    # What has to be unique

    def _choose(self, key: Hashable) -> None:
        self.index.taken.add(key)
        self._chosen.append(key)

    def vni(self, wanted: int | None) -> int:
        if wanted is None:
            wanted = random.randint(1, VNI_MAX)
            while wanted in self.index.vnis or (VNI, wanted) in self.index.taken:
                wanted = wanted % VNI_MAX + 1
        elif wanted in self.index.vnis or (VNI, wanted) in self.index.taken:
            raise TunnelIdInUse(vni=wanted)
        self._choose((VNI, wanted))
        return wanted

    def segment(self, physical_network: str, vlan: int | None) -> Segment:
        """That VLAN of the physical network (0: what is untagged on it), or one that nobody has."""

        def is_taken(number: int) -> bool:
            key = physical_network, number
            return key in self.index.segments or (SEGMENT, *key) in self.index.taken

        if vlan is None:
            free = [number for number in range(1, VLAN_MAX + 1) if not is_taken(number)]
            if not free:
                raise NoNetworkAvailable
            vlan = random.choice(free)
        elif is_taken(vlan):
            if vlan == 0:
                raise FlatNetworkInUse(physical_network=physical_network)
            raise VlanIdInUse(vlan=vlan, physical_network=physical_network)
        self._choose((SEGMENT, physical_network, vlan))
        return Segment(id=new_id(), physical_network=physical_network, vlan=vlan)

    def default_pool(self, ip_version: int) -> None:
        """One subnet pool of each IP version is the default."""
        held = any(pool.is_default and pool.ip_version == ip_version for pool in self.index.subnet_pools.values())
        if held or (DEFAULT_POOL, ip_version) in self.index.taken:
            raise InvalidInput(
                "A default subnetpool for this IP family has already been set. Only one default may exist per IP family"
            )
        self._choose((DEFAULT_POOL, ip_version))

    def group_number(self, *, addresses: bool = False) -> int:
        """Of a new security group, or of a group of addresses, which have the top bit set."""
        top = NUMBER_MAX // 2 + 1 if addresses else 0
        number = top + random.randint(1, NUMBER_MAX // 2)
        while number in self.index.numbers or (NUMBER, number) in self.index.taken:
            number = top + random.randint(1, NUMBER_MAX // 2)
        self._choose((NUMBER, number))
        return number

    def router_number(self) -> int:
        number = random.randint(1, ROUTER_NUMBER_MAX)
        while number in self.index.routing.numbers or (ROUTER, number) in self.index.taken:
            number = random.randint(1, ROUTER_NUMBER_MAX)
        self._choose((ROUTER, number))
        return number

    def mac(self, network_id: str, wanted: str | None) -> str:
        if wanted is None:
            wanted = _random_mac()
            while (network_id, wanted) in self.index.macs or (MAC, network_id, wanted) in self.index.taken:
                wanted = _random_mac()
        elif (network_id, wanted) in self.index.macs or (MAC, network_id, wanted) in self.index.taken:
            raise MacAddressInUse(network_id=network_id, mac=wanted)
        self._choose((MAC, network_id, wanted))
        return wanted

    def address(self, subnet: Subnet, wanted: str) -> FixedIP:
        """That address of the subnet."""
        value = int(ipaddress.ip_address(wanted))
        if value in self.index.held.get(subnet.id, {}) or (IP, subnet.id, value) in self.index.taken:
            raise IpAddressAlreadyAllocated(ip=wanted, subnet_id=subnet.id)
        self._choose((IP, subnet.id, value))
        return FixedIP(id=new_id(), subnet_id=subnet.id, ip_address=wanted)

    def any_address(self, network_id: str, subnets: list[Subnet]) -> FixedIP:
        """A free address of the first of these subnets that has one."""
        for subnet in subnets:
            value = self.index.free_address(subnet, anywhere=self.attempt > 0)
            if value is not None:
                self._choose((IP, subnet.id, value))
                kind = ipaddress.IPv4Address if subnet.ip_version == 4 else ipaddress.IPv6Address
                return FixedIP(id=new_id(), subnet_id=subnet.id, ip_address=str(kind(value)))
        raise IpAddressGenerationFailure(id=network_id)


def new_id() -> str:
    return str(uuid.uuid4())


def _random_mac() -> str:
    low = random.getrandbits(24)
    return f"{MAC_BASE}:{low >> 16:02x}:{low >> 8 & 255:02x}:{low & 255:02x}"
