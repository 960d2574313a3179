"""A network: one broadcast domain, carried between hosts by VXLAN or by a physical network."""

from typing import Annotated, ClassVar

from controller.model.record import READ_ONLY, Column, Record
from controller.model.resource import Resource

VNI_MAX = (1 << 24) - 1
"""RFC 7348: the VNI has 24 bits; 0 is left out."""
VLAN_MAX = 4094
"""IEEE 802.1Q: 0 and 4095 are no VLANs."""
MTU_MAX = 1450
"""Bytes: 1500 less the 50 of VXLAN over IPv4 (RFC 7348)."""
PHYSICAL_MTU = 1500
"""Bytes: what a network on a physical network has where nothing else is asked for."""


class Segment(Record, frozen=True, kw_only=True):
    """A piece of a physical network: all that is untagged on it, or one VLAN. A row of its own, so that the database
    gives it to one network only."""

    table: ClassVar[str] = "Segment"
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (("physical_network", "vlan"),)
    root: ClassVar[bool] = False

    physical_network: str
    vlan: int
    """1 to 4094; 0: untagged (a flat network)."""


class Network(Resource, frozen=True, kw_only=True):
    table: ClassVar[str] = "Network"
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (("vni",),)

    vni: Annotated[int, READ_ONLY]
    """1 to VNI_MAX: the network's global key in flows. On the wire where it has no segment. Never changes."""
    segments: Annotated[tuple[Segment, ...], Column(post=False, put=False, refs="Segment")] = ()
    """At most one. None: a VXLAN network."""
    admin_state_up: bool = True
    shared: bool = False
    external: Annotated[bool, Column(api="router:external")] = False
    port_security_enabled: bool = True
    """What new ports get."""
    mtu: int = MTU_MAX
    """Largest IP packet, bytes."""

    @property
    def segment(self) -> Segment | None:
        return self.segments[0] if self.segments else None
