"""Addresses that are no port's: asked for when a packet waits for one, asked again at times, forgotten when silent."""

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from apps.contract import Learned, PacketOut, Unknown
from controller.model import Neighbour
from controller.store.step import Delete, Insert, Patch, Step, Unavailable
from controller.store.store import Store
from flows.actions import Set
from flows.fields import ETH_DST

log = structlog.get_logger()

Key = tuple[str, str]
"""(network, address)."""
TRIES, PAUSE = 3, 1.0
"""Questions until a packet is given up, and seconds between them (RFC 4861 section 10 has the same)."""
AGE, GRACE = 60.0, 15.0
"""Seconds after which a known neighbour is asked again, and in which it must answer then."""
LOOK = 5.0
"""Seconds between looks for what is due."""
WAITING_MAX, ASKED_MAX, KNOWN_MAX = 8, 4096, 65536
"""Packets that wait for one address; addresses asked for at a time; addresses known. What is above is dropped."""


class _Question(msgspec.Struct):
    host: str
    asking: PacketOut
    waiting: list[PacketOut]
    refusal: PacketOut | None
    left: int


class _Known(msgspec.Struct):
    id: str
    mac: str
    seen: float
    asked: bool = False


class Neighbours:
    """``put(key, mac)`` tells the view (None: nobody knows any more). ``send(host, packet)`` sends one by br-int.
    ``again(key, mac)`` gives whom to ask anew and how, or None when nobody has use for the address."""

    def __init__(
        self,
        store: Store,
        new_id: Callable[[], str],
        *,
        put: Callable[[Key, str | None], None],
        send: Callable[[str, PacketOut], None],
        again: Callable[[Key], tuple[str, PacketOut] | None],
    ) -> None:
        self._store, self._new_id = store, new_id
        self._put, self._send, self._again = put, send, again
        self._asked: dict[Key, _Question] = {}
        self._known: dict[Key, _Known] = {}
        self._steps: asyncio.Queue[Step] = asyncio.Queue(KNOWN_MAX)
        self._tasks: list[asyncio.Task[None]] = []
        self.unkept = 0
        """Changes that the database was not told of."""
        self.dropped = 0
        """Packets that waited in vain, or for which there was no room."""

    @property
    def asked(self) -> int:
        return len(self._asked)

    @property
    def unwritten(self) -> int:
        return self._steps.qsize()

    def start(self) -> None:
        """What an earlier process has learned holds until it is asked again."""
        now = asyncio.get_running_loop().time()
        for id, row in self._store.rows(Neighbour).items():
            key = row.network_id, row.ip_address
            self._known[key] = _Known(id, row.mac_address, now)
            self._put(key, row.mac_address)
        self._tasks = [
            asyncio.create_task(self._write(), name="neighbour writer"),
            asyncio.create_task(self._grow_old(), name="neighbours' age"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def unknown(self, host: str, packet: Unknown) -> None:
        """A packet on a host waits for an address."""
        key = packet.network_id, packet.address
        if (known := self._known.get(key)) is not None:
            # Its flow is on the way.
            self._send(host, _addressed(packet.waiting, known.mac))
            return
        question = self._asked.get(key)
        if question is None:
            if len(self._asked) >= ASKED_MAX:
                self.dropped += 1
                return
            question = self._asked[key] = _Question(host, packet.asking, [], packet.refusal, TRIES)
            self._ask(key)
        if len(question.waiting) < WAITING_MAX:
            question.waiting.append(packet.waiting)
        else:
            self.dropped += 1

    def _ask(self, key: Key) -> None:
        question = self._asked.get(key)
        if question is None:
            return
        if question.left == 0:
            del self._asked[key]
            self.dropped += len(question.waiting)
            if question.refusal is not None:
                self._send(question.host, question.refusal)
            return
        question.left -= 1
        self._send(question.host, question.asking)
        asyncio.get_running_loop().call_later(PAUSE, self._ask, key)

    def learned(self, found: Learned) -> None:
        """An answer. What nobody has asked for, and nobody knows, is not taken up."""
        key = found.network_id, found.address
        question, known = self._asked.pop(key, None), self._known.get(key)
        now = asyncio.get_running_loop().time()
        if known is not None:
            known.seen, known.asked = now, False
            if known.mac != found.mac:
                known.mac = found.mac
                self._put(key, found.mac)
                self._keep(Patch(Neighbour, known.id, {"mac_address": found.mac}))
        elif question is not None and len(self._known) < KNOWN_MAX:
            known = self._known[key] = _Known(self._new_id(), found.mac, now)
            self._put(key, found.mac)
            row = Neighbour(id=known.id, network_id=key[0], ip_address=key[1], mac_address=found.mac)
            self._keep(Insert(row))
        if question is not None:
            for packet in question.waiting:
                self._send(question.host, _addressed(packet, found.mac))

    async def _grow_old(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            now = asyncio.get_running_loop().time()
            for key, known in list(self._known.items()):
                if now - known.seen < AGE:
                    continue
                if (whom := self._again(key)) is None or (known.asked and now - known.seen > AGE + GRACE):
                    self._forget(key)
                else:
                    known.asked = True
                    self._send(*whom)

    def _forget(self, key: Key) -> None:
        known = self._known.pop(key)
        self._put(key, None)
        self._keep(Delete(Neighbour(id=known.id, network_id=key[0], ip_address=key[1], mac_address="")))

    def _keep(self, step: Step) -> None:
        """While the database is away these wait. Without room one is left out: a restart then asks for it again."""
        if self._steps.full():
            self.unkept += 1
        else:
            self._steps.put_nowait(step)

    async def _write(self) -> None:
        while True:
            step = await self._steps.get()
            while True:
                try:
                    await self._store.commit(step)
                except Unavailable as error:
                    log.warning("a neighbour waits for the database", reason=str(error))
                    await asyncio.sleep(PAUSE)
                    continue
                except Exception as error:
                    # It is forgotten at the next restart, and asked for again.
                    log.warning("a neighbour could not be kept", step=str(step), reason=repr(error))
                break


def _addressed(packet: PacketOut, mac: str) -> PacketOut:
    return PacketOut(packet.data, (Set(ETH_DST, mac), *packet.actions))
