"""The rows and indexes of this project's view."""

from collections.abc import Iterator
from typing import Any

import msgspec

from controller.model import (
    AddressGroup,
    FloatingIP,
    Network,
    Port,
    PortForwarding,
    Record,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    SubnetPool,
)
from controller.view.source import Index, Joined, Rows

CHUNK_BITS = 6
"""Ports of a network on a host are flooded to in chunks: OpenFlow port numbers that agree above these bits."""


class Peer(msgspec.Struct, frozen=True):
    """A host, as the others must know of it."""

    tunnel_ip: str
    uplinks: tuple[tuple[str, int], ...] = ()
    """(physical network, OpenFlow port of br-int that leads there)."""
    gateway: bool = False
    """It asks to be a gateway."""

    def uplink(self, network: Network) -> int | None:
        """The OpenFlow port that leads to an external network."""
        return dict(self.uplinks).get(network.segment.physical_network) if network.segment else None


class Binding(msgspec.Struct, frozen=True):
    """Where a port's interface has appeared. ``ofport`` 0: not known (a store of before schema 1.4)."""

    host: str
    ofport: int


SetKey = str
"""A set of security groups: their ids in order, joined by commas; TRUSTED: no port security at all."""
TRUSTED: SetKey = "trusted"


class Location(msgspec.Struct, frozen=True):
    """A port that exists, is up, and has an interface."""

    network_id: str
    host: str
    ofport: int
    set: SetKey


def set_of(port: Port) -> SetKey:
    """Ports of the network itself (routers, servers) are trusted whatever they say, as in the real service."""
    if not port.port_security_enabled or port.device_owner.startswith("network:"):
        return TRUSTED
    return ",".join(sorted(port.security_groups))


def _locate(port: Port, binding: Binding) -> Location | None:
    return Location(port.network_id, binding.host, binding.ofport, set_of(port)) if port.admin_state_up else None


def essence(row: Record) -> Record:
    """What units may read of a resource: all but its bookkeeping. A group's revision goes up with each of its rules, a
    network's with each of its subnets, a router lists its interfaces; that alone must wake nobody."""
    kept = {"interfaces": ()} if isinstance(row, Router) else {}
    return msgspec.structs.replace(
        row, created_at="", updated_at="", revision_number=0, description="", tags=(), **kept
    )


ALWAYS: Rows[str, bool] = Rows("always")
"""One row, key "": what does not depend on anything."""
NETWORK: Rows[str, Network] = Rows("network")
SUBNET: Rows[str, Subnet] = Rows("subnet")
PORT: Rows[str, Port] = Rows("port")
GROUP: Rows[str, SecurityGroup] = Rows("security group")
RULE: Rows[str, SecurityGroupRule] = Rows("security group rule")
ADDRESS_GROUP: Rows[str, AddressGroup] = Rows("address group")
HOST: Rows[str, Peer] = Rows("host")
BINDING: Rows[str, Binding] = Rows("binding")
TAG: Rows[tuple[str, str], int] = Rows("tag")
"""(host, network) -> local VLAN tag."""
SUBNET_POOL: Rows[str, SubnetPool] = Rows("subnet pool")
ROUTER: Rows[str, Router] = Rows("router")
FLOATING_IP: Rows[str, FloatingIP] = Rows("floating IP")
FORWARDING: Rows[str, PortForwarding] = Rows("port forwarding")
LEARNED: Rows[tuple[str, str], str] = Rows("learned neighbour")
"""(network, address) -> MAC, as answers have told."""
ZONE: Rows[tuple[str, str], int] = Rows("zone")
"""(host, floating IP or router) -> conntrack zone of its external address there."""
PEER: Rows[tuple[str, str], int] = Rows("peer")
"""(host, other host) -> OpenFlow port of the BFD session between them."""
MET: Rows[tuple[str, str], bool] = Rows("met")
"""(host, other host) -> BFD has reached it at some time."""
AWAY: Rows[str, bool] = Rows("away")
"""Hosts that are not served."""
BUSY: Rows[str, int] = Rows("busy")
"""Hosts that come back as gateways -> how far they are."""
EMPTY = 1
"""It lacks flows, or BFD has not found all that hand over to it: it comes last."""
ALONE = 2
"""It knows its place. The others do not send it anything yet."""
TAKING = 3
"""What goes out goes there. Another gateway still takes what comes in, since the outside is just being told."""
LOCATION: Joined[str, Location] = Joined("location", PORT, BINDING, _locate)

