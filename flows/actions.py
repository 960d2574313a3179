"""What a flow does with a packet, in order. No action: drop.

``gc=False`` here and in its neighbours: these records are many, live long and never form a cycle.
"""

from typing import Literal

import msgspec

from flows.fields import IN_PORT, PORT_LIMIT, PORT_LOCAL, REG, VLAN_PRESENT, VLAN_VID, Field
from flows.table import Table
from flows.value import packed_address, parse, show_address

BUNDLE_LIMIT = 2048
"""Ports in one NXAST_BUNDLE_LOAD (BUNDLE_MAX_MEMBERS)."""


def _is_register(field: Field) -> None:
    if field not in REG:
        raise ValueError(f"{field} is no 32-bit register")


class Set(msgspec.Struct, frozen=True, gc=False):
    """``Set(ETH_DST, "fa:16:3e:00:00:01")``, ``Set(FLAGS, 0x1, 0x1)``: only the mask's bits change.

    ``value`` and ``mask`` may be given as text; they are held as numbers, in canonical form (see value.parse).
    """

    field: Field
    value: int | str
    mask: int | str | None = None

    def __post_init__(self) -> None:
        field = self.field
        number, mask = parse(field, self.value if self.mask is None else (self.value, self.mask))
        if not field.writable:
            raise ValueError(f"{field} can't be set")
        if mask == 0:
            raise ValueError(f"{field}: set with a mask of 0")
        if field is VLAN_VID and (mask is not None or not number & VLAN_PRESENT):
            raise ValueError("vlan_vid is set with VLAN_PRESENT and without a mask; PopVlan takes the tag away")
        if field is IN_PORT and number >= PORT_LIMIT:
            raise ValueError("in_port can be set to a port, or to 0, which is none")
        if number is not self.value:
            msgspec.structs.force_setattr(self, "value", number)
        if mask is not self.mask:
            msgspec.structs.force_setattr(self, "mask", mask)

    @property
    def number(self) -> int:
        return self.value  # type: ignore[return-value]  # __post_init__ has made it one

    @property
    def bits(self) -> int | None:
        """The mask; None: the whole field."""
        return self.mask  # type: ignore[return-value]


class Move(msgspec.Struct, frozen=True, gc=False):
    """Copies ``bits`` bits (OFPAT_COPY_FIELD)."""

    src: Field
    dst: Field
    bits: int
    src_offset: int = 0
    dst_offset: int = 0

    def __post_init__(self) -> None:
        for field, offset in ((self.src, self.src_offset), (self.dst, self.dst_offset)):
            if self.bits < 1 or offset < 0 or offset + self.bits > field.span:
                raise ValueError(f"{field} has {field.span} bits: can't move {self.bits} from {offset} on")
        if not self.dst.writable:
            raise ValueError(f"{self.dst} can't be set")


class Output(msgspec.Struct, frozen=True, gc=False):
    """Out of a port; nothing happens when that is the port where the packet came in."""

    port: int

    def __post_init__(self) -> None:
        if not 0 < self.port < PORT_LIMIT and self.port != PORT_LOCAL:
            raise ValueError(f"{self.port:#x} is no OpenFlow port of Open vSwitch")


class OutputField(msgspec.Struct, frozen=True, gc=False):
    """Out of the port whose number stands in a 32-bit register (NXAST_OUTPUT_REG)."""

    field: Field

    def __post_init__(self) -> None:
        _is_register(self.field)


class InPort(msgspec.Struct, frozen=True, gc=False):
    """Back out of the port where it came in."""


class ToController(msgspec.Struct, frozen=True, gc=False):
    """To every connected controller, as a packet-in with this flow's cookie and the registers."""

    max_len: int = 0xFFFF
    """Bytes of the packet; 0xffff: all of it, and nothing is kept in the switch."""


class Resubmit(msgspec.Struct, frozen=True, gc=False):
    """Calls a table and comes back (NXAST_RESUBMIT_TABLE). What it changes in the packet stays changed."""

    table: Table


class Goto(msgspec.Struct, frozen=True, gc=False):
    """Goes on in a table, for good. Only last, only forward."""

    table: Table


class PushVlan(msgspec.Struct, frozen=True, gc=False):
    """A new 802.1Q tag, with VID 0."""


class PopVlan(msgspec.Struct, frozen=True, gc=False):
    """Takes the outer tag away."""


class Meter(msgspec.Struct, frozen=True, gc=False):
    """Drops what is above the meter's rate (OFPAT_METER of OpenFlow 1.5). Only first, as ovs-ofctl demands."""

    id: int


