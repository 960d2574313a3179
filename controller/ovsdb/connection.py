"""One OVSDB connection (RFC 7047), in either direction: we dial a server, or a host's server dials us."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, cast

import orjson
import structlog

from controller.listening import listening
from controller.ovsdb.framing import Framer
from controller.tls import Peer, Server, Tls, accept, shown_by

log = structlog.get_logger()

LARGEST_MESSAGE = 64 << 20
"""Bytes of one message from the peer, unless told otherwise."""
UNSENT_LIMIT = 64 << 20
"""Bytes that may wait for a peer that does not read."""


class OvsdbError(Exception):
    """The server answered with an error (RFC 7047 section 3.1, <error>)."""

    def __init__(self, error: str, details: str = "", operation: int = -1) -> None:
        super().__init__(error, details)
        self.error = error
        self.details = details
        self.operation = operation
        """Of a transaction: index of the operation that failed; the number of operations when the commit did."""

    def __str__(self) -> str:
        return f"{self.error}: {self.details}" if self.details else self.error


class Disconnected(Exception):
    """The connection is gone, and why. What was in flight may or may not have been done."""


class Connection(asyncio.Protocol):
    """JSON-RPC calls, echo both ways, and the notifications of monitors.

    A peer that is silent for ``probe`` seconds is sent an echo; when nothing at all comes for another ``probe``
    seconds, the connection is closed. Callbacks run inside the event loop's read, so they must not block; one that
    raises is logged and closes the connection.
    """

    def __init__(
        self,
        *,
        on_update: Callable[[list[Any]], None] | None = None,
        on_closed: Callable[[Exception | None], None] | None = None,
        on_made: Callable[["Connection"], None] | None = None,
        probe: float = 5.0,
        largest: int = LARGEST_MESSAGE,
    ) -> None:
        self.on_update = on_update
        """Given the parameters of each update notification whose monitor id is not in :attr:`monitors`."""
        self.on_closed = on_closed
        self.on_made = on_made
        self.monitors: dict[str, Callable[[list[Any]], None]] = {}
        """Monitor id -> callback, given the parameters of its update notifications."""
        self.peer: tuple[Any, ...] | str = ""
        """Address of the other end."""
        self.certificate: Peer | None = None
        """What the other end has shown; None without TLS."""
        self.local: tuple[Any, ...] | str = ""
        """Address of this end."""
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[Exception | None] = self._loop.create_future()
        """Done when the connection is gone; its result is the reason, None if :meth:`close` was called without one."""
        self._probe = probe
        self._framer = Framer(largest)
        self._transport: asyncio.Transport | None = None
        self._ids = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._out: list[bytes] = []
        self._reason: Exception | None = None
        self._closing = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._paused_at = 0.0
        self._heard = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    # what callers use

    async def call(self, method: str, *params: object, timeout: float = 30.0) -> Any:
        """The result of one request.

        Raises OvsdbError, Disconnected, or TimeoutError after ``timeout`` seconds. A time-out closes the connection:
        whether the peer still does what it was asked is unknown, and what comes later is nothing to build on.
        """
        number = next(self._ids)
        try:
            async with asyncio.timeout(timeout):
                while not self._writable.is_set():
                    await self._writable.wait()
                answer = self._pending[number] = self._loop.create_future()
                self._send({"method": method, "params": params, "id": number})
                return await answer
        except TimeoutError:
            message = f"{_text(self.peer)} did not answer {method} within {timeout:g} s"
            self._lose(Disconnected(message))
            raise TimeoutError(message) from None
        finally:
            self._pending.pop(number, None)

    async def transact(self, db: str, *operations: dict[str, Any], timeout: float = 30.0) -> list[dict[str, Any]]:
        """One transaction (RFC 7047 section 4.1.3): the result of each operation.

        Raises the OvsdbError of the operation that failed, or of the commit, besides what :meth:`call` raises.
        """
        results: list[dict[str, Any]] = await self.call("transact", db, *operations, timeout=timeout)
        for index, result in enumerate(results):
            if result and "error" in result:
                raise OvsdbError(result["error"], result.get("details", ""), index)
        return results

    def close(self, reason: str = "") -> None:
        """Closes at once. Calls in flight raise Disconnected."""
        self._lose(Disconnected(reason) if reason else None)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.peer = transport.get_extra_info("peername") or ""
        self.local = transport.get_extra_info("sockname") or ""
        self.certificate = shown_by(transport)
        self._heard = self._loop.time()
        self._check_in(self._probe)
        if self._closing:
            self._transport.abort()
        elif self.on_made:
            self._guarded(self.on_made, self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._transport = None
        reason = self._reason
        if reason is None and exc is not None:
            reason = Disconnected(f"{_text(self.peer)}: {exc}")
        if self._timer:
            self._timer.cancel()
        self._writable.set()
        failure = reason or Disconnected(f"the connection with {_text(self.peer)} was closed")
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(failure)
        self._pending.clear()
        self.monitors.clear()
        if not self.closed.done():
            self.closed.set_result(reason)
        if self.on_closed:
            self._guarded(self.on_closed, reason)

    def eof_received(self) -> None:
        self._lose(Disconnected(f"{_text(self.peer)} closed the connection"))

    def pause_writing(self) -> None:
        self._writable.clear()
        self._paused_at = self._loop.time()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        if self._closing:
            return
        try:
            messages = self._framer.feed(data)
        except ValueError as error:
            self._lose(Disconnected(f"{_text(self.peer)} sent what is not OVSDB: {error}"))
            return
        for message in messages:
            if self._closing:
                return
            self._guarded(self._message, message)

    # inside

    def _message(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method is None:
            answer = self._pending.pop(message.get("id"), None)  # type: ignore[arg-type]
            if answer is None or answer.done():
                return
            error = message.get("error")
            if error is None:
                answer.set_result(message.get("result"))
            elif isinstance(error, dict):
                answer.set_exception(OvsdbError(str(error.get("error", "")), str(error.get("details", ""))))
            else:
                answer.set_exception(OvsdbError(str(error)))
        elif method in ("update3", "update2", "update"):
            params = message["params"]
            monitor = params[0]
            callback = self.monitors.get(monitor) if isinstance(monitor, str) else None
            if callback is None:
                callback = self.on_update
            if callback is not None:
                callback(params)
        elif method == "echo":
            self._send({"id": message.get("id"), "result": message.get("params", []), "error": None})
        elif message.get("id") is not None:
            self._send({"id": message["id"], "result": None, "error": "unknown method"})

    def _guarded(self, callback: Callable[[Any], None], argument: Any) -> None:
        try:
            callback(argument)
        except Disconnected:
            pass
        except Exception as error:
            log.exception("ovsdb connection closed: a handler failed", peer=_text(self.peer))
            self._lose(Disconnected(f"a handler failed: {error!r}"))

    def _send(self, message: dict[str, Any]) -> None:
        """Queues one message; those of one turn of the loop leave in one write."""
        if self._closing or self._transport is None:
            raise self._reason or Disconnected("not connected")
        data = orjson.dumps(message)
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._closing or self._transport is None:
            return
        self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        if self._transport.get_write_buffer_size() > UNSENT_LIMIT:
            self._lose(Disconnected(f"{_text(self.peer)} does not read: {UNSENT_LIMIT} bytes are waiting"))

    def _check(self) -> None:
        """Runs when the peer may have been silent for long enough to be asked, or to be given up."""
        if self._closing:
            return
        now = self._loop.time()
        idle = now - self._heard
        if not self._writable.is_set() and now - self._paused_at >= 2 * self._probe:
            self._lose(Disconnected(f"{_text(self.peer)} has not read for {now - self._paused_at:.0f} s"))
            return
        if now - self._due > self._probe / 2:
            # This process itself stood still, so what the peer sent may not have been read yet.
            self._check_in(self._probe / 2)
            return
        if idle >= 2 * self._probe:
            self._lose(Disconnected(f"{_text(self.peer)} is silent: no answer to an echo in {self._probe:g} s"))
            return
        wait = self._probe - idle
        if wait <= 0:
            self._send({"method": "echo", "params": [], "id": "echo"})
            wait = 2 * self._probe - idle
        self._check_in(max(wait, 0.001))

    def _check_in(self, seconds: float) -> None:
        self._due = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, self._check)

    def _lose(self, reason: Exception | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._reason = reason
        if self._transport is not None:
            self._transport.abort()


def _text(address: tuple[Any, ...] | str | bytes) -> str:
    if isinstance(address, tuple):
        return f"{address[0]}:{address[1]}" if ":" not in address[0] else f"[{address[0]}]:{address[1]}"
    return (address if isinstance(address, str) else address.decode(errors="replace")) or "the peer"


def split_address(address: str) -> tuple[str, int]:
    """``HOST:PORT`` or ``[v6]:PORT`` -> (host, port). Raises ValueError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r} is not HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


