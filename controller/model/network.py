"""A network: one broadcast domain, carried between hosts under one VXLAN network identifier."""

from typing import Annotated, ClassVar

from controller.model.record import Column
from controller.model.resource import Resource

VNI_MAX = (1 << 24) - 1
"""RFC 7348: the VNI has 24 bits; 0 is left out."""
MTU_MAX = 1450
"""Bytes: 1500 less the 50 of VXLAN over IPv4 (RFC 7348)."""


class Network(Resource, frozen=True, kw_only=True):
    table: ClassVar[str] = "Network"
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (("vni",),)

    vni: Annotated[int, Column(api="provider:segmentation_id")]
    """1 to VNI_MAX; also the network's global key in flows. Never changes: an update may only name the one it has."""
    admin_state_up: bool = True
    shared: bool = False
    external: Annotated[bool, Column(api="router:external")] = False
    port_security_enabled: bool = True
    """What new ports get."""
    mtu: int = MTU_MAX
    """Largest IP packet, bytes."""
