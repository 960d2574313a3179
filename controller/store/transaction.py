"""Steps as one OVSDB transaction, its errors in the terms of records, and what became of it."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from controller.model.record import Record
from controller.ovsdb import Connection, OvsdbError
from controller.store.row import RowType
from controller.store.schema import DATABASE
from controller.store.step import Conflict, Delete, Duplicate, Insert, InUse, Missing, Patch, Step, Update

# Wording of ovsdb/transaction.c. A value in the text can say anything, hence the greedy match before the columns.
_INDEX = re.compile(
    r'Transaction causes multiple rows in "(\w+)" table .*\) for index on columns? (.+?)\.  First row, with UUID',
    re.DOTALL,
)
_IN_USE = re.compile(r"cannot delete (\w+) row ([0-9a-f-]+) because of (\d+) remaining reference")
_DANGLING = re.compile(r"references nonexistent row ([0-9a-f-]+) in table (\w+)")

Types = Mapping[type[Record], RowType[Any]]


class Transaction:
    """All of the steps, or nothing."""

    def __init__(self, steps: Sequence[Step], types: Types, *, durable: bool) -> None:
        """Raises ValueError for a value that the database can't hold."""
        self._steps = steps
        self._types = types
        self._kinds = {kind.table: kind for kind in types}
        self.operations: list[dict[str, Any]] = []
        self._owners: list[Step] = []
        for step in steps:
            for operation in self._operations(step):
                self.operations.append(operation)
                self._owners.append(step)
        if durable:
            self.operations.append({"op": "commit", "durable": True})

    def _operations(self, step: Step) -> list[dict[str, Any]]:
        match step:
            case Insert(record):
                return self._insert(record)
            case Update(old, new):
                return self._update(old, new)
            case Patch(kind, id, values):
                type_ = self._types[kind]
                row = {name: type_.column(name, value) for name, value in values.items()}
                return [{"op": "update", "table": kind.table, "where": _where(id), "row": row}]
            case Delete(record):
                return [_wait(record.table, record.id, {"_uuid": ["uuid", record.id]}), *self._delete(record)]

    def _insert(self, record: Record) -> list[dict[str, Any]]:
        type_ = self._types[type(record)]
        operations = []
        for name in type_.children:
            for child in getattr(record, name):
                operations += self._insert(child)
        operations.append({"op": "insert", "table": record.table, "uuid": record.id, "row": type_.row(record)})
        return operations

    def _delete(self, record: Record) -> list[dict[str, Any]]:
        # Children would go by themselves, but only after the references that they hold were counted: what they refer to
        # could not be deleted in the same transaction.
        children = [child for name in self._types[type(record)].children for child in getattr(record, name)]
        return [{"op": "delete", "table": row.table, "where": _where(row.id)} for row in (record, *children)]

    def _update(self, old: Record, new: Record) -> list[dict[str, Any]]:
        if type(old) is not type(new) or old.id != new.id:
            raise ValueError("an update is of two states of one row")
        type_ = self._types[type(old)]
        guard = {"revision_number": old.revision_number} if type_.guarded else {"_uuid": ["uuid", old.id]}  # type: ignore[attr-defined]
        operations = [_wait(old.table, old.id, guard)]
        for name in type_.children:
            held = {child.id: child for child in getattr(old, name)}
            for child in getattr(new, name):
                before = held.pop(child.id, None)
                if before is None:
                    operations += self._insert(child)
                elif child != before:
                    raise ValueError(f"{type(child).__name__} {child.id} can't change: give another row")
            for child in held.values():
                operations += self._delete(child)
        row = type_.changed(old, new)
        if row:
            operations.append({"op": "update", "table": old.table, "where": _where(old.id), "row": row})
        return operations

    def explain(self, error: OvsdbError, exists: Callable[[type[Record], str], bool]) -> Exception:
        """The error in the terms of records, or itself where there are none for it."""
        step = self._owners[error.operation] if 0 <= error.operation < len(self._owners) else None
        if error.error == "timed out":
            match step:
                case Update(old, _):
                    if self._types[type(old)].guarded and exists(type(old), old.id):
                        return Conflict(type(old), old.id, old.revision_number)  # type: ignore[attr-defined]
                    return Missing(type(old), old.id)
                case Delete(record):
                    return Missing(type(record), record.id)
        elif error.error == "duplicate uuid":
            return Duplicate(self._kinds[self.operations[error.operation]["table"]], ("id",), error.details)
        elif error.error == "constraint violation":
            if found := _INDEX.match(error.details):
                fields = tuple(re.findall(r'"(\w+)"', found[2]))
                return Duplicate(self._kinds[found[1]], fields, error.details)
        elif error.error == "referential integrity violation":
            if found := _IN_USE.match(error.details):
                return InUse(self._kinds[found[1]], found[2], int(found[3]))
            if found := _DANGLING.search(error.details):
                return Missing(self._kinds[found[2]], found[1])
        return error

    async def stored(self, connection: Connection, timeout: float) -> bool | None:
        """Whether the database holds what an earlier attempt has written; None when that can't be told.

        As it was all or nothing, one step that leaves a mark is enough; but of what it has inserted all must be there:
        a row whose id follows from what it is (a project's default group) may be another transaction's. Patches alone
        leave no mark, and may be done again.
        """
        if inserted := [step.record for step in self._steps if isinstance(step, Insert)]:
            for record in inserted:
                if await self._read(connection, record, (), timeout) is None:
                    return False
            return True
        for kind in (Update, Delete):
            step = next((step for step in self._steps if isinstance(step, kind)), None)
            match step:
                case Update(old, new):
                    type_ = self._types[type(new)]
                    wanted = type_.changed(old, new)
                    columns = dict.fromkeys([*wanted, "revision_number"] if type_.guarded else wanted)
                    row = await self._read(connection, new, columns, timeout)
                    if row is None:
                        return False
                    if all(type_.decoders[name](row[name]) == type_.decoders[name](wanted[name]) for name in wanted):
                        return True
                    # A later revision was written after ours, or instead of it.
                    return None if type_.guarded and row["revision_number"] > new.revision_number else False  # type: ignore[attr-defined]
                case Delete(record):
                    return await self._read(connection, record, (), timeout) is None
        return False

    async def _read(
        self, connection: Connection, record: Record, columns: Iterable[str], timeout: float
    ) -> dict[str, Any] | None:
        operation = {"op": "select", "table": record.table, "where": _where(record.id), "columns": ["_uuid", *columns]}
        rows = (await connection.transact(DATABASE, operation, timeout=timeout))[0]["rows"]
        return rows[0] if rows else None


def _where(id: str) -> list[list[Any]]:
    return [["_uuid", "==", ["uuid", id]]]


def _wait(table: str, id: str, row: dict[str, Any]) -> dict[str, Any]:
    """Fails the transaction at once when the row is not there, or not like this."""
    return {
        "op": "wait",
        "table": table,
        "where": _where(id),
        "columns": list(row),
        "until": "==",
        "rows": [row],
        "timeout": 0,
    }
