"""Records to rows and back."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, Generic

import msgspec

from controller.model.record import R, Record, columns
from controller.ovsdb.value import decoder
from controller.store.schema import Shape, shapes

_EMPTY: list[Any] = ["set", []]
_INTEGERS = range(-(1 << 63), 1 << 63)


class RowType(Generic[R]):
    """How records of one kind are stored."""

    def __init__(self, kind: type[R], *, facts: bool = True) -> None:
        self.kind = kind
        self.table = kind.table
        self.shapes = shapes(kind)
        self.watched = tuple(
            name for name, (_, column) in columns(kind).items() if name != "id" and (facts or not column.fact)
        )
        """The columns that the replica holds."""
        self.children = {name: shape.child for name, shape in self.shapes.items() if shape.child is not None}
        """Field -> kind of the records that it holds, each a row of its own."""
        self.guarded = "revision_number" in self.shapes
        self.decoders = {name: decoder(shape.type()) for name, shape in self.shapes.items()}
        """Of the <value>s of the columns."""
        self._readers = {name: reader for name, shape in self.shapes.items() if (reader := _reader(shape)) is not None}

    def record(self, id: str, row: Mapping[str, Any], children: Callable[[type[Record], str], Record | None]) -> R:
        """A record of a replica's row; columns that the row lacks get the field's default.

        Raises msgspec.DecodeError (or its ValidationError) for JSON that is not of the field's type.
        """
        values = self.values(id, row)
        for name, child in self.children.items():
            if name in values:
                found = [record for each in values[name] if (record := children(child, each)) is not None]
                values[name] = tuple(sorted(found, key=_order) if len(found) > 1 else found)
        return self.kind(**values)

    def values(self, id: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Field -> value, of the columns that are given; records that the field holds by their ids."""
        values = {"id": id, **row}
        for name, reader in self._readers.items():
            if name in values:
                values[name] = reader(values[name])
        return values

    def column(self, name: str, value: Any) -> Any:
        """The <value> of one field. Raises ValueError for a text that no database can hold."""
        shape = self.shapes[name]
        if value is None:
            if not shape.optional:
                raise ValueError(f"{self.kind.__name__}.{name} can't be None")
            return _EMPTY
        if shape.child is not None:
            return ["set", [["uuid", child.id] for child in value]]
        if shape.refs:
            return ["set", [["uuid", id] for id in value]] if shape.several else ["uuid", value]
        if shape.json:
            return msgspec.json.encode(value).decode() if value != () else ""
        if type(value) is str:
            _check_text(f"{self.kind.__name__}.{name}", value)
        elif type(value) is int and value not in _INTEGERS:
            raise ValueError(f"{self.kind.__name__}.{name}: {value} does not fit 64 bits")
        return value

    def row(self, record: R) -> dict[str, Any]:
        """All columns, without those at OVSDB's own default."""
        answer = {}
        for name, shape in self.shapes.items():
            value = getattr(record, name)
            if value != shape.empty:
                answer[name] = self.column(name, value)
        return answer

    def changed(self, old: R, new: R) -> dict[str, Any]:
        """The columns that differ."""
        return {
            name: self.column(name, getattr(new, name))
            for name in self.shapes
            if getattr(new, name) != getattr(old, name)
        }


def _check_text(what: str, text: str) -> None:
    # OVSDB's JSON parser refuses U+0000 by closing the connection (ovs: lib/json.c), and surrogates are not UTF-8.
    if "\0" in text:
        raise ValueError(f"{what}: a text can't hold the character U+0000")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what}: a text can't hold half of a surrogate pair") from None


def _reader(shape: Shape) -> Callable[[Any], Any] | None:
    """What is left to do after the replica's own decoding."""
    if not shape.json:
        return None
    decode = msgspec.json.Decoder(shape.hint).decode
    if shape.several:
        return lambda text: decode(text) if text else text if text is None else ()
    return lambda text: text if text is None else decode(text)


def _order(record: Record) -> tuple[Any, ...]:
    """Children in an order that does not change: addresses by version and value, others by id."""
    text = getattr(record, "ip_address", None)
    if text is None:
        return (0, 0, record.id)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return (9, 0, text)
    return (address.version, int(address), record.id)
