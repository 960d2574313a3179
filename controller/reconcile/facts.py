"""What is written back to the store: where ports are, whether they are served, which hosts are there."""

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from controller.model import Host, Port
from controller.model.port import DOWN
from controller.store.step import Insert, Patch, Step, Unavailable
from controller.store.store import Store

log = structlog.get_logger()

RETRY = 0.5
"""Seconds between attempts while the database is away."""
BATCH = 500
"""Rows written in one transaction at the most."""


class PortFacts(msgspec.Struct, frozen=True):
    host_id: str = ""
    status: str = DOWN
    fault: str = ""


class FactWriter:
    """Keeps the last word on each port and host, and writes what differs; one transaction at a time."""

    def __init__(self, store: Store, new_id: Callable[[], str], stamp: Callable[[], str]) -> None:
        """``stamp``: the time now, RFC 3339."""
        self._store, self._new_id, self._stamp = store, new_id, stamp
        self._stored: dict[str, PortFacts] = {}
        self._ports: dict[str, PortFacts] = {}
        self._hosts: dict[str, dict[str, object]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> dict[str, PortFacts]:
        """Reads what stands in the store; returns it by port."""
        rows = await self._store.select(Port, "host_id", "status", "fault")
        self._stored = {row["id"]: PortFacts(row["host_id"], row["status"], row["fault"]) for row in rows}
        self._task = asyncio.create_task(self._run(), name="fact writer")
        return dict(self._stored)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def port(self, id: str, facts: PortFacts) -> None:
        if self._ports.get(id, self._stored.get(id, PortFacts())) != facts:
            self._ports[id] = facts
            self._wake.set()

    def now(self, id: str) -> PortFacts:
        return self._ports.get(id, self._stored.get(id, PortFacts()))

    def forget(self, id: str) -> None:
        """The port is no more."""
        self._stored.pop(id, None)
        self._ports.pop(id, None)

    def host(self, name: str, **values: object) -> None:
        self._hosts.setdefault(name, {}).update(values)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._ports or self._hosts:
                ports = {id: self._ports[id] for id in list(self._ports)[:BATCH]}
                hosts, self._hosts = self._hosts, {}
                try:
                    await self._write(self._steps(ports, hosts))
                except Unavailable as error:
                    log.warning("facts wait for the database", reason=str(error), ports=len(ports), hosts=len(hosts))
                    self._hosts = hosts | self._hosts
                    await asyncio.sleep(RETRY)
                    continue
                for id, facts in ports.items():
                    self._stored[id] = facts
                    if self._ports.get(id) == facts:
                        del self._ports[id]

    async def _write(self, steps: list[Step]) -> None:
        """All at once; when the database refuses that, one by one, so that a bad row costs no other."""
        try:
            await self._store.commit(*steps)
        except Unavailable:
            raise
        except Exception as error:
            if len(steps) == 1:
                log.exception("a fact could not be written", step=str(steps[0]))
                return
            log.warning("facts are written one by one", reason=str(error))
            for step in steps:
                await self._write([step])

    def _steps(self, ports: dict[str, PortFacts], hosts: dict[str, dict[str, object]]) -> list[Step]:
        steps: list[Step] = [Patch(Port, id, msgspec.structs.asdict(facts)) for id, facts in ports.items()]
        ids = {row.name: id for id, row in self._store.rows(Host).items()}
        for name, values in hosts.items():
            if name in ids:
                steps.append(Patch(Host, ids[name], values))
            else:
                steps.append(Insert(Host(id=self._new_id(), name=name, joined_at=self._stamp(), **values)))  # type: ignore[arg-type]
        return steps
