"""The connection under a channel: OpenFlow 1.5 framing, handshake, signs of life, requests and their answers.

Whatever the peer does (garbage, silence, not reading, closing in the middle of something) ends this link alone, with a
reason; whoever waits for an answer then gets :class:`ChannelClosed`.
"""

import asyncio
import struct
from collections.abc import Sequence
from typing import Any, cast

import structlog

from controller.southbound import message as of
from controller.southbound.error import error_name
from controller.southbound.installed import foreign_changes
from controller.tls import Peer, shown_by

log = structlog.get_logger()

HANDSHAKE = 10.0
"""Seconds in which a peer must have said HELLO and its features."""
MOST_UNREAD = 4 << 20
"""Bytes of answers that a peer may leave unread before it is given up."""
MOST_DUMPED = 256 << 20
"""Bytes of one multipart reply: some two million flows."""
_LAST_XID = 0xFFFFFFFF
_LAST_TYPE = 35


class ChannelClosed(Exception):
    """The channel is gone; of what was under way, nobody knows what the switch has done. Says why."""


class SwitchError(Exception):
    """The switch refused a request as a whole. The message is the error's name."""


class Link(asyncio.Protocol):
    """A peer that has dialled in. Once it has said who it is, ``up`` is true and :meth:`_taken_up` is called."""

    datapath_id: int = 0
    peer: str = "?"
    """Address and port of the switch."""
    host: str = "?"
    """Address of the switch."""
    certificate: Peer | None = None
    """What the switch has shown; None without TLS."""
    up: bool = False

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[str] = self._loop.create_future()
        """Done when the channel has ended; its result is the reason."""
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._greeted = False
        self._made = self._heard = self._probed = self._loop.time()
        self._xid = 0
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._parts: dict[int, list[bytes]] = {}
        """Of multipart replies that are not complete, by xid."""
        self._writable = asyncio.Event()
        self._writable.set()
        self._log = log

    def close(self, reason: str) -> None:
        """End it now. What has not been written yet is lost."""
        self._end(reason)

    def probe(self, limit: float) -> None:
        """To be called now and then: asks a silent switch for a sign of life, and gives up one that does not answer."""
        now = self._loop.time()
        if not self.up:
            if now - self._made > HANDSHAKE:
                self._fail(f"no OpenFlow handshake within {HANDSHAKE:g} s")
        elif self._probed > self._heard:
            if now - self._probed > limit:
                self._fail(f"no answer to an echo request within {limit:g} s")
        elif now - self._heard > limit:
            self._probed = now
            self._post(of.message(of.ECHO_REQUEST, self._xids(1)))

    # ---- what becomes of messages
    def _taken_up(self) -> None:
        raise NotImplementedError

    def _packet_in(self, body: bytes) -> None:
        raise NotImplementedError

    def _touched(self) -> None:
        """Flows, groups or meters were changed, and not by this connection."""

    def _error(self, xid: int, name: str) -> None:
        """An error that answers no request."""
        self._log.warning("switch reports an error", error=name, xid=xid)

    # ---- writing
    def _xids(self, count: int) -> int:
        """The first of so many consecutive transaction ids that are in use by nothing."""
        if self._xid > _LAST_XID - count:
            self._xid = 0
        first = self._xid + 1
        self._xid += count
        return first

    def _ask(self, kind: int, body: bytes = b"") -> asyncio.Future[Any]:
        """Send a request now. The future has its answer, SwitchError or ChannelClosed; it may be left alone."""
        request, answer = self._request(kind, body)
        self._write(request)
        return answer

    def _request(self, kind: int, body: bytes = b"") -> tuple[bytes, asyncio.Future[Any]]:
        """For what is written together: each write is a system call."""
        xid = self._xids(1)
        answer = self._pending[xid] = self._loop.create_future()
        answer.add_done_callback(lambda _: self._pending.pop(xid, None))
        return of.message(kind, xid, body), answer

    def _write(self, data: bytes) -> None:
        if self._transport is None:
            raise ChannelClosed(self.closed.result() if self.closed.done() else "not connected")
        self._transport.write(data)

    def _post(self, data: bytes) -> None:
        """Something small that nobody waits for."""
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() > MOST_UNREAD:
            self._fail(f"has left more than {MOST_UNREAD} bytes unread")
            return
        self._transport.write(data)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # ---- beginning and end
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass of it
        self.certificate = shown_by(transport)
        address = transport.get_extra_info("peername")
        if isinstance(address, Sequence) and len(address) >= 2:
            self.host = str(address[0]).removeprefix("::ffff:")
            self.peer = f"[{self.host}]:{address[1]}" if ":" in self.host else f"{self.host}:{address[1]}"
        self._log = log.bind(peer=self.peer)
        self._transport.write(of.hello(self._xids(1)))

    def connection_lost(self, error: Exception | None) -> None:
        reason = f"connection lost: {error}" if error else "closed by the switch"
        if self._buffer:
            reason += f", {len(self._buffer)} bytes into a message"
        self._end(reason)

    def _fail(self, reason: str) -> None:
        """End it, the peer being at fault."""
        self._end(reason, warn=True)

    def _end(self, reason: str, warn: bool = False) -> None:
        if self.closed.done():
            return
        self.closed.set_result(reason)
        event = "switch disconnected" if self.up else "peer is gone before it was a switch"
        (self._log.warning if warn else self._log.info)(event, reason=reason)
        for answer in list(self._pending.values()):
            if not answer.done():
                answer.set_exception(ChannelClosed(reason))
                answer.exception()  # marks it as seen: it may be that nobody waits for it any more
        self._parts.clear()
        self._writable.set()
        transport, self._transport = self._transport, None
        if transport is not None and not transport.is_closing():
            transport.abort()

    # ---- reading
    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        buffer = self._buffer
        buffer += data
        at, have = 0, len(buffer)
        with memoryview(buffer) as view:
            while have - at >= of.HEADER.size and not self.closed.done():
                version, kind, length, xid = of.HEADER.unpack_from(view, at)
                if self._broken(version, kind, length):
                    shown = bytes(view[at : at + 16])
                    self._fail(f"sent what is no OpenFlow 1.5 message: {shown!r}")
                    return
                if have - at < length:
                    break
                try:
                    self._message(version, kind, xid, bytes(view[at + of.HEADER.size : at + length]))
                except (ValueError, struct.error) as error:
                    self._fail(f"sent a malformed message of type {kind}: {error}")
                    return
                at += length
        del buffer[:at]

    def _broken(self, version: int, kind: int, length: int) -> bool:
        if length < of.HEADER.size:
            return True
        if not self._greeted:
            return kind not in (of.HELLO, of.ERROR) or version == 0
        return version != of.VERSION or kind > _LAST_TYPE

    def _message(self, version: int, kind: int, xid: int, body: bytes) -> None:
        if kind == of.PACKET_IN:
            if self.up:
                self._packet_in(body)
        elif kind == of.MULTIPART_REPLY:
            self._multipart(xid, body)
        elif kind == of.REQUESTFORWARD:
            self._touched()
        elif kind in (of.BARRIER_REPLY, of.BUNDLE_CONTROL):
            self._answer(xid, body)
        elif kind == of.ECHO_REQUEST:
            self._post(of.message(of.ECHO_REPLY, xid, body))
        elif kind == of.ERROR:
            self._refused(xid, error_name(body))
        elif kind == of.HELLO and not self._greeted:
            self._hello(version, body)
        elif kind == of.FEATURES_REPLY and not self.up:
            (self.datapath_id,) = struct.unpack_from("!Q", body)
            self._log = self._log.bind(datapath=f"{self.datapath_id:016x}")
            self.up = True
            self._taken_up()
        # All else (echo replies, port status, …) is but a sign of life.

    def _hello(self, version: int, body: bytes) -> None:
        offered = of.versions(version, body)
        if of.VERSION in offered:
            self._greeted = True
            self._write(of.message(of.FEATURES_REQUEST, self._xids(1)))
            return
        text = f"this controller speaks OpenFlow 1.5, the switch {of.named(offered)}"
        if self._transport is not None:
            # OFPET_HELLO_FAILED, OFPHFC_INCOMPATIBLE, and words for whoever reads the switch's log (section 7.5.4.2)
            self._transport.write(of.message(of.ERROR, self._xids(1), bytes(4) + text.encode()))
            self._transport.close()
        self._fail(text)

    def _answer(self, xid: int, result: Any) -> None:
        answer = self._pending.get(xid)
        if answer is not None and not answer.done():
            answer.set_result(result)

    def _refused(self, xid: int, name: str) -> None:
        answer = self._pending.get(xid)
        if answer is None:
            self._error(xid, name)
        elif not answer.done():
            answer.set_exception(SwitchError(name))
            answer.exception()

    def _multipart(self, xid: int, body: bytes) -> None:
        """The answer is the list of bodies, without the header that says which kind of multipart reply it is."""
        kind, flags = struct.unpack_from("!HH4x", body)
        if xid not in self._pending:
            if kind == of.MULTIPART_FLOW_MONITOR and foreign_changes(body[8:]):
                self._touched()
            return
        parts = self._parts.setdefault(xid, [])
        parts.append(body[8:])
        if not flags & of.MORE:
            self._answer(xid, self._parts.pop(xid))
        elif len(parts) * of.LARGEST > MOST_DUMPED:
            self._fail(f"its multipart reply exceeds {MOST_DUMPED >> 16} messages")
