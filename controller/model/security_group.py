"""Security groups: what may reach a port and what may leave it, by the groups that the port is in."""

from typing import Annotated, ClassVar, Literal

from controller.model.record import READ_ONLY, Column
from controller.model.resource import Resource

NUMBER_MAX = (1 << 32) - 1

INGRESS: Literal["ingress"] = "ingress"
EGRESS: Literal["egress"] = "egress"


class SecurityGroup(Resource, frozen=True, kw_only=True):
    """The group named ``default`` of a project has an id that follows from the project's, so that there is one."""

    table: ClassVar[str] = "Security_Group"
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (("number",),)

    number: Annotated[int, READ_ONLY]
    """1 to NUMBER_MAX: what flows call it where it is the remote group of a rule. Shared with address groups."""
    stateful: bool = True


class SecurityGroupRule(Resource, frozen=True, kw_only=True):
    """One thing that is allowed. A rule is never changed."""

    table: ClassVar[str] = "Security_Group_Rule"

    security_group_id: Annotated[str, Column(put=False, refs="Security_Group")]
    direction: Annotated[str, Column(put=False)]
    """``ingress`` or ``egress``, as the port sees it."""
    ethertype: Annotated[str, Column(put=False)] = "IPv4"
    """``IPv4`` or ``IPv6``."""
    protocol: Annotated[str | None, Column(put=False)] = None
    """A name or number as it was given; None: any."""
    port_range_min: Annotated[int | None, Column(put=False)] = None
    """First port; for ICMP the type."""
    port_range_max: Annotated[int | None, Column(put=False)] = None
    """Last port; for ICMP the code."""
    remote_ip_prefix: Annotated[str | None, Column(put=False)] = None
    """Canonical. At most one of the three remotes is given."""
    remote_group_id: Annotated[str | None, Column(put=False, refs="Security_Group")] = None
    remote_address_group_id: Annotated[str | None, Column(put=False, refs="Address_Group")] = None


class AddressGroup(Resource, frozen=True, kw_only=True):
    """Prefixes under one name, for rules."""

    table: ClassVar[str] = "Address_Group"
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (("number",),)

    number: Annotated[int, READ_ONLY]
    """As of a security group, and no security group's: address groups have the top bit set."""
    addresses: tuple[str, ...] = ()
    """Canonical prefixes of either family."""
