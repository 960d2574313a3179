"""Routers, and the addresses by which what is behind them is known outside."""

from typing import Annotated, ClassVar

from controller.model.record import FIXED, READ_ONLY, Column
from controller.model.resource import Resource
from controller.model.subnet import Route

NUMBER_MAX = (1 << 32) - 1
ACTIVE, DOWN, ERROR = "ACTIVE", "DOWN", "ERROR"
INTERFACE, GATEWAY, FLOATING_IP = "network:router_interface", "network:router_gateway", "network:floatingip"
"""Device owners of the ports that belong to routers and floating IPs."""
_FACT = Column(post=False, put=False, fact=True)


class Router(Resource, frozen=True, kw_only=True):
    """Its interfaces and its gateway are ports; their MAC and addresses are the router's own."""

    table: ClassVar[str] = "Router"
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (("number",),)

    number: Annotated[int, READ_ONLY]
    """1 to NUMBER_MAX: what flows call it."""
    admin_state_up: bool = True
    interfaces: Annotated[tuple[str, ...], Column(post=False, put=False, refs="Port")] = ()
    """Ports of device owner INTERFACE. Whoever adds one changes the router's revision: two that overlap can't both."""
    gateway_port_id: Annotated[str | None, Column(post=False, put=False, refs="Port")] = None
    """Port of device owner GATEWAY on the external network."""
    enable_snat: Annotated[bool, Column(post=False, put=False)] = True
    """False: what is behind the router is known outside by its own addresses."""
    routes: tuple[Route, ...] = ()
    distributed: bool = True
    """Kept as it was given: every router is distributed."""
    ha: bool = True
    """Kept as it was given: every router with a gateway has as many gateway hosts as there are, up to three."""
    status: Annotated[str, _FACT] = ACTIVE
    fault: Annotated[str, Column(api="tunbridge:fault", post=False, put=False, fact=True)] = ""
    """With status ERROR: what is missing."""
    gateways: Annotated[tuple[str, ...], Column(api="tunbridge:gateways", post=False, put=False, fact=True)] = ()
    """system-ids of its gateway hosts, the preferred one first. Kept, so that a host that joins moves no router."""


class FloatingIP(Resource, frozen=True, kw_only=True):
    """An external address that stands for one address of a port. A port of its own holds it (owner FLOATING_IP)."""

    table: ClassVar[str] = "Floating_IP"
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (("holder_id",),)

    floating_network_id: Annotated[str, Column(put=False, refs="Network")]
    holder_id: Annotated[str, Column(post=False, put=False, refs="Port")]
    """The port on the external network that has the address and the MAC."""
    floating_ip_address: Annotated[str, FIXED]
    port_id: Annotated[str | None, Column(refs="Port")] = None
    """The port that it stands for; None: it is not associated (forwardings may still use it)."""
    fixed_ip_address: str | None = None
    """The address of that port."""
    router_id: Annotated[str | None, Column(post=False, put=False, refs="Router")] = None
    """The router that translates."""
    status: Annotated[str, _FACT] = DOWN
    fault: Annotated[str, Column(api="tunbridge:fault", post=False, put=False, fact=True)] = ""


class PortForwarding(Resource, frozen=True, kw_only=True):
    """One port of a floating IP leads to one port of an internal address."""

    table: ClassVar[str] = "Port_Forwarding"
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (("floatingip_id", "protocol", "external_port"),)

    floatingip_id: Annotated[str, Column(put=False, refs="Floating_IP")]
    protocol: str
    """``tcp`` or ``udp``."""
    external_port: int
    internal_port_id: Annotated[str, Column(refs="Port")]
    internal_ip_address: str
    internal_port: int
