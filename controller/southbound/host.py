"""One host's OVSDB session: its database is watched, its bridges are made and kept, its facts are told."""

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from controller.ovsdb.connection import Connection, Disconnected, OvsdbError
from controller.ovsdb.replica import Replica, Row, RowChange
from controller.southbound.facts import HostFacts, facts, lacking, unwatched
from controller.southbound.kept import PEERS, Kind
from controller.southbound.layout import Layout
from controller.southbound.own import Peers
from controller.southbound.repair import Repair, repair, where
from controller.southbound.wish import Wish, wish
from flows.tables import BR_INT

log = structlog.get_logger()

DATABASE = "Open_vSwitch"
WATCHED = {
    "Open_vSwitch": ("bridges", "datapath_types", "external_ids", "manager_options", "ovs_version"),
    "Bridge": (
        "controller",
        "datapath_id",
        "datapath_type",
        "external_ids",
        "fail_mode",
        "name",
        "other_config",
        "ports",
        "protocols",
    ),
    "Port": ("interfaces", "name"),
    "Interface": (
        "bfd",
        "bfd_status",
        "error",
        "external_ids",
        "link_state",
        "name",
        "ofport",
        "ofport_request",
        "options",
        "type",
    ),
    "Controller": ("max_backoff", "target"),
    "Manager": ("max_backoff", "target"),
}
OnMended = Callable[[str, tuple[str, ...]], None]
"""(host, what in words)"""
REPAIRS_A_MINUTE = 10
"""More than that, and somebody else keeps changing things back."""
MINUTE = 60.0
REPAIR = 5.0
"""Seconds in which a repair that was asked for must be done, to be called done."""


