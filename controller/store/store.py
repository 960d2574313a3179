"""The database as typed records: a live copy to read, and transactions to write."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
import structlog

from controller.model import RECORDS
from controller.model.record import R, Record
from controller.ovsdb import Connection, Disconnected, OvsdbError, Replica, RowChange, connect
from controller.store.leader import stay_with_leader
from controller.store.row import RowType
from controller.store.schema import DATABASE, schema
from controller.store.step import Change, Duplicate, Step, Unavailable
from controller.store.transaction import Transaction
from controller.store.version import StoreTooNew, StoreTooOld, refuse_newer, refuse_older

log = structlog.get_logger()

_LARGEST = 1 << 30
"""Bytes of one message: all of the database comes in one when it is first read."""
_BACKOFF = 0.05, 1.0
"""Seconds between rounds of attempts to connect: first, largest."""
_ANSWER = 10.0
"""Seconds that the server may take for one answer before the connection counts as lost."""


class Store:
    """One process's access to the database.

    Reads cost nothing: :meth:`rows` is a copy that the server keeps current, and it stays readable while the database
    is away. When :meth:`commit` returns, the copy holds what was committed.
    """

    def __init__(
        self,
        remotes: Sequence[str],
        *,
        facts: bool = True,
        records: Sequence[type[Record]] = RECORDS,
        probe: float = 5.0,
    ) -> None:
        """``remotes``: ``unix:PATH`` or ``tcp:HOST:PORT``, of each member where the database is a cluster.

        ``facts=False``: columns marked ``Column.fact`` are not watched; the fields keep their defaults.
        """
        if not remotes:
            raise ValueError("a store needs the address of a database")
        self._remotes = list(remotes)
        self._probe = probe
        self._types: dict[type[Record], RowType[Any]] = {kind: RowType(kind, facts=facts) for kind in records}
        self._kinds = {kind.table: kind for kind in records}
        children = {child for type_ in self._types.values() for child in type_.children.values()}
        self._rank = {kind.table: kind not in children for kind in records}
        self._rows: dict[type[Record], dict[str, Record]] = {kind: {} for kind in records}
        self._replica = Replica(
            DATABASE,
            schema(records),
            {type_.table: type_.watched for type_ in self._types.values()},
            self._changed,
        )
        self._subscribers: list[Callable[[list[Change]], None]] = []
        self._connection: Connection | None = None
        self._ready = asyncio.Event()
        self._failure: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        return self._connection is not None

    async def start(self, timeout: float = 30.0) -> None:
        """Connects and reads the contents; from then on a lost connection is renewed until :meth:`close`.

        Raises Unavailable after ``timeout`` seconds, StoreTooNew or StoreTooOld at once.
        """
        fatal: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(fatal), name="store")
        ready = asyncio.create_task(self._ready.wait())
        try:
            done, _ = await asyncio.wait((ready, fatal), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if fatal in done:
                fatal.result()
            if not done:
                raise Unavailable(f"no database after {timeout:g} s: {self._why()}")
        except BaseException:
            await self.close()
            raise
        finally:
            ready.cancel()
            fatal.cancel()

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def rows(self, kind: type[R]) -> Mapping[str, R]:
        """The live records of one kind, by id. A record holds the records of its children, sorted."""
        return MappingProxyType(self._rows[kind])  # type: ignore[arg-type]

    def subscribe(self, callback: Callable[[list[Change]], None]) -> None:
        """``callback`` is given the changes of each transaction once :meth:`rows` is up to date. It must not block."""
        self._subscribers.append(callback)

    async def select(self, kind: type[Record], *fields: str, timeout: float = 30.0) -> list[dict[str, Any]]:
        """``id`` and these fields of every row, straight from the server; records that a field holds by their ids.

        Raises Unavailable.
        """
        type_ = self._types[kind]
        operation = {"op": "select", "table": kind.table, "where": [], "columns": ["_uuid", *fields]}
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            connection = await self._usable(deadline)
            try:
                rows = (await connection.transact(DATABASE, operation, timeout=_ANSWER))[0]["rows"]
            except (Disconnected, TimeoutError):
                await asyncio.shield(connection.closed)
                continue
            return [
                type_.values(row["_uuid"][1], {name: type_.decoders[name](row[name]) for name in fields})
                for row in rows
            ]

    async def commit(self, *steps: Step, durable: bool = True, timeout: float = 30.0) -> None:
        """One transaction: all of the steps, or nothing.

        ``durable``: on disk (fsync) when this returns, for power loss; a killed server loses nothing either way.
        Raises Duplicate, InUse, Missing or Conflict when the database refuses it, ValueError for a value that it can't
        hold, and Unavailable when it can't be reached within ``timeout`` seconds. Where the connection is lost before
        the answer, the outcome is found out by reading back, and what was not stored is tried again.
        """
        if not steps:
            return
        transaction = Transaction(steps, self._types, durable=durable)
        deadline = asyncio.get_running_loop().time() + timeout
        doubtful = False
        while True:
            connection = await self._usable(deadline, doubtful)
            try:
                if doubtful and await self._stored(transaction, connection):
                    return
                again, doubtful = doubtful, True
                try:
                    await connection.transact(DATABASE, *transaction.operations, timeout=_ANSWER)
                    return
                except OvsdbError as error:
                    refused = transaction.explain(error, lambda kind, id: id in self._rows[kind])
                # A stopped server may do the first attempt after it was asked whether it had; a cluster that was cut in
                # two may refuse as a duplicate what it has stored for us.
                own = again or (isinstance(refused, Duplicate) and len(self._remotes) > 1)
                if own and await self._stored(transaction, connection):
                    return
                raise refused
            except (Disconnected, TimeoutError) as error:
                log.warning("outcome of a transaction unknown", reason=str(error))
                await asyncio.shield(connection.closed)

    # inside

    async def _stored(self, transaction: Transaction, connection: Connection) -> bool:
        stored = await transaction.stored(connection, _ANSWER)
        if stored is None:
            raise Unavailable("the connection was lost, and whether this was stored can't be told")
        return stored

    async def _usable(self, deadline: float, doubtful: bool = False) -> Connection:
        while self._connection is None:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._ready.wait()
            except TimeoutError:
                outcome = "; whether the transaction was stored is unknown" if doubtful else ""
                raise Unavailable(f"the database can't be reached: {self._why()}{outcome}") from None
        return self._connection

    def _why(self) -> str:
        return str(self._failure) if self._failure else f"no answer from {', '.join(self._remotes)}"

    async def _run(self, fatal: "asyncio.Future[None]") -> None:
        """Connected to one remote or another, for ever."""
        delay, most = _BACKOFF
        while True:
            for remote in self._remotes:
                try:
                    if await self._serve(remote):
                        delay = _BACKOFF[0]
                except (StoreTooNew, StoreTooOld) as error:
                    self._failure = error
                    if not fatal.done():
                        fatal.set_exception(error)
                except (OSError, Disconnected, OvsdbError) as error:
                    self._failure = Disconnected(f"{remote}: {error}")
                except Exception as error:
                    log.exception("database connection failed", remote=remote)
                    self._failure = error
            await asyncio.sleep(delay)
            delay = min(2 * delay, most)

    async def _serve(self, remote: str) -> bool:
        """Uses one remote for as long as it lasts. True if it was of use at all."""
        connection = await connect(
            remote, timeout=5.0, largest=_LARGEST, probe=self._probe, on_closed=self._disconnected
        )
        try:
            await stay_with_leader(connection, DATABASE, _ANSWER)
            theirs = await connection.call("get_schema", DATABASE, timeout=_ANSWER)
            version = theirs.get("version", "")
            refuse_newer(version, remote)
            refuse_older(version, remote)
            await self._replica.attach(connection)
            self._connection = connection
            self._ready.set()
            log.info("database connected", remote=remote)
            self._failure = await asyncio.shield(connection.closed)
            log.warning("database disconnected", remote=remote, reason=str(self._failure))
            return True
        finally:
            connection.close()
            self._disconnected()

    def _disconnected(self, _: Exception | None = None) -> None:
        self._connection = None
        self._ready.clear()

    def _changed(self, rows: list[RowChange]) -> None:
        changes = []
        # Rows that others hold come first, so that their holders find them.
        for table, id, _, row in sorted(rows, key=lambda change: self._rank[change.table]):
            kind = self._kinds[table]
            held = self._rows[kind]
            old = held.get(id)
            new = None
            if row is not None:
                try:
                    new = self._types[kind].record(id, row, self._child)
                except (msgspec.DecodeError, TypeError) as error:
                    log.error("row left out: it can't be read", table=table, id=id, error=str(error))
            if new is not None:
                held[id] = new
            elif old is not None:
                del held[id]
            if new is not old:
                changes.append(Change(kind, id, old, new))
        for callback in self._subscribers:
            try:
                callback(changes)
            except Exception:
                log.exception("a subscriber of the store failed", subscriber=repr(callback))

    def _child(self, kind: type[Record], id: str) -> Record | None:
        return self._rows[kind].get(id)
