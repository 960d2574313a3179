"""Where hosts dial in with their OVSDB."""

import asyncio
from collections.abc import Callable, Collection, Mapping

import structlog

from controller.ovsdb.connection import Connection, listen
from controller.southbound.facts import HostFacts
from controller.southbound.host import HostSession, OnMended, endpoint
from controller.tls import Server, Tls, stranger

log = structlog.get_logger()

MOST = 4096
"""Hosts at a time."""
Registered = Callable[[], Collection[tuple[str, str]]]
"""(system-id, fingerprint) of each certificate that was registered for a host."""
OnFacts = Callable[[HostSession, HostFacts | None, HostFacts | None], None]


class HostListener:
    """Accepts hosts and keeps their sessions; one session a host.

    ``address``: as for :func:`listening`; port 0 takes a free one, see :attr:`port`. ``openflow_port`` and
    ``advertise``: where the bridges are told to find the controller; without ``advertise``, at the address by which the
    host reached us.
    ``on_facts(session, old, new)``: at each change of a host's facts; ``old`` is None at first, ``new`` is None when
    the session has ended. A host that connects anew while its old session still seems to live is one change, told with
    the new session and the old one's last facts.
    """

    def __init__(
        self,
        address: str,
        *,
        openflow_port: int,
        on_facts: OnFacts,
        on_mended: OnMended = lambda host, what: None,
        advertise: str | None = None,
        probe: float = 5.0,
        tls: Tls | None = None,
        registered: Registered = lambda: (),
    ) -> None:
        self._address, self._openflow_port, self._advertise = address, openflow_port, advertise
        self._on_facts, self._on_mended, self._probe = on_facts, on_mended, probe
        self._tls, self._registered = tls, registered
        self.refused = 0
        """Connections for which there was no room."""
        self._server: Server | None = None
        self._sessions: dict[str, HostSession] = {}
        self._tasks: dict[HostSession, asyncio.Task[None]] = {}

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else 0

    @property
    def sessions(self) -> Mapping[str, HostSession]:
        """Host name -> its session."""
        return self._sessions

    async def start(self) -> None:
        """Raises OSError when the address can't be had."""
        self._server = await listen(self._address, self._accept, self._tls, probe=self._probe)

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for session in list(self._tasks):
            session.end("the controller stops", tell=False)
        await asyncio.gather(*self._tasks.values())
        await self._server.wait_closed()

    def _accept(self, connection: Connection) -> None:
        if len(self._tasks) >= MOST:
            self.refused += 1
            connection.close(f"no room: {MOST} hosts are connected")
            return
        session = HostSession(connection, openflow=self._target, on_facts=self._told, on_mended=self._on_mended)
        task = self._tasks[session] = asyncio.get_running_loop().create_task(session.run())
        task.add_done_callback(lambda _: self._tasks.pop(session, None))

    def _target(self, reached: str) -> str:
        return f"{'ssl' if self._tls else 'tcp'}:{endpoint(self._advertise or reached, self._openflow_port)}"

    def _told(self, session: HostSession, old: HostFacts | None, new: HostFacts | None) -> None:
        if new is None:
            if old is not None and self._sessions.get(old.name) is session:
                del self._sessions[old.name]
                self._on_facts(session, old, None)
            return
        if old is None and (reason := stranger(new.name, session.certificate, self._registered())):
            session.end(f"refused: {reason}", warn=True, tell=False)
            return
        other = self._sessions.get(new.name)
        if other is None:
            log.info("host joined", host=new.name, peer=session.peer)
        elif other is not session:
            if other.address != session.address:
                # Two hosts with one name. The first keeps it as long as it lives: probes find out.
                session.end(f"refused: system-id {new.name} is in use by {other.peer}", warn=True, tell=False)
                return
            log.info("host joined anew", host=new.name, peer=session.peer, old=other.peer)
            old = other.facts
            other.end(f"the host has connected anew from {session.peer}", tell=False)
        self._sessions[new.name] = session
        self._on_facts(session, old, new)
