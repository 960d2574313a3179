"""The rows and indexes of this project's view."""

from collections.abc import Iterator

import msgspec

from controller.model import Network, Port, Subnet
from controller.view.source import Index, Joined, Rows
from controller.view.view import View

CHUNK_BITS = 6
"""Ports of a network on a host are flooded to in chunks: OpenFlow port numbers that agree above these bits."""


class Peer(msgspec.Struct, frozen=True):
    """A host, as the others must know of it."""

    tunnel_ip: str


class Binding(msgspec.Struct, frozen=True):
    """Where a port's interface has appeared. ``ofport`` 0: the host has not said yet (it was read from the store)."""

    host: str
    ofport: int


class Location(msgspec.Struct, frozen=True):
    """A port that exists, is up, and has an interface."""

    network_id: str
    host: str
    ofport: int


def _locate(port: Port, binding: Binding) -> Location | None:
    return Location(port.network_id, binding.host, binding.ofport) if port.admin_state_up else None


ALWAYS: Rows[str, bool] = Rows("always")
"""One row, key "": what does not depend on anything."""
NETWORK: Rows[str, Network] = Rows("network")
SUBNET: Rows[str, Subnet] = Rows("subnet")
PORT: Rows[str, Port] = Rows("port")
HOST: Rows[str, Peer] = Rows("host")
BINDING: Rows[str, Binding] = Rows("binding")
TAG: Rows[tuple[str, str], int] = Rows("tag")
"""(host, network) -> local VLAN tag."""
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
SUBNETS_OF_NETWORK: Index[str, str] = Index("subnets of network", SUBNET, lambda id, row: [(row.network_id, id)])
OWNERS: Index[tuple[str, str], str] = Index(
    "owners of address",
    PORT,
    lambda id, row: [((row.network_id, fixed.ip_address), id) for fixed in row.fixed_ips],
)


def _chunk(port: str, where: Location) -> Iterator[tuple[tuple[str, str, int], int]]:
    if where.ofport:
        yield (where.host, where.network_id, where.ofport >> CHUNK_BITS), where.ofport


CHUNK: Index[tuple[str, str, int], int] = Index("chunk", LOCATION, _chunk)
"""(host, network, chunk) -> OpenFlow ports."""
CHUNKS: Index[tuple[str, str], int] = Index(
    "chunks", LOCATION, lambda port, where: [(key[:2], key[2]) for key, _ in _chunk(port, where)]
)
"""(host, network) -> its chunks."""

INDEXES = (HOSTS_OF_NETWORK, NETWORKS_ON_HOST, PORTS_AT, SUBNETS_OF_NETWORK, OWNERS, CHUNK, CHUNKS)


def network_view() -> View:
    return View([LOCATION], INDEXES)
