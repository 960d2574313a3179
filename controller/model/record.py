"""What a record is: one frozen struct per kind of row, the one definition of it.

The API validates against it, OpenAPI and the database schema are generated from it, and the view holds it.
"""

from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_origin, get_type_hints

import msgspec

R = TypeVar("R", bound="Record")


class Column(msgspec.Struct, frozen=True):
    """How one field is offered and stored, where its type does not say it."""

    api: str = ""
    """Attribute name in the API, where it is not the field's name (``router:external``)."""
    post: bool = True
    """May be given at creation."""
    put: bool = True
    """May be changed afterwards."""
    refs: str = ""
    """The table that this id (or each of these ids) refers to, strongly: what is referred to can't be deleted."""
    before: Any = None
    """What rows get that were written before there was this column, where that is not the field's default."""
    fact: bool = False
    """Written by the control process as the network answers. Not part of the intent: control does not watch it."""


READ_ONLY = Column(post=False, put=False)
FIXED = Column(put=False)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A row. ``id`` is the row's ``_uuid``; every other field is a column of its own."""

    table: ClassVar[str]
    """Name of the database table."""
    unique: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Field tuples that the database keeps unique."""
    root: ClassVar[bool] = True
    """A row that is not a root lives as long as something refers to it."""

    id: Annotated[str, READ_ONLY]


def columns(kind: type[Record]) -> dict[str, tuple[Any, Column]]:
    """Field name -> (its type without the annotation, its column) in the order of declaration."""
    answer = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) is ClassVar:
            continue
        column = Column()
        if get_origin(hint) is Annotated:
            hint, *extras = get_args(hint)
            column = next((extra for extra in extras if isinstance(extra, Column)), column)
        answer[name] = (hint, column)
    return answer
