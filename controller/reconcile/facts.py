"""What is written back to the store: where ports are, what is served, which hosts are there."""

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import Any

import structlog

from controller.model import FloatingIP, Host, Port, Record, Router
from controller.store.step import Insert, Missing, Patch, Step, Unavailable
from controller.store.store import Store

log = structlog.get_logger()

RETRY = 0.5
"""Seconds between attempts while the database is away."""
BATCH = 500
"""Rows written in one transaction at the most."""
FACTS: dict[type[Record], tuple[str, ...]] = {
    Port: ("host_id", "ofport", "status", "fault"),
    Router: ("status", "fault", "gateways"),
    FloatingIP: ("status", "fault"),
}
"""Kind -> the columns that control writes."""

Key = tuple[type[Record], str]
Values = dict[str, Any]


class FactWriter:
    """Keeps the last word on each row and host, and writes what differs; one transaction at a time."""

    def __init__(self, store: Store, new_id: Callable[[], str], stamp: Callable[[], str]) -> None:
        """``stamp``: the time now, RFC 3339."""
        self._store, self._new_id, self._stamp = store, new_id, stamp
        self._stored: dict[Key, Values] = {}
        self._due: dict[Key, Values] = {}
        self._hosts: dict[str, Values] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> dict[Key, Values]:
        """Reads what stands in the store; returns it."""
        for kind, names in FACTS.items():
            for row in await self._store.select(kind, *names):
                self._stored[kind, row["id"]] = {name: row[name] for name in names}
        self._task = asyncio.create_task(self._run(), name="fact writer")
        return dict(self._stored)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def waiting(self) -> int:
        """Rows and hosts that are not written yet; one entry each, however often it changes."""
        return len(self._due) + len(self._hosts)

    def note(self, kind: type[Record], id: str, **values: object) -> None:
        """These columns of a row shall be so."""
        now = self._due.get((kind, id)) or self._stored.get((kind, id), {})
        if any(name not in now or now[name] != value for name, value in values.items()):
            self._due[kind, id] = now | values
            self._wake.set()

    def forget(self, kind: type[Record], id: str) -> None:
        """The row is no more."""
        self._stored.pop((kind, id), None)
        self._due.pop((kind, id), None)

    def host(self, name: str, **values: object) -> None:
        self._hosts.setdefault(name, {}).update(values)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due or self._hosts:
                due = dict(islice(self._due.items(), BATCH))
                hosts, self._hosts = self._hosts, {}
                try:
                    await self._write(self._steps(due, hosts))
                except Unavailable as error:
                    log.warning("facts wait for the database", reason=str(error), rows=len(due), hosts=len(hosts))
                    self._hosts = hosts | self._hosts
                    await asyncio.sleep(RETRY)
                    continue
                for key, values in due.items():
                    self._stored[key] = values
                    if self._due.get(key) == values:
                        del self._due[key]

    async def _write(self, steps: list[Step]) -> None:
        """All at once; when the database refuses that, one by one, so that a bad row costs no other."""
        try:
            await self._store.commit(*steps)
        except Unavailable:
            raise
        except Exception as error:
            if len(steps) == 1:
                if not isinstance(error, Missing):  # deleted meanwhile: nothing to say of it any more
                    log.exception("a fact could not be written", step=str(steps[0]))
                return
            log.warning("facts are written one by one", reason=str(error))
            for step in steps:
                await self._write([step])

    def _steps(self, due: dict[Key, Values], hosts: dict[str, Values]) -> list[Step]:
        steps: list[Step] = [Patch(kind, id, values) for (kind, id), values in due.items()]
        ids = {row.name: id for id, row in self._store.rows(Host).items()} if hosts else {}
        for name, values in hosts.items():
            if name in ids:
                steps.append(Patch(Host, ids[name], values))
            else:
                steps.append(Insert(Host(id=self._new_id(), name=name, joined_at=self._stamp(), **values)))
        return steps
