"""What packets a flow is for."""

from collections.abc import Mapping
from typing import Any

from flows.fields import FIRST_REGISTER, LAST_REGISTER, Field
from flows.value import Value, hexadecimal, parse

Item = tuple[Field, int, int | None]
"""(field, value, mask); mask None: every bit."""


def _order(item: Item) -> int:
    return item[0].order


class Match:
    """``Match({IN_PORT: 5, IPV4_DST: "10.0.0.0/24", ETH_TYPE: 0x0800, FLAGS: (0x1, 0x1)})``. Immutable, hashable.

    ``items`` is canonical, so that two matches for the same packets are equal however they were written: full masks
    vanish, value bits outside the mask are 0, fields whose mask is 0 are left out, registers of any width are held as
    64-bit ones, in Open vSwitch's own order. It is also what OpenFlow 1.5 returns from a switch.

    ValueError when a value does not fit its field, when two values contradict each other, or when a prerequisite of a
    field is missing (say UDP_DST without IP_PROTO 17).
    """

    __slots__ = ("_hash", "items")

    items: tuple[Item, ...]

    def __init__(self, fields: Mapping[Field, Value]) -> None:
        items: list[Item] = []
        registers: dict[Field, tuple[int, int]] | None = None
        needs = False
        for field, given in fields.items():
            value, mask = parse(field, given)
            if mask == 0:
                continue
            if FIRST_REGISTER <= field.order <= LAST_REGISTER:
                registers = {} if registers is None else registers
                _lay(registers, field, value, field.mask if mask is None else mask)
            else:
                items.append((field, value, mask))
                needs = needs or field.needs != ()
        if registers is not None:
            for base, (value, bits) in registers.items():
                items.append((base, value, None if bits == base.mask else bits))
        if len(items) > 1:
            items.sort(key=_order)
        self.items = tuple(items)
        self._hash = hash(self.items)
        if needs:
            for field, _, _ in items:
                if field.needs:
                    self._check(field)

    def _check(self, field: Field) -> None:
        for need in field.needs:
            for other, value, mask in self.items:
                if other is need.field:
                    met = mask is None or mask & need.mask == need.mask
                    met = met and value & need.mask in need.values
                    break
            else:
                met = need.or_absent
            if not met:
                wanted = " or ".join(hexadecimal(value) for value in sorted(need.values))
                raise ValueError(f"a match on {field} needs {need.field} {wanted}: {self!r}")

    def get(self, field: Field) -> tuple[int, int] | None:
        """(value, mask) of a field, of a register of any width; None when no bit of it is matched."""
        value = mask = 0
        for base, start, source, window in field.pieces or ((field, 0, 0, field.mask),):
            for other, number, bits_matched in self.items:
                if other is base:
                    value |= (number >> start & window) << source
                    mask |= ((base.mask if bits_matched is None else bits_matched) >> start & window) << source
        return (value, mask) if mask else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Match) and self._hash == other._hash and self.items == other.items

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        shown = (f"{f}={value:#x}" if mask is None else f"{f}={value:#x}/{mask:#x}" for f, value, mask in self.items)
        return f"Match({', '.join(shown)})"

    def __reduce__(self) -> Any:
        raise TypeError("a Match is not pickled: fields are compared by identity")


def _lay(registers: dict[Field, tuple[int, int]], field: Field, value: int, mask: int) -> None:
    """Put a register's bits where they lie in the 64-bit ones."""
    for base, start, source, window in field.pieces or ((field, 0, 0, field.mask),):
        bits = (mask >> source & window) << start
        if bits:
            new = (value >> source & window) << start
            old, known = registers.get(base, (0, 0))
            if (old ^ new) & known & bits:
                raise ValueError(f"two values for the same bits of {base}")
            registers[base] = old | new, known | bits
