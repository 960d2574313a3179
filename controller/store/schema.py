"""The database schema, generated from the typed records (ovsdb(7), RFC 7047 section 3.2)."""

import json
import types
from collections.abc import Sequence
from typing import Any, Union, get_args, get_origin

from controller.model import RECORDS, Column, Record, columns

DATABASE = "Tunbridge"
VERSION = "1.4.0"
"""Goes up with every change of the schema; a test keeps its digest. A database of a later version is refused."""

_NATIVE = {str: "string", int: "integer", bool: "boolean", float: "real"}
_EMPTY: dict[Any, Any] = {str: "", int: 0, bool: False, float: 0.0}


class Shape:
    """How one field is stored.

    ``json``: ordered or structured values are one string column that holds JSON ("" for an empty tuple), because an
    OVSDB set keeps no order and no duplicates.
    """

    def __init__(self, hint: Any, column: Column) -> None:
        self.optional = False
        if get_origin(hint) in (Union, types.UnionType):
            rest = [option for option in get_args(hint) if option is not type(None)]
            if len(rest) != 1 or len(rest) == len(get_args(hint)):
                raise TypeError(f"{hint}: a column is of one type, or of one type and None")
            self.optional = True
            hint = rest[0]
        self.hint = hint
        """The type without None."""
        self.refs = column.refs
        self.several = get_origin(hint) is tuple
        element = get_args(hint)[0] if self.several else hint
        self.child: type[Record] | None = (
            element if self.refs and isinstance(element, type) and issubclass(element, Record) else None
        )
        """The kind of the rows that the field holds as records."""
        self.json = not self.refs and hint not in _NATIVE
        self.empty = None if self.optional else () if self.several else _EMPTY.get(hint, ...)
        """The field's value for OVSDB's own default of the column; ``...`` where that default means nothing."""

    def type(self) -> Any:
        """The column's <type>."""
        if self.refs:
            key = {"type": "uuid", "refTable": self.refs, "refType": "strong"}
            if self.several:
                return {"key": key, "min": 0, "max": "unlimited"}
            return {"key": key, "min": 0, "max": 1} if self.optional else {"key": key}
        atom = "string" if self.json else _NATIVE[self.hint]
        return {"key": atom, "min": 0, "max": 1} if self.optional else atom


def shapes(kind: type[Record]) -> dict[str, Shape]:
    """Field -> shape, of every field but ``id``, which is the row's ``_uuid``."""
    return {name: Shape(hint, column) for name, (hint, column) in columns(kind).items() if name != "id"}


def schema(records: Sequence[type[Record]] = RECORDS, version: str = VERSION) -> dict[str, Any]:
    """The <database-schema>. The same records always give the same text."""
    tables = {}
    for kind in records:
        table: dict[str, Any] = {"columns": {name: {"type": shape.type()} for name, shape in shapes(kind).items()}}
        if kind.unique:
            table["indexes"] = [list(fields) for fields in kind.unique]
        if kind.root:
            table["isRoot"] = True
        tables[kind.table] = table
    return {"name": DATABASE, "version": version, "tables": tables}


def version_number(text: str) -> tuple[int, ...]:
    """``x.y.z`` as numbers that compare; () for a schema without a version."""
    return tuple(int(part) for part in text.split(".")) if text else ()


if __name__ == "__main__":
    # For `ovsdb-tool create` and `create-cluster`, where the database is not the embedded one.
    print(json.dumps(schema(), indent=2))