class HostSession:
    """``on_facts(session, old, new)`` is called at each change; ``new`` is None when the session has ended.

    ``new.name`` never changes in a session. An exception in ``on_facts`` ends this session alone.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        openflow: Callable[[str], str],
        on_facts: Callable[["HostSession", HostFacts | None, HostFacts | None], None],
        on_mended: OnMended = lambda host, what: None,
    ) -> None:
        """``openflow``: from the address by which the host reached us to the target that its bridges get.

        ``on_mended``: what somebody had changed by hand is as it was.
        """
        self._connection = connection
        self.address = _address(connection.peer)
        """Where the host connects from."""
        self.peer = _endpoint(connection.peer)
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[str] = self._loop.create_future()
        """Done when the session has ended; its result is the reason."""
        self.facts: HostFacts | None = None
        self._on_facts, self._on_mended = on_facts, on_mended
        self._endpoint = _endpoint(connection.local)
        self._controller = openflow(_address(connection.local))
        self.certificate = connection.certificate
        self._spare = (self.certificate.name if self.certificate else "") or str(uuid.uuid4())
        self._layout: Layout | None = None
        self._wake = asyncio.Event()
        self._right = asyncio.Event()
        """Nothing is to be repaired."""
        self._repaired: deque[float] = deque()
        self._trouble = ""
        """Why it could not be set up, when it could not."""
        self._peers: Peers | None = None
        self._asked = False
        """The peers are others than at the last repair, so that the next one is nobody's fault."""
        self._wished: Wish | None = None
        """As it was at the last change of more than the state of interfaces; so are the next three."""
        self._plan = Repair((), (), True)
        self._whole: Wish | None = None
        """The wish that was last fulfilled: when the same one needs a repair, somebody has changed something."""
        self._missing = self._faults = ""
        self._managed = False
        """It has a manager record: it was told to dial us, and can be told to stop."""
        self._log = log.bind(peer=self.peer)

    async def run(self) -> None:
        """Lives as long as the session."""
        try:
            await self._follow()
        except Disconnected as error:
            self.end(str(error))
        except TimeoutError as error:
            self.end(str(error))
        except (OvsdbError, KeyError) as error:
            self.end(f"no database of Open vSwitch as known here: {error}", warn=True)
        except Exception as error:
            self._log.exception("host session failed")
            self.end(f"failed: {error!r}")

    def set_peers(self, peers: Peers) -> None:
        """Which hosts to watch by BFD, and at which OpenFlow ports. Ports of peers no longer there are removed; until
        the first call, none is.

        Raises ValueError for a number that is no peer's.
        """
        _check(PEERS, peers)
        if peers != self._peers:
            self._peers, self._asked = dict(peers), True
            self._wake.set()

    async def keep(self, kind: Kind, changes: Mapping[int, str | None]) -> None:
        """Keep numbers in the host's database: number -> whose it is now, or None to forget it.

        When it returns, :attr:`facts` has them. Raises ValueError, Disconnected, OvsdbError, TimeoutError.
        """
        _check(kind, changes)
        bridge = self._layout.bridges.get(BR_INT) if self._layout else None
        if bridge is None:
            raise Disconnected(f"{BR_INT} is not there")
        if not changes:
            return
        gone = ["set", [f"{kind.prefix}{number}" for number in changes]]
        come = ["map", [[f"{kind.prefix}{number}", whose] for number, whose in changes.items() if whose is not None]]
        mutations = [["external_ids", "delete", gone], ["external_ids", "insert", come]]
        operation = {"op": "mutate", "table": "Bridge", "where": where(bridge), "mutations": mutations}
        (result,) = (await self._connection.transact(DATABASE, operation))[:1]
        if result.get("count") != 1:
            raise Disconnected(f"{BR_INT} is gone")

    def end(self, reason: str, *, warn: bool = False, tell: bool = True) -> None:
        """Ends the session. ``tell``: call ``on_facts``, with None as the new facts."""
        if self.closed.done():
            return
        self.closed.set_result(reason)
        (self._log.warning if warn else self._log.info)("host session ended", reason=reason)
        self._wake.set()
        self._connection.close(reason)
        if tell and self.facts is not None:
            try:
                self._on_facts(self, self.facts, None)
            except Exception:
                self._log.exception("the end of a host session could not be handled")

    async def _follow(self) -> None:
        self._connection.closed.add_done_callback(lambda closed: self.end(str(closed.result() or "closed")))
        schema = await self._connection.call("get_schema", DATABASE, timeout=10.0)
        replica = Replica(DATABASE, schema, WATCHED, self._changed)
        self._layout = Layout(replica.tables)
        await replica.attach(self._connection)
        while not self.closed.done():
            await self._wake.wait()
            self._wake.clear()
            await self._set_up()

    def _changed(self, changes: list[RowChange]) -> None:
        if self._layout is not None and not self.closed.done() and self._evaluate(self._layout.apply(changes)):
            self._wake.set()

    def _evaluate(self, anew: bool = True) -> bool:
        """Tells the facts if they have changed. Is there anything to repair? ``anew``: that may have changed."""
        layout = self._layout
        if self.closed.done() or layout is None or layout.switch is None:
            return False
        switch = layout.switch[1]
        if self._managed and not switch["manager_options"]:
            # In the moment before the connection goes, nothing of what it takes away may be put back.
            self.end("the host has left")
            return False
        self._managed = bool(switch["manager_options"])
        if anew or self._wished is None:
            self._wished = self._wish(layout, switch)
            self._judge(repair(layout, self._wished), layout, self._wished)
        old = self.facts
        new = facts(layout, switch, self._wished, old, self._missing, self._faults)
        if old is not None and new.name and new.name != old.name:
            self.end(f"its system-id has changed from {old.name} to {new.name}")
        elif new is not old and new.name:
            self.facts = new
            self._on_facts(self, old, new)
        return anew and bool(self._plan.operations)

    def _judge(self, plan: Repair, layout: Layout, wished: Wish) -> None:
        self._plan = plan
        if not plan.operations:
            self._trouble, self._whole = "", wished
            self._right.set()
        else:
            self._right.clear()
        if plan.operations and plan.vital:
            self._missing, self._faults = self._trouble or "is being set up", ""
        else:
            self._missing, self._faults = lacking(layout, wished), self._trouble or unwatched(layout, wished)

    def _wish(self, layout: Layout, switch: Row) -> Wish:
        spare = self.facts.name if self.facts else self._spare
        return wish(
            layout,
            switch,
            controller=self._controller,
            address=self.address,
            endpoint=self._endpoint,
            spare=spare,
            peers=self._peers,
        )

    async def _set_up(self) -> None:
        """One repair, if one is needed; what it changes comes back as a change."""
        if not self._evaluate() or not self._may_repair(self._plan):
            return
        plan, by_hand = self._plan, self._wished == self._whole
        self._log.info("host is set up", what=plan.what)
        try:
            await self._connection.transact(DATABASE, *plan.operations)
        except OvsdbError as error:
            # Tried again when something there changes, as it does if it was but that our copy was not up to date.
            self._log.warning("host refuses to be set up", error=str(error), what=plan.what)
            self._trouble = f"its database refuses {', '.join(plan.what)}: {error}"
            self._evaluate()
            return
        self._trouble = ""
        if by_hand and self.facts is not None:
            self._on_mended(self.facts.name, plan.what)
        if self._evaluate():
            self._wake.set()

    async def audit(self, repair: bool) -> tuple[tuple[str, ...], bool]:
        """What is otherwise than it shall be, in words; with ``repair``, it is put right, however often it was, and
        whether it has been."""
        what = self._plan.what
        if not (repair and self._plan.operations):
            return what, False
        self._repaired.clear()
        self._wake.set()
        try:
            async with asyncio.timeout(REPAIR):
                await self._right.wait()
        except TimeoutError:
            return what, False
        return what, True

    def _may_repair(self, plan: Repair) -> bool:
        if self._asked and not plan.vital:
            self._asked = False
            return True
        now = self._loop.time()
        while self._repaired and now - self._repaired[0] > MINUTE:
            self._repaired.popleft()
        if len(self._repaired) < REPAIRS_A_MINUTE:
            self._repaired.append(now)
            return True
        what = ", ".join(plan.what)
        trouble = f"something else on this host keeps changing what the controller sets up ({what})"
        if self._trouble != trouble:
            self._log.warning("host is left alone for a while", reason=trouble)
            self._trouble = trouble
            self._evaluate()
            self._loop.call_at(self._repaired[0] + MINUTE + 0.1, self._wake.set)
        return False


def _check(kind: Kind, numbers: Iterable[int]) -> None:
    if wrong := [number for number in numbers if not kind.first <= number <= kind.last]:
        raise ValueError(f"{wrong} are no {kind.what} ({kind.first} to {kind.last})")


def _address(name: tuple[Any, ...] | str) -> str:
    return str(name[0]).removeprefix("::ffff:") if isinstance(name, tuple) else "127.0.0.1"


def endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _endpoint(name: tuple[Any, ...] | str) -> str:
    return endpoint(_address(name), name[1]) if isinstance(name, tuple) else name
