"""The api process: the application on a socket."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import structlog
import uvicorn
import uvloop

from controller.listening import listening, shown
from controller.northbound.app import create_app
from controller.store import Store
from controller.tls import Tls

log = structlog.get_logger()

CONNECTIONS = 1000
"""Clients' connections at a time; who comes in addition is answered 503."""
GRACE = 5
"""Seconds that requests in progress get when the process is to end."""


def serve(listen: str, remotes: Sequence[str]) -> None:
    """`run` on a loop of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(listen, remotes))


async def run(
    listen: str, remotes: Sequence[str], ready: Callable[[str], None] | None = None, pki: str | None = None
) -> None:
    """Answer requests until SIGTERM, SIGINT or cancellation; those in progress are finished.

    `listen` is what `listening` takes; `remotes` name the database; `ready` is called with the URL once
    requests are answered. Raises OSError when the address can't be had, ValueError when it is none, and `Unavailable`
    when the database does not answer at the start. `pki`: folder of certificates, with which it is HTTPS.
    """
    tls = Tls(Path(pki), mutual=False) if pki else None
    listener = listening(listen)
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
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=GRACE,
        )
        config.load()
        config.ssl = tls.context if tls else None
        server = _Server(config, lambda: _tell(_url(listener, tls is not None), ready))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        with _on_signal(server.stop):
            try:
                await asyncio.shield(serving)
            except asyncio.CancelledError:
                server.stop()
                await serving
                raise
    finally:
        await store.close()
        listener.close()


@contextlib.contextmanager
def _on_signal(stop: Callable[[], None]) -> Iterator[None]:
    loop, numbers = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _url(listener: socket.socket, secure: bool) -> str:
    return shown(listener) if listener.family == socket.AF_UNIX else f"http{'s' * secure}://{shown(listener)}"


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
        # Uvicorn's own handlers end the process by the signal, before the store is closed.
        yield

    def stop(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._started()
