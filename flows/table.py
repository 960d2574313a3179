"""A table of a bridge, and what its flows may do."""

import msgspec

from flows.fields import Field


class Table(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Declared once, in tables.py. Compared by identity. Flows are held to the declaration by flow.check."""

    bridge: str
    number: int
    name: str
    does: str
    matches: tuple[Field, ...] = ()
    reads: tuple[Field, ...] = ()
    """What its actions copy from or output to."""
    writes: tuple[Field, ...] = ()
    goto: tuple[str, ...] = ()
    """Names of the tables where its flows go on."""
    calls: tuple[str, ...] = ()
    """Names of the tables that its flows resubmit to."""
    outputs: str = ""
    """Where its flows send packets out, in words; empty: nowhere."""
    drops: str = ""
    """Why its flows without actions drop, in words; empty: it has none, or they drop nothing that is missed."""

    def __repr__(self) -> str:
        return f"{self.bridge}/{self.name}"