HOSTS_OF_NETWORK: Index[str, str] = Index(
    "hosts of network", LOCATION, lambda _, where: [(where.network_id, where.host)]
)
NETWORKS_ON_HOST: Index[str, str] = Index(
    "networks on host", LOCATION, lambda _, where: [(where.host, where.network_id)]
)
PORTS_AT: Index[tuple[str, int], str] = Index(
    "ports at", LOCATION, lambda port, where: [((where.host, where.ofport), port)]
)
PORTS_HERE: Index[tuple[str, str], str] = Index(
    "ports here", LOCATION, lambda port, where: [((where.host, where.network_id), port)]
)
"""(host, network) -> ports."""
SUBNETS_OF_NETWORK: Index[str, str] = Index("subnets of network", SUBNET, lambda id, row: [(row.network_id, id)])
OWNERS: Index[tuple[str, str], str] = Index(
    "owners of address",
    PORT,
    lambda id, row: [((row.network_id, fixed.ip_address), id) for fixed in row.fixed_ips],
)


ChunkKey = tuple[str, str, SetKey, int]


def _chunk(port: str, where: Location) -> Iterator[tuple[ChunkKey, int]]:
    if where.ofport:
        yield (where.host, where.network_id, where.set, where.ofport >> CHUNK_BITS), where.ofport


CHUNK: Index[ChunkKey, int] = Index("chunk", LOCATION, _chunk)
"""(host, network, set, chunk) -> OpenFlow ports."""
CHUNKS: Index[tuple[str, str, SetKey], int] = Index(
    "chunks", LOCATION, lambda port, where: [(key[:3], key[3]) for key, _ in _chunk(port, where)]
)
"""(host, network, set) -> its chunks."""
SETS_HERE: Index[tuple[str, str], SetKey] = Index(
    "sets here", LOCATION, lambda port, where: [(key[:2], key[2]) for key, _ in _chunk(port, where)]
)
"""(host, network) -> the sets of its ports there."""
SETS_ON_HOST: Index[str, SetKey] = Index("sets on host", LOCATION, lambda _, where: [(where.host, where.set)])
HOSTS_OF_SET: Index[SetKey, str] = Index("hosts of set", LOCATION, lambda _, where: [(where.set, where.host)])
PORTS_OF_SET: Index[tuple[str, SetKey], str] = Index(
    "ports of set", LOCATION, lambda port, where: [((where.host, where.set), port)]
)
"""(host, set) -> ports."""

RULES_OF_GROUP: Index[str, str] = Index("rules of group", RULE, lambda id, rule: [(rule.security_group_id, id)])


def remote_of(rule: SecurityGroupRule) -> str | None:
    """The security group or address group that a rule names as its other side."""
    return rule.remote_group_id or rule.remote_address_group_id


REMOTES_OF_GROUP: Index[str, str] = Index(
    "remotes of group", RULE, lambda _, rule: [(rule.security_group_id, remote)] if (remote := remote_of(rule)) else []
)
"""Group -> the groups that its rules name."""
USERS_OF_REMOTE: Index[str, str] = Index(
    "users of remote", RULE, lambda id, rule: [(remote, id)] if (remote := remote_of(rule)) else []
)
"""Group -> the rules that name it."""


def _members(id: str, port: Port) -> Iterator[tuple[tuple[str, str], str]]:
    for group in port.security_groups:
        for address in [*(a.ip_address for a in port.fixed_ips), *(p.ip_address for p in port.allowed_address_pairs)]:
            yield (group, address), id


MEMBER: Index[tuple[str, str], str] = Index("member", PORT, _members)
"""(group, address or prefix) -> the ports that have it."""

FLOATING_IPS_OF_PORT: Index[str, str] = Index(
    "floating IPs of port", FLOATING_IP, lambda id, row: [(row.port_id, id)] if row.port_id else []
)
FORWARDINGS_OF_FLOATING_IP: Index[str, str] = Index(
    "forwardings of floating IP", FORWARDING, lambda id, row: [(row.floatingip_id, id)]
)
LEARNED_ON_NETWORK: Index[str, str] = Index("learned on network", LEARNED, lambda key, _: [key])
"""Network -> addresses."""

INDEXES: tuple[Index[Any, Any], ...] = (
    HOSTS_OF_NETWORK,
    NETWORKS_ON_HOST,
    PORTS_AT,
    PORTS_HERE,
    SUBNETS_OF_NETWORK,
    OWNERS,
    CHUNK,
    CHUNKS,
    SETS_HERE,
    SETS_ON_HOST,
    HOSTS_OF_SET,
    PORTS_OF_SET,
    RULES_OF_GROUP,
    REMOTES_OF_GROUP,
    USERS_OF_REMOTE,
    MEMBER,
    FLOATING_IPS_OF_PORT,
    FORWARDINGS_OF_FLOATING_IP,
    LEARNED_ON_NETWORK,
)
