"""A port: where a device meets a network, with its addresses."""

from typing import Annotated, ClassVar

import msgspec

from controller.model.record import Column, Record
from controller.model.resource import Resource

ACTIVE, DOWN, ERROR = "ACTIVE", "DOWN", "ERROR"


class FixedIP(Record, frozen=True, kw_only=True):
    """An address that a port holds. A row of its own, so that the database keeps it unique in its subnet.

    Never changed: another address is another row. Goes when no port refers to it.
    """

    table: ClassVar[str] = "Fixed_IP"
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (("subnet_id", "ip_address"),)
    root: ClassVar[bool] = False

    subnet_id: Annotated[str, Column(refs="Subnet")]
    ip_address: str
    """Canonical text form (RFC 5952 for IPv6)."""


class DhcpOption(msgspec.Struct, frozen=True):
    """One of a port's ``extra_dhcp_opts``."""

    opt_name: str
    opt_value: str
    ip_version: int = 4


class AddressPair(msgspec.Struct, frozen=True):
    """An address that the port may also send from: one address or a prefix, and the MAC that goes with it."""

    ip_address: str
    mac_address: str


class Port(Resource, frozen=True, kw_only=True):
    table: ClassVar[str] = "Port"
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (("network_id", "mac_address"),)

    network_id: Annotated[str, Column(put=False, refs="Network")]
    mac_address: str
    """Lower case, colons."""
    fixed_ips: Annotated[tuple[FixedIP, ...], Column(refs="Fixed_IP")] = ()
    """The store gives them in the order of (IP version, address)."""
    admin_state_up: bool = True
    device_id: str = ""
    device_owner: str = ""
    extra_dhcp_opts: tuple[DhcpOption, ...] = ()
    port_security_enabled: Annotated[bool, Column(before=False)] = True
    """False: neither guard nor security groups; the port may send from any address. So it is with ports from before
    there were security groups: in none, they could reach nothing any more."""
    security_groups: Annotated[tuple[str, ...], Column(refs="Security_Group")] = ()
    allowed_address_pairs: tuple[AddressPair, ...] = ()
    vnic_type: Annotated[str, Column(api="binding:vnic_type")] = "normal"
    """Kept for whoever plugs the device in; every port is wired as a plain interface."""
    profile: Annotated[str, Column(api="binding:profile")] = "{}"
    """JSON text of an object that the hypervisor's side may keep here; nothing of ours reads it."""
    host_id: Annotated[str, Column(api="binding:host_id", fact=True)] = ""
    """The host where the port's interface appeared."""
    ofport: Annotated[int, Column(api="tunbridge:ofport", post=False, put=False, fact=True)] = 0
    """Its OpenFlow port on that host's br-int, as flows name it; 0: not known. Kept so that control, when it starts,
    compiles a host's flows once, before the host connects."""
    status: Annotated[str, Column(post=False, put=False, fact=True)] = DOWN
    """ACTIVE once the flows on the port's own host are confirmed by a barrier."""
    fault: Annotated[str, Column(api="tunbridge:fault", post=False, put=False, fact=True)] = ""
    """With status ERROR: what the switch said."""
