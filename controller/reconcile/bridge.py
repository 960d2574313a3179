"""One bridge of one host: bring what is installed to what is wanted, and know when it is.

Adopting (after a connection) compares cookies: what is equal stays, what is missing is added, what nobody wants goes.
From then on only plans are applied. A connection lost or a time-out makes the next connection adopt again.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import structlog

from controller.compile.compiler import Plan
from controller.compile.ledger import Entry, Slot, UnitKey
from controller.southbound.channel import Channel, Rejection
from controller.southbound.link import ChannelClosed
from flows.flow import Flow, MeterConfig
from flows.wire import ADD, DELETE_STRICT, METER_ADD, METER_DELETE, METER_MODIFY, delete_cookie, flow_mod, meter_mod

NEVER = float("inf")
EXACTLY = (1 << 64) - 1
"""Cookie mask."""


class Bridge:
    """``desired`` gives the entries that belong here now; ``changed`` is called whenever more is confirmed, or less;
    ``empty`` before a switch without any flow of ours is filled."""

    def __init__(
        self,
        host: str,
        name: str,
        desired: Callable[[], Iterator[Entry]],
        changed: Callable[[], None],
        empty: Callable[[], None],
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
        self._desired, self._changed, self._empty = desired, changed, empty
        self._allowed = False
        self._pending = Plan()
        self._pending_since = NEVER
        self._in_flight_since = NEVER
        self._wake = asyncio.Event()
        self._log = structlog.get_logger().bind(host=host, bridge=name)
        self._task = asyncio.create_task(self._run(), name=f"{name} on {host}")

    async def close(self) -> None:
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

    def settled(self, version: int) -> bool:
        """Has the switch confirmed everything up to this version?"""
        return self.adopted and min(self._pending_since, self._in_flight_since) > version

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
                while self._pending and channel is self.channel:
                    plan, self._pending = self._pending, Plan()
                    self._in_flight_since, self._pending_since = self._pending_since, NEVER
                    await self._apply(channel, plan)
                    self._in_flight_since = NEVER
                    self._changed()
            except (ChannelClosed, TimeoutError) as error:
                self._log.warning("switch lost while flows were being sent", reason=str(error) or "no answer in time")
                self._lost(channel)
            except Exception:
                self._log.exception("flows could not be sent; the connection is closed and begins anew")
                self._lost(channel)

    def _lost(self, channel: Channel) -> None:
        self._in_flight_since = self._pending_since = NEVER
        self._pending = Plan()
        channel.close("flows could not be sent; the next connection begins anew")
        self.disconnect(channel)

    async def _adopt(self, channel: Channel) -> None:
        installed = await channel.flows()
        meters = await channel.meters()
        if not any(flow.cookie for flow in installed):
            self._empty()
        # From here to the first await, what is desired and what later plans add to it are one sequence.
        self._pending, self._pending_since, self._in_flight_since = Plan(), NEVER, 0
        wanted = {e.slot: e for e in self._desired()}
        here = {flow.cookie for flow in installed}
        cookies = {e.cookie for e in wanted.values()}
        missing: dict[Slot, Entry] = {}
        for slot, e in wanted.items():
            if isinstance(e.item, MeterConfig):
                if meters.get(e.item.id) != (e.item.rate, e.item.burst):
                    missing[slot] = e
            elif e.cookie not in here:
                missing[slot] = e
        strays = sorted({(flow.table, flow.cookie) for flow in installed if flow.cookie not in cookies})
        self._owed.clear()
        await self._apply(channel, Plan(missing), [delete_cookie(*stray, EXACTLY) for stray in strays])
        self._in_flight_since = NEVER
        self.adopted = True
        self._log.info(
            "adopted", kept=len(here & cookies), added=len(missing), removed=len(strays), refused=len(self.faults)
        )
        self._changed()

    async def _apply(self, channel: Channel, plan: Plan, extra: list[bytes] | None = None) -> None:
        """Meters added, one bundle of adds and then deletes, meters removed. A refused flow takes its unit's other
        flows out of the bundle, and the rest goes on."""
        for e in plan.add.values():
            if isinstance(e.item, MeterConfig):
                await self._meter(channel, e.item)
        plan = self._with_owed(plan)
        adds = [e for e in plan.add.values() if isinstance(e.item, Flow)]
        deletes = [e for e in plan.delete.values() if isinstance(e.item, Flow)]
        while adds or deletes or extra:
            messages = [_message(ADD, e) for e in adds] + (extra or []) + [_message(DELETE_STRICT, e) for e in deletes]
            rejections = await channel.bundle(messages)
            if not rejections:
                self.written += len(messages)
                break
            refused = self._refused(rejections, adds)
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
        for e in plan.delete.values():
            if isinstance(e.item, MeterConfig):
                await channel.send_fenced([meter_mod(METER_DELETE, e.item)])

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

    def _refused(self, rejections: list[Rejection], adds: list[Entry]) -> set[UnitKey]:
        refused = set()
        for rejection in rejections:
            if rejection.index < len(adds):
                e = adds[rejection.index]
                refused.add(e.unit)
                self.faults[e.unit] = f"{rejection.error} on {self.host} {self.name}: {e.item}"
                self._log.error(
                    "flow refused", unit=e.unit[0].__name__, key=e.unit[1], error=rejection.error, flow=str(e.item)
                )
        return refused

    async def _meter(self, channel: Channel, meter: MeterConfig) -> None:
        if await channel.send_fenced([meter_mod(METER_MODIFY, meter)]):
            rejections = await channel.send_fenced([meter_mod(METER_ADD, meter)])
            for rejection in rejections:
                self._log.error("meter refused", meter=meter.id, error=rejection.error)


def _message(command: int, e: Entry) -> bytes:
    assert isinstance(e.item, Flow)
    return flow_mod(command, e.item.table.number, e.item.priority, e.cookie, e.body)
