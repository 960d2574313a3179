"""A host: a machine with an Open vSwitch that has joined, as far as others must know of it."""

from typing import Annotated, ClassVar

from controller.model.record import READ_ONLY, Record


class Host(Record, frozen=True, kw_only=True):
    """Written by control alone. Kept when the host is away, so that its peers' flows survive a restart of control."""

    table: ClassVar[str] = "Host"
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (("name",),)

    name: Annotated[str, READ_ONLY]
    """``external_ids:system-id`` of its Open vSwitch."""
    hostname: Annotated[str, READ_ONLY] = ""
    """``external_ids:hostname``; what ``binding:host_id`` and agents call it, where no other host has the same."""
    tunnel_ip: Annotated[str, READ_ONLY] = ""
    """Where its VXLAN packets come from and go to."""
    bridge_mappings: Annotated[tuple[tuple[str, str], ...], READ_ONLY] = ()
    """(physical network, bridge) pairs."""
    uplinks: Annotated[tuple[tuple[str, int], ...], READ_ONLY] = ()
    """(physical network, OpenFlow port of br-int that leads to its bridge), of those that the host reaches: the bridge
    has a port of the host's own that is up."""
    gateway: Annotated[bool, READ_ONLY] = False
    """It asks to be a gateway (``external_ids:ovn-cms-options`` has enable-chassis-as-gw)."""
    version: Annotated[str, READ_ONLY] = ""
    """Open vSwitch's own version."""
    alive: Annotated[bool, READ_ONLY] = False
    """Its OVSDB session and both OpenFlow channels are up."""
    problem: Annotated[str, READ_ONLY] = ""
    """Why it is not served, in words for an operator."""
    certificate: Annotated[str, READ_ONLY] = ""
    """SHA-256, in hex, of the certificate that was registered for it; "" where its name in the certificate counts."""
    joined_at: Annotated[str, READ_ONLY] = ""
    seen_at: Annotated[str, READ_ONLY] = ""
    """RFC 3339: when `alive` last changed."""
