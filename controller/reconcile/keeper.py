"""Each host's own record of its numbers, and the BFD sessions that it shall have, kept as they are desired."""

import asyncio
from collections.abc import Mapping

import structlog

from controller.compile.desired import Desired
from controller.compile.numbers import PEERS, TAGS, ZONES, Kind
from controller.ovsdb import Disconnected, OvsdbError
from controller.southbound.host import HostSession

log = structlog.get_logger()


class Keeper:
    """``sessions``: those that are up, by host."""

    def __init__(self, desired: Desired, sessions: Mapping[str, HostSession]) -> None:
        self._desired, self._sessions = desired, sessions
        self._keeping: dict[str, asyncio.Task[None]] = {}

    def keep(self, host: str) -> None:
        self.watch_peers(host)
        if host not in self._keeping:
            self._keeping[host] = task = asyncio.create_task(self._write(host), name=f"numbers of {host}")
            task.add_done_callback(lambda _: self._keeping.pop(host))

    def watch_peers(self, host: str) -> None:
        """Its BFD sessions are these."""
        session, numbers = self._sessions.get(host), self._desired.numbers.get(host)
        if session is None or numbers is None:
            return
        session.set_peers({port: peer for peer, port in numbers[PEERS].by_key.items()})

    async def _write(self, host: str) -> None:
        while (session := self._sessions.get(host)) is not None and (changes := self._changes(host, session)):
            kind, due = changes
            try:
                await session.keep(kind, due)
            except (Disconnected, OvsdbError, TimeoutError) as error:
                # The next session compares them again.
                log.warning("numbers could not be kept on their host", host=host, what=kind.what, reason=str(error))
                return

    def _changes(self, host: str, session: HostSession) -> tuple[Kind, dict[int, str | None]] | None:
        """The first kind in which the host differs."""
        facts = session.facts
        if facts is None:
            return None
        for kind, kept in ((TAGS, facts.tags), (ZONES, facts.zones), (PEERS, facts.peers)):
            wanted = {number: key for key, number in self._desired.numbers[host][kind].by_key.items()}
            numbers = wanted.keys() | kept.keys()
            if due := {number: wanted.get(number) for number in numbers if wanted.get(number) != kept.get(number)}:
                return kind, due
        return None
