"""The api process: the application on a socket."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator, Sequence

import structlog
import uvicorn
import uvloop

from controller.northbound.app import create_app
from controller.store import Store

log = structlog.get_logger()

BACKLOG = 1024
GRACE = 5
"""Seconds that requests in progress get when the process is to end."""


def serve(listen: str, remotes: Sequence[str]) -> None:
    """Run until SIGTERM or SIGINT. `listen` is HOST:PORT, [IPv6]:PORT or unix:PATH; `remotes` name the database.

    Raises OSError when the address can't be had, and `Unavailable` when the database does not answer at the start.
    """

    async def until_signalled() -> None:
        running = asyncio.create_task(run(listen, remotes))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await running

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_signalled())


async def run(listen: str, remotes: Sequence[str], ready: Callable[[str], None] | None = None) -> None:
    """The same on a loop that runs, until cancelled; `ready` is called with the URL once requests are answered."""
    listener = bind(listen)
    store = Store(remotes)
    try:
        await store.start()
        config = uvicorn.Config(
            create_app(store),
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE,
        )
        server = _Server(config, lambda: _tell(url(listener), ready))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.should_exit = True
            await serving
            raise
    finally:
        await store.close()
        listener.close()


def bind(listen: str) -> socket.socket:
    if listen.startswith("unix:"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(listen.removeprefix("unix:"))
        return listener
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit():
        raise ValueError(f"{listen}: an address to listen at is HOST:PORT, [IPv6]:PORT or unix:PATH")
    host = host.strip("[]")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, int(port)))
    return listener


def url(listener: socket.socket) -> str:
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _tell(address: str, ready: Callable[[str], None] | None) -> None:
    log.info("api listens", url=address)
    if ready is not None:
        ready(address)


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals are for whoever runs the loop.
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._started()
