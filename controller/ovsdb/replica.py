"""A copy of some tables of an OVSDB database, kept current by ``monitor_cond_since`` (ovsdb-server(7))."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from controller.ovsdb.connection import Connection
from controller.ovsdb.value import Decoder, decoder

Row = dict[str, Any]
"""Column -> value: scalars as they are, an optional value or None, a set as a sorted tuple, a map as a dict, uuids as
text. Never changed in place."""

_NEVER = "00000000-0000-0000-0000-000000000000"
_numbers = itertools.count(1)


class RowChange(NamedTuple):
    """What became of one row; ``old`` is None for a new one, ``new`` is None for one that is gone."""

    table: str
    id: str
    old: Row | None
    new: Row | None


class Replica:
    """Tables held over reconnections.

    ``want`` names the tables, and for each the columns (None: all that the schema has). ``on_change`` is called once
    per update message of the server, after :attr:`tables` is up to date. After a reconnection it is given the
    difference between what was held and what is there now, so that a subscriber never sees a gap.
    """

    def __init__(
        self,
        db: str,
        schema: Mapping[str, Any],
        want: Mapping[str, Sequence[str] | None],
        on_change: Callable[[list[RowChange]], None],
    ) -> None:
        """Raises KeyError for a table or column that the schema lacks."""
        self.db = db
        self.tables: dict[str, dict[str, Row]] = {table: {} for table in want}
        self._decoders: dict[str, dict[str, Decoder]] = {}
        for table, columns in want.items():
            types = schema["tables"][table]["columns"]
            self._decoders[table] = {
                column: decoder(types[column]["type"]) for column in (types if columns is None else columns)
            }
        self._defaults = {
            table: {column: decode.default for column, decode in decoders.items()}
            for table, decoders in self._decoders.items()
        }
        self._on_change = on_change
        self._last = _NEVER
        self._queue: list[list[Any]] | None = None

    async def attach(self, connection: Connection, timeout: float = 30.0) -> None:
        """Fills the tables from this connection's server and follows it for as long as the connection lasts.

        Raises what :meth:`Connection.call` raises.
        """
        name = f"{self.db} {next(_numbers)}"
        # An update can arrive in the same read as the answer, before this coroutine goes on: it waits in the queue.
        queue: list[list[Any]] = []
        self._queue = queue
        connection.monitors[name] = self._update
        request = {table: [{"columns": list(decoders)}] for table, decoders in self._decoders.items()}
        found, last, update = await connection.call(
            "monitor_cond_since", self.db, name, request, self._last, timeout=timeout
        )
        if found:
            self._apply(update)
        else:
            self._replace(update)
        self._last = last
        if self._queue is queue:
            self._queue = None
        for params in queue:
            self._update(params)

    def _update(self, params: list[Any]) -> None:
        if self._queue is not None:
            self._queue.append(params)
            return
        self._apply(params[-1])
        self._last = params[1]

    def _apply(self, update: Mapping[str, Mapping[str, Any]]) -> None:
        """``update``: <table-updates2>."""
        changes = []
        for table, rows in update.items():
            held = self.tables[table]
            for id, events in rows.items():
                old = held.get(id)
                new = self._row(table, old, events)
                if new is None:
                    held.pop(id, None)
                else:
                    held[id] = new
                if old is not new:
                    changes.append(RowChange(table, id, old, new))
        if changes:
            self._on_change(changes)

    def _row(self, table: str, old: Row | None, events: Mapping[str, Any]) -> Row | None:
        """The row after a <row-update2>."""
        for event, columns in events.items():
            if event == "delete":
                return None
            decoders = self._decoders[table]
            if event == "modify":
                if old is None:
                    raise ValueError(f"{self.db}: the server changed a row of {table} that it had not told of")
                row = old.copy()
                for column, value in columns.items():
                    row[column] = decoders[column].changed(row[column], value)
            else:  # "initial" or "insert": columns at their default are left out
                row = self._defaults[table].copy()
                for column, value in columns.items():
                    row[column] = decoders[column](value)
            return row
        return old

    def _replace(self, update: Mapping[str, Mapping[str, Any]]) -> None:
        """The whole contents, whatever was held before."""
        changes: list[RowChange] = []
        for table, held in self.tables.items():
            rows = update.get(table, {})
            gone = [id for id in held if id not in rows]
            changes.extend(RowChange(table, id, held.pop(id), None) for id in gone)
            for id, events in rows.items():
                old = held.get(id)
                new = self._row(table, None, events)
                if new is not None and new != old:
                    held[id] = new
                    changes.append(RowChange(table, id, old, new))
        if changes:
            self._on_change(changes)