async def connect(remote: str, *, timeout: float = 10.0, **options: Any) -> Connection:
    """Dials ``unix:PATH``, ``tcp:HOST:PORT`` or ``tcp:[v6]:PORT``; ``options`` are those of :class:`Connection`.

    Raises OSError (TimeoutError is one) or ValueError for a remote of another form.
    """
    loop = asyncio.get_running_loop()
    kind, _, address = remote.partition(":")
    try:
        async with asyncio.timeout(timeout):
            if kind == "unix":
                _, connection = await loop.create_unix_connection(lambda: Connection(**options), address)
            elif kind == "tcp":
                host, port = split_address(address)
                _, connection = await loop.create_connection(lambda: Connection(**options), host, port)
            else:
                raise ValueError(f"{remote!r} is neither unix:PATH nor tcp:HOST:PORT")
    except TimeoutError:
        raise TimeoutError(f"no connection to {remote} within {timeout:g} s") from None
    if not connection.peer:
        connection.peer = address
    return connection


async def listen(address: str, made: Callable[[Connection], None], tls: Tls | None = None, **options: Any) -> Server:
    """Accepts connections at an address (see :func:`listening`) and gives each to ``made`` when it is up."""
    return await accept(listening(address), lambda: Connection(on_made=made, **options), tls)