class Nat(msgspec.Struct, frozen=True, gc=False):
    """Within Ct (NXAST_NAT). ``Nat()``: as the connection has it already, in both directions.

    ``Nat("src", "203.0.113.5")``, ``Nat("dst", "10.0.0.7", 80)``: what the committed connection's source or destination
    becomes. The address is held in canonical text.
    """

    side: Literal["src", "dst", ""] = ""
    address: str = ""
    port: int = 0
    """0: stays what it is. If another connection has it, conntrack picks one, for a source."""

    def __post_init__(self) -> None:
        if self.side not in ("src", "dst", ""):
            raise ValueError(f"nat of {self.side!r}: only of src or dst")
        if bool(self.side) != bool(self.address):
            raise ValueError("nat has a side and an address, or neither")
        if not 0 <= self.port <= (0xFFFF if self.address else 0):
            raise ValueError(f"nat to {self.address or 'no address'}: {self.port} is no port for it")
        if not self.address:
            return
        packed = packed_address(self.address)
        if not any(packed):
            raise ValueError(f"nat to {self.address}, which is no host's address")
        if (canonical := show_address(packed)) != self.address:
            msgspec.structs.force_setattr(self, "address", canonical)

    @property
    def packed(self) -> bytes:
        """The address: 4 bytes, 16 bytes, or none."""
        return packed_address(self.address) if self.address else b""


class Ct(msgspec.Struct, frozen=True, gc=False):
    """Through conntrack, in a zone (NXAST_CT).

    With a table: the packet goes on there with its state, for good. With commit: the connection is remembered.
    Without a table, what follows matches the packet as it was before; it leaves translated.
    """

    zone: Field | int
    """A number, or a register in whose low 16 bits it stands."""
    table: Table | None = None
    commit: bool = False
    nat: Nat | None = None

    def __post_init__(self) -> None:
        if isinstance(self.zone, int) and not 0 <= self.zone <= 0xFFFF:
            raise ValueError(f"{self.zone} is no conntrack zone")
        if self.nat and self.nat.side and not self.commit:
            raise ValueError("nat to an address is for connections that are committed")


class CtClear(msgspec.Struct, frozen=True, gc=False):
    """Forgets what conntrack said of the packet: ct_state and the rest become 0 (NXAST_CT_CLEAR)."""


class DecTtl(msgspec.Struct, frozen=True, gc=False):
    """TTL or hop limit less one (OFPAT_DEC_NW_TTL). At 0 or 1 the rest of this flow is skipped.

    A table that has called this flow goes on nevertheless.
    """


class FirstLive(msgspec.Struct, frozen=True, gc=False):
    """Writes the first of ``ports`` that is live to a 32-bit register (NXAST_BUNDLE_LOAD, active_backup).

    Live: its link is up, and so is its BFD session if it has one. PORT_NONE when none is, to which OutputField drops.
    """

    field: Field
    ports: tuple[int, ...]

    def __post_init__(self) -> None:
        _is_register(self.field)
        if not 0 < len(self.ports) <= BUNDLE_LIMIT:
            raise ValueError(f"first of {len(self.ports)} ports: there can be 1 to {BUNDLE_LIMIT:,}")
        for port in self.ports:
            if not 0 < port < PORT_LIMIT:
                raise ValueError(f"{port:#x} is no OpenFlow port of Open vSwitch")


class Spread(msgspec.Struct, frozen=True, gc=False):
    """Writes a number from 0 to ``count`` - 1 to a 32-bit register (NXAST_MULTIPATH, hrw).

    The same for every packet of a connection, in both directions: a hash over IP addresses, and ports of TCP, UDP and
    SCTP. When the count changes, as few connections as can be get another number.
    """

    field: Field
    count: int

    def __post_init__(self) -> None:
        _is_register(self.field)
        if not 0 < self.count <= 0x10000:
            raise ValueError(f"can't spread over {self.count:,}")


class CheckLarger(msgspec.Struct, frozen=True, gc=False):
    """Sets a bit of a 32-bit register when the packet has more than ``size`` bytes, else clears it.

    NXAST_CHECK_PKT_LARGER. Bytes from the Ethernet header on, any VLAN tag included.
    """

    size: int
    field: Field
    bit: int

    def __post_init__(self) -> None:
        _is_register(self.field)
        if not 0 <= self.size <= 0xFFFF:
            raise ValueError(f"{self.size:,} bytes: no size of a packet")
        if not 0 <= self.bit < self.field.bits:
            raise ValueError(f"{self.field} has no bit {self.bit}")


class Normal(msgspec.Struct, frozen=True, gc=False):
    """As a learning switch would."""


Action = (
    Set
    | Move
    | Output
    | OutputField
    | InPort
    | ToController
    | Resubmit
    | Goto
    | PushVlan
    | PopVlan
    | Meter
    | Normal
    | Ct
    | CtClear
    | DecTtl
    | FirstLive
    | Spread
    | CheckLarger
)
