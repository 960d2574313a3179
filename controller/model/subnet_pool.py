"""Where subnets' prefixes come from, and which of them are one address space."""

from typing import Annotated, ClassVar

from controller.model.record import FIXED, Column
from controller.model.resource import Resource


class AddressScope(Resource, frozen=True, kw_only=True):
    """Prefixes that do not overlap. Between subnets of one scope a router translates nothing."""

    table: ClassVar[str] = "Address_Scope"

    ip_version: Annotated[int, FIXED]
    shared: bool = False


class SubnetPool(Resource, frozen=True, kw_only=True):
    table: ClassVar[str] = "Subnet_Pool"

    prefixes: tuple[str, ...]
    """Canonical, joined where they touch."""
    ip_version: Annotated[int, Column(post=False, put=False)]
    min_prefixlen: int
    max_prefixlen: int
    default_prefixlen: int
    default_quota: int | None = None
    """Addresses (IPv6: /64 networks) that one project may take; None: any."""
    address_scope_id: Annotated[str | None, Column(refs="Address_Scope")] = None
    shared: bool = False
    is_default: bool = False
