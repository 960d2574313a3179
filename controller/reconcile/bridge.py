"""One bridge of one host: bring what is installed to what is wanted, and know when it is.

Adopting (after a connection) compares flows: what is equal stays, what is missing is added, what nobody wants goes.
From then on only plans are applied, and when the switch tells that somebody else has changed something, it is compared
again. A connection lost or a time-out makes the next connection adopt again.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator

import structlog

from controller.compile.compiler import Plan
from controller.compile.ledger import Entry, UnitKey
from controller.reconcile.difference import Difference, Installed, difference
from controller.southbound.channel import Channel, Rejection
from controller.southbound.link import ChannelClosed, SwitchError
from controller.southbound.message import DELETE_GROUPS
from flows.flow import Flow, MeterConfig
from flows.wire import ADD, DELETE_STRICT, METER_ADD, METER_DELETE, METER_MODIFY, delete_cookie, flow_mod, meter_mod

NEVER = float("inf")
SETTLE = 0.2
"""Seconds from the first change by hand until it is looked at: changes seldom come alone."""
PAUSE = 2.0
"""Seconds between two such looks."""

PARTS = 10
"""A switch that has just been adopted is adopted again after so many times as long as that took."""
NOTHING = Difference({}, (), (), ())
Report = Callable[[str, str, Iterable[tuple[str, str]]], None]
"""(host, bridge, (kind, words) of each change by hand that has been mended)"""


class Bridge:
    """``desired`` gives the entries that belong here now; ``changed`` is called whenever more is confirmed, or less;
    ``empty`` before a switch without any flow of ours is filled; ``mended`` after changes by hand were undone."""

    def __init__(
        self,
        host: str,
        name: str,
        desired: Callable[[], Iterator[Entry]],
        changed: Callable[[], None],
        empty: Callable[[], None],
        mended: Report,
    ) -> None:
        self.host, self.name = host, name
        self.channel: Channel | None = None
        self.adopted = False
        self.faults: dict[UnitKey, str] = {}
        """Units whose flows the switch has refused, with its words."""
        self.written = 0
        """Flow messages that the switch has accepted since start."""
        self._owed: dict[UnitKey, Plan] = {}
        """What was left out because the switch refused a part: the unit's old flows stay until it is run again."""
        self._desired, self._changed, self._empty, self._mended = desired, changed, empty, mended
        self._allowed = False
        self._pending = Plan()
        self._pending_since = NEVER
        self._in_flight_since = NEVER
        self._touched = False
        """Somebody else has changed something, and it is time to look."""
        self._look_at: asyncio.TimerHandle | None = None
        self._looked = -PAUSE
        self._audits: list[tuple[asyncio.Future[list[str]], bool]] = []
        """Who waits for an audit, and whether it shall repair."""
        self._loop = asyncio.get_running_loop()
        self._adopt_at = 0.0
        self._wake = asyncio.Event()
        self._log = structlog.get_logger().bind(host=host, bridge=name)
        self._task = asyncio.create_task(self._run(), name=f"{name} on {host}")

    async def close(self) -> None:
        if self._look_at is not None:
            self._look_at.cancel()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    # ---- what comes in
    def connect(self, channel: Channel) -> None:
        if self.channel is not None and self.channel is not channel:
            self.channel.close("the switch has connected anew")
        self.channel, self.adopted = channel, False
        self._wake.set()

    def disconnect(self, channel: Channel) -> None:
        if self.channel is channel:
            self.channel, self.adopted = None, False
            self._changed()

    def allow(self) -> None:
        """The host's facts are complete and compiled: adopting may begin."""
        if not self._allowed:
            self._allowed = True
            self._wake.set()

    def add(self, plan: Plan, version: int) -> None:
        """Append this bridge's part of a plan, which the compiler made as number ``version``."""
        if not self.adopted and self._in_flight_since == NEVER:
            return
        mine = Plan(
            {slot: e for slot, e in plan.add.items() if e.bridge == self.name},
            {slot: e for slot, e in plan.delete.items() if e.bridge == self.name},
        )
        if mine:
            self._pending.merge(mine.add, mine.delete)
            self._pending_since = min(self._pending_since, version)
            self._wake.set()

    @property
    def pending(self) -> int:
        """Flows and meters that wait for the switch; a slot counts once, however often it changes."""
        return len(self._pending.add) + len(self._pending.delete)

    def settled(self, version: int) -> bool:
        """Has the switch confirmed everything up to this version?"""
        return self.adopted and min(self._pending_since, self._in_flight_since) > version

    async def audit(self, repair: bool) -> list[str]:
        """What is otherwise than it shall be, in words; with ``repair``, what was. Raises ChannelClosed."""
        if not self.adopted:
            raise ChannelClosed("its flows are not in place yet")
        asked: asyncio.Future[list[str]] = self._loop.create_future()
        self._audits.append((asked, repair))
        self._wake.set()
        return await asked

    def _touch(self) -> None:
        """The switch says that somebody else has changed something."""
        if self._look_at is None:
            wait = max(SETTLE, self._looked + PAUSE - self._loop.time())
            self._look_at = self._loop.call_later(wait, self._look_now)

    def _look_now(self) -> None:
        self._look_at, self._touched = None, True
        self._wake.set()

    # ---- the one task
    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            channel = self.channel
            if channel is None or not self._allowed:
                continue
            try:
                if not self.adopted:
                    await self._adopt(channel)
                while self.adopted and channel is self.channel:
                    if self._pending:
                        plan, self._pending = self._pending, Plan()
                        self._in_flight_since, self._pending_since = self._pending_since, NEVER
                        await self._apply(channel, plan)
                        self._in_flight_since = NEVER
                        self._changed()
                    elif self._touched or self._audits:
                        await self._look(channel)
                    else:
                        break
            except (ChannelClosed, TimeoutError) as error:
                self._log.warning("switch lost while flows were being sent", reason=str(error) or "no answer in time")
                self._lost(channel)
            except Exception:
                self._log.exception("flows could not be sent; the connection is closed and begins anew")
                self._lost(channel)

    def _lost(self, channel: Channel) -> None:
        self._in_flight_since = self._pending_since = NEVER
        self._pending = Plan()
        for asked, _ in self._audits:
            if not asked.done():
                asked.set_exception(ChannelClosed("the switch is lost"))
        self._audits.clear()
        channel.close("flows could not be sent; the next connection begins anew")
        self.disconnect(channel)

    async def _adopt(self, channel: Channel) -> None:
        # One that flaps may cost a part of our time, and no more.
        await asyncio.sleep(max(0.0, self._adopt_at - self._loop.time()))
        if channel is not self.channel:
            return
        begun = self._loop.time()
        self._touched = False
        try:
            await channel.watch(self._touch)
        except SwitchError as error:
            self._log.warning("this switch can't tell of changes by hand: audit it now and then", error=str(error))
        installed = await _installed(channel)
        if not any(flow.cookie for flow in installed.flows):
            self._empty()
        # From here to the first await, what is desired and what later plans add to it are one sequence.
        self._pending, self._pending_since, self._in_flight_since = Plan(), NEVER, 0
        found = difference(installed, self._desired())
        self._owed.clear()
        sending = self._loop.time()
        await self._apply(channel, Plan(found.missing), found)
        sent = round(self._loop.time() - sending, 4)
        self._in_flight_since = NEVER
        self.adopted = True
        self._adopt_at = self._loop.time() + PARTS * (self._loop.time() - begun)
        kept, strays = len(installed.flows) - len(found.strays), len(found.strays)
        self._log.info(
            "adopted", kept=kept, added=len(found.missing), removed=strays, refused=len(self.faults), seconds=sent
        )
        self._changed()

    async def _look(self, channel: Channel) -> None:
        """Compares while nothing is pending, so that what differs is not of our making."""
        audits, self._audits = self._audits, []
        try:
            repair = self._touched or any(repair for _, repair in audits)
            self._touched, self._looked = False, self._loop.time()
            wanted = list(self._expected())
            found = difference(await _installed(channel), wanted)
            words = list(found.words(self.name))
            if found and repair:
                await self._apply(channel, Plan(found.missing), found)
                self._mended(self.host, self.name, words)
        except BaseException:
            self._audits += audits  # whoever waits is told by _lost
            raise
        for asked, _ in audits:
            if not asked.done():
                asked.set_result([what for _, what in words])

    def _expected(self) -> Iterator[Entry]:
        """What is desired, without what the switch has refused; of that, what stood there before is left."""
        owed = list(self._owed.values())
        refused = {e for plan in owed for e in plan.add.values()}
        yield from (e for e in self._desired() if e not in refused)
        yield from (e for plan in owed for e in plan.delete.values())

    async def _apply(self, channel: Channel, plan: Plan, found: Difference = NOTHING) -> None:
        """Meters added, one bundle of adds and then deletes, meters removed. A refused flow takes its unit's other
        flows out of the bundle, and the rest goes on. What nobody wants goes first."""
        if meters := [e.item for e in plan.add.values() if isinstance(e.item, MeterConfig)]:
            await self._meters(channel, meters)
        plan = self._with_owed(plan)
        adds = [e for e in plan.add.values() if isinstance(e.item, Flow)]
        deletes = [e for e in plan.delete.values() if isinstance(e.item, Flow)]
        strays = [delete_cookie(*stray) for stray in sorted({(flow.table, flow.cookie) for flow in found.strays})]
        if found.groups:
            strays.append(DELETE_GROUPS)
        while adds or deletes or strays:
            messages = strays + [_message(ADD, e) for e in adds] + [_message(DELETE_STRICT, e) for e in deletes]
            rejections = await channel.bundle(messages)
            if not rejections:
                self.written += len(messages)
                break
            refused = self._refused(rejections, [None] * len(strays) + adds)
            if not refused:
                raise ChannelClosed(f"deletes were refused: {rejections[0].error}")
            for e in adds:
                if e.unit in refused:
                    self._owed.setdefault(e.unit, Plan()).add[e.slot] = e
            for e in deletes:
                if e.unit in refused:
                    self._owed.setdefault(e.unit, Plan()).delete[e.slot] = e
            adds = [e for e in adds if e.unit not in refused]
            deletes = [e for e in deletes if e.unit not in refused]
        gone = [e.item for e in plan.delete.values() if isinstance(e.item, MeterConfig)]
        gone += [MeterConfig(self.name, meter, 0, 0) for meter in found.meters]
        if gone:
            await channel.send_fenced([meter_mod(METER_DELETE, meter) for meter in gone])

    def _with_owed(self, plan: Plan) -> Plan:
        """Units that are run again get what they were owed, and their faults are forgotten."""
        units = {e.unit for e in (*plan.add.values(), *plan.delete.values())}
        whole = Plan()
        for unit in units & self.faults.keys():
            del self.faults[unit]
            owed = self._owed.pop(unit, Plan())
            whole.merge(owed.add, owed.delete)
        whole.merge(plan.add, plan.delete)
        return whole

    def _refused(self, rejections: list[Rejection], sent: list[Entry | None]) -> set[UnitKey]:
        refused = set()
        for rejection in rejections:
            if rejection.index < len(sent) and (e := sent[rejection.index]) is not None:
                refused.add(e.unit)
                self.faults[e.unit] = f"{rejection.error} on {self.host} {self.name}: {e.item}"
                self._log.error(
                    "flow refused", unit=e.unit[0].__name__, key=e.unit[1], error=rejection.error, flow=str(e.item)
                )
        return refused

    async def _meters(self, channel: Channel, meters: list[MeterConfig]) -> None:
        """Those that are there already are changed."""
        there = await channel.send_fenced([meter_mod(METER_ADD, meter) for meter in meters])
        if not there:
            return
        again = [meters[rejection.index] for rejection in there]
        for rejection in await channel.send_fenced([meter_mod(METER_MODIFY, meter) for meter in again]):
            self._log.error("meter refused", meter=again[rejection.index].id, error=rejection.error)


def _message(command: int, e: Entry) -> bytes:
    assert isinstance(e.item, Flow)
    return flow_mod(command, e.item.table.number, e.item.priority, e.cookie, e.body)


async def _installed(channel: Channel) -> Installed:
    return Installed(await channel.flows(), await channel.meters(), await channel.groups())
