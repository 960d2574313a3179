"""What a transaction is made of, and what can be wrong with one."""

from typing import Any, NamedTuple

import msgspec

from controller.model.record import Record


class Insert(msgspec.Struct, frozen=True):
    """A new row whose ``_uuid`` is the record's id; with a row for each record that it holds."""

    record: Record


class Update(msgspec.Struct, frozen=True):
    """Writes the fields that differ, if the row's ``revision_number`` is still that of ``old``.

    A kind without ``revision_number`` is guarded by the row's existence only. Records held by ``old`` and not by
    ``new`` go, by id; those held by ``new`` only are added.
    """

    old: Record
    new: Record


class Patch(msgspec.Struct, frozen=True):
    """Writes these fields, whatever the row's revision; does nothing when the row is gone."""

    kind: type[Record]
    id: str
    values: dict[str, Any]


class Delete(msgspec.Struct, frozen=True):
    """Removes the row, if it is there, with the records that it alone holds."""

    record: Record


Step = Insert | Update | Patch | Delete


class Change(NamedTuple):
    """What became of one record; ``old`` is None for a new one, ``new`` is None for one that is gone."""

    kind: type[Record]
    id: str
    old: Record | None
    new: Record | None


class StoreError(Exception):
    """A transaction was refused: nothing of it has been done."""


class Duplicate(StoreError):
    """Another row of ``kind`` has the same values in ``fields``."""

    def __init__(self, kind: type[Record], fields: tuple[str, ...], details: str = "") -> None:
        super().__init__(f"there is already a {kind.__name__} with this {' and '.join(fields)}")
        self.kind, self.fields, self.details = kind, fields, details


class InUse(StoreError):
    """A row to be deleted is referred to by ``references`` others."""

    def __init__(self, kind: type[Record], id: str, references: int) -> None:
        super().__init__(f"{kind.__name__} {id} is in use: {references} references to it remain")
        self.kind, self.id, self.references = kind, id, references


class Missing(StoreError):
    """A row that was to be changed, deleted or referred to does not exist (any more)."""

    def __init__(self, kind: type[Record], id: str) -> None:
        super().__init__(f"there is no {kind.__name__} {id}")
        self.kind, self.id = kind, id


class Conflict(StoreError):
    """The row was changed by somebody else since it was read."""

    def __init__(self, kind: type[Record], id: str, revision: int) -> None:
        super().__init__(f"{kind.__name__} {id} has been changed since its revision {revision}")
        self.kind, self.id, self.revision = kind, id, revision


class Unavailable(Exception):
    """The database can't be reached, or the outcome of a transaction could not be found out: it may have been done."""
