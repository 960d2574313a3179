"""One switch's OpenFlow 1.5 channel: bundles, what is installed, packets in and out."""

import asyncio
import struct
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from controller.southbound import message as of
from controller.southbound.installed import (
    ALL_FLOWS,
    ALL_GROUPS,
    ALL_METERS,
    InstalledFlow,
    installed_flows,
    installed_groups,
    installed_meters,
)
from controller.southbound.link import ChannelClosed, Link, SwitchError
from controller.southbound.packet import PacketIn, packet_in, packet_out

T = TypeVar("T")

CHUNK = 64 << 10
"""Bytes written before the loop's other work gets a turn; building a chunk takes less than a millisecond."""
PACKET_INS, BURST = 2000, 100
"""Packets a second that one switch may send up, and how many at once. Beyond that it is not read for a while: it keeps
or drops them itself, and its other answers wait as well; other switches notice nothing."""
BREATH = 0.05
"""Seconds for which a switch that sends more is not read."""


class Rejection(msgspec.Struct, frozen=True):
    """A message that the switch refused."""

    index: int
    """Into the messages given."""
    error: str
    """The switch's error by name, as ``OFPBAC_BAD_SET_ARGUMENT``."""


class _Batch(msgspec.Struct, frozen=True):
    """Numbered messages under way; errors are matched to them by xid."""

    first: int
    count: int
    errors: dict[int, str]

    def rejections(self) -> list[Rejection]:
        return [Rejection(index, self.errors[index]) for index in sorted(self.errors)]


_NO_BATCH = _Batch(0, 0, {})


