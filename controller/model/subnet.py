"""A subnet: a range of addresses on a network, and what DHCP says of it."""

from typing import Annotated, ClassVar

import msgspec

from controller.model.record import FIXED, Column
from controller.model.resource import Resource


class Pool(msgspec.Struct, frozen=True):
    """First and last address that may be given out, both included."""

    start: str
    end: str


class Route(msgspec.Struct, frozen=True):
    """A static route for hosts on the subnet (RFC 3442)."""

    destination: str
    nexthop: str


class Subnet(Resource, frozen=True, kw_only=True):
    table: ClassVar[str] = "Subnet"

    network_id: Annotated[str, Column(put=False, refs="Network")]
    cidr: Annotated[str, FIXED]
    """Canonical: no host bits."""
    ip_version: Annotated[int, FIXED]
    gateway_ip: str | None = None
    allocation_pools: tuple[Pool, ...] = ()
    dns_nameservers: tuple[str, ...] = ()
    host_routes: tuple[Route, ...] = ()
    enable_dhcp: bool = True
    ipv6_ra_mode: Annotated[str | None, FIXED] = None
    ipv6_address_mode: Annotated[str | None, FIXED] = None
    subnetpool_id: Annotated[str | None, Column(put=False, refs="Subnet_Pool")] = None
