"""What a flow does with a packet, in order. No action: drop.

``gc=False`` here and in its neighbours: these records are many, live long and never form a cycle.
"""

import msgspec

from flows.fields import IN_PORT, PORT_LIMIT, PORT_LOCAL, REG, VLAN_PRESENT, VLAN_VID, Field
from flows.table import Table
from flows.value import parse


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
        if self.field not in REG:
            raise ValueError(f"{self.field} is no 32-bit register")


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


class Ct(msgspec.Struct, frozen=True, gc=False):
    """Through conntrack, in the zone that stands in the low 16 bits of a register (NXAST_CT).

    With a table: the packet goes on there with its state, for good. With commit: the connection is remembered.
    """

    zone: Field
    table: Table | None = None
    commit: bool = False


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
)