class Channel(Link):
    """``on_up`` is called once, when the switch has said who it is; from then on the methods may be used.

    Every method that waits has a limit; exceeding it closes the channel, since the outcome is then unknown.
    """

    packet_ins_dropped: int = 0
    pauses: int = 0
    """How often it was not read for a while, because it sent too many packets."""
    packet_outs_dropped: int = 0

    def __init__(
        self, *, on_up: Callable[["Channel"], None], on_packet_in: Callable[["Channel", PacketIn], None]
    ) -> None:
        super().__init__()
        self._on_up, self._on_packet_in = on_up, on_packet_in
        self._batch = _NO_BATCH
        self._turn = asyncio.Lock()
        self._allowance, self._allowed_at = float(BURST), self._loop.time()
        self._breathing = False
        self._on_touched: Callable[[], None] = lambda: None

    # ---- what others do with a switch
    async def bundle(self, messages: Sequence[bytes], timeout: float = 30.0) -> list[Rejection]:
        """All or nothing: when any message is rejected nothing is changed and the rejections are returned, else [].

        ``messages``: complete flow mods or group mods (not meter mods, which OVS refuses in bundles), whose xids do not
        matter. They take effect in this order, and when this returns they have. Raises ChannelClosed and SwitchError.
        """
        return await self._limited(self._do_bundle(messages), timeout, f"a bundle of {len(messages)} messages")

    async def send_fenced(self, messages: Sequence[bytes], timeout: float = 30.0) -> list[Rejection]:
        """Each message on its own, then a barrier: what is not among the rejections has taken effect."""
        return await self._limited(self._do_fenced(messages), timeout, f"{len(messages)} messages and a barrier")

    async def barrier(self, timeout: float = 30.0) -> None:
        await self._limited(self._barrier(), timeout, "a barrier")

    async def flows(self, timeout: float = 30.0) -> list[InstalledFlow]:
        """Everything that is installed on the bridge."""
        return await self._limited(
            self._dump(of.MULTIPART_FLOW_DESC, ALL_FLOWS, installed_flows), timeout, "a description of its flows"
        )

    async def meters(self, timeout: float = 30.0) -> dict[int, tuple[int, int]]:
        """Meter id -> (rate, burst)."""
        found = self._dump(of.MULTIPART_METER_DESC, ALL_METERS, installed_meters)
        return dict(await self._limited(found, timeout, "a description of its meters"))

    async def groups(self, timeout: float = 30.0) -> list[int]:
        """Ids of all groups."""
        found = self._dump(of.MULTIPART_GROUP_DESC, ALL_GROUPS, installed_groups)
        return await self._limited(found, timeout, "a description of its groups")

    async def watch(self, touched: Callable[[], None], timeout: float = 30.0) -> None:
        """From now on, ``touched`` is called when flows, groups or meters are changed by other connections.

        Raises SwitchError where the switch can't tell (Open vSwitch before 2.16).
        """
        self._on_touched = touched
        self._write(of.message(of.SET_ASYNC, self._xids(1), of.REQUESTFORWARD_OF_OTHERS))
        await self._limited(self._monitor(), timeout, "a flow monitor")

    def packet_out(self, in_port: int, data: bytes, actions: bytes) -> None:
        """Send a frame through encoded actions. Dropped and counted while the switch does not keep up with reading.

        Raises ValueError when it does not fit one message. After the channel has closed it does nothing.
        """
        if self._transport is None:
            return
        frame = packet_out(self._xids(1), in_port, data, actions)
        if self._writable.is_set():
            self._transport.write(frame)
        else:
            self.packet_outs_dropped += 1

    # ---- requests
    async def _limited(self, work: Coroutine[Any, Any, T], timeout: float, what: str) -> T:
        try:
            async with asyncio.timeout(timeout):
                return await work
        except TimeoutError:
            self._fail(f"did not finish {what} within {timeout:g} s")
            raise ChannelClosed(self.closed.result()) from None

    async def _barrier(self) -> None:
        await self._ask(of.BARRIER_REQUEST)

    async def _monitor(self) -> None:
        await self._ask(of.MULTIPART_REQUEST, of.multipart(of.MULTIPART_FLOW_MONITOR, of.FLOW_CHANGES_OF_OTHERS))

    async def _do_bundle(self, messages: Sequence[bytes]) -> list[Rejection]:
        large = [
            Rejection(index, f"a message of {len(inner)} bytes does not fit a bundle message")
            for index, inner in enumerate(messages)
            if len(inner) > of.LARGEST - of.BUNDLE_OVERHEAD
        ]
        if large or not messages:
            return large
        async with self._turn:
            batch = self._begin(len(messages))
            bundle = batch.first  # as good an identifier as any
            try:
                opening, opened = self._request(of.BUNDLE_CONTROL, of.bundle_control(bundle, of.OPEN))
                # An atomic bundle with rejected members still commits the others, so look before committing.
                fence, through = self._request(of.BARRIER_REQUEST)
                await self._stream(
                    messages, batch.first, lambda xid, inner: of.bundle_add(xid, bundle, inner), opening, fence
                )
                await through
                await opened
                if batch.errors:
                    await self._ask(of.BUNDLE_CONTROL, of.bundle_control(bundle, of.DISCARD))
                else:
                    await self._commit(bundle, batch)
                return batch.rejections()
            except asyncio.CancelledError:
                if not self.closed.done():
                    self._ask(of.BUNDLE_CONTROL, of.bundle_control(bundle, of.DISCARD))
                raise
            finally:
                self._batch = _NO_BATCH

    async def _commit(self, bundle: int, batch: _Batch) -> None:
        commit, committed = self._request(of.BUNDLE_CONTROL, of.bundle_control(bundle, of.COMMIT))
        fence, through = self._request(of.BARRIER_REQUEST)
        self._write(commit + fence)
        try:
            await committed
        except SwitchError:  # the member at fault has an error of its own, which has come before this one
            if not batch.errors:
                raise
        await through

    async def _do_fenced(self, messages: Sequence[bytes]) -> list[Rejection]:
        async with self._turn:
            batch = self._begin(len(messages))
            try:
                fence, through = self._request(of.BARRIER_REQUEST)
                await self._stream(messages, batch.first, of.with_xid, b"", fence)
                await through
                return batch.rejections()
            finally:
                self._batch = _NO_BATCH

    def _begin(self, count: int) -> _Batch:
        self._batch = _Batch(self._xids(count), count, {})
        return self._batch

    async def _stream(
        self, messages: Sequence[bytes], xid: int, wrap: Callable[[int, bytes], bytes], before: bytes, after: bytes
    ) -> None:
        """Write them with ascending xids, a chunk at a time, no faster than the switch reads."""
        chunk = [before]
        size = 0
        for number, inner in enumerate(messages, xid):
            wrapped = wrap(number, inner)
            chunk.append(wrapped)
            size += len(wrapped)
            if size >= CHUNK:
                self._write(b"".join(chunk))
                chunk.clear()
                size = 0
                await asyncio.sleep(0)
                await self._writable.wait()
        chunk.append(after)
        self._write(b"".join(chunk))

    async def _dump(self, kind: int, body: bytes, walk: Callable[[bytes], Iterable[T]]) -> list[T]:
        found: list[T] = []
        for part in await self._ask(of.MULTIPART_REQUEST, of.multipart(kind, body)):
            try:
                found.extend(walk(part))
            except (ValueError, struct.error) as error:
                self._fail(f"malformed multipart reply: {error}")
                raise ChannelClosed(self.closed.result()) from None
            await asyncio.sleep(0)
        return found

    # ---- what comes by itself
    def _taken_up(self) -> None:
        try:
            self._on_up(self)
        except Exception:
            self._log.exception("the controller failed to take a switch up")
            self.close("the controller failed to take it up")

    def _touched(self) -> None:
        self._on_touched()

    def _error(self, xid: int, name: str) -> None:
        batch = self._batch
        if batch.first <= xid < batch.first + batch.count:
            batch.errors.setdefault(xid - batch.first, name)
        else:
            super()._error(xid, name)

    def _packet_in(self, body: bytes) -> None:
        if self._allowance < 1:
            self._refill()
        if self._allowance < 1:
            # The rest of what has been read.
            self.packet_ins_dropped += 1
            self._take_breath()
            return
        self._allowance -= 1
        packet = packet_in(self.datapath_id, body)
        try:
            self._on_packet_in(self, packet)
        except Exception:
            self._log.exception("a packet could not be answered", in_port=packet.in_port, table=packet.table)

    def _refill(self) -> None:
        now = self._loop.time()
        self._allowance = min(self._allowance + (now - self._allowed_at) * PACKET_INS, float(BURST))
        self._allowed_at = now

    def _take_breath(self) -> None:
        if not self._breathing and self._transport is not None:
            self._breathing = True
            self.pauses += 1
            self._transport.pause_reading()
            self._loop.call_later(BREATH, self._go_on)

    def _go_on(self) -> None:
        self._breathing = False
        if self._transport is not None:
            self._transport.resume_reading()
