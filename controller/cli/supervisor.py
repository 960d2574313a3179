"""`tunbridge serve`: the embedded database, one api process and one control process; what dies is started again."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from controller.cli.settings import Settings
from controller.listening import listening, shown
from controller.store.embedded import EmbeddedServer
from controller.tls import Tls

log = structlog.get_logger()

PAUSE_FIRST, PAUSE_MOST = 0.1, 5.0
"""Seconds between an end and the next start, where a process has not stayed; doubled while it does not. One that has
stayed is started at once."""
STAYED = 10.0
"""Seconds after which a process counts as having started well."""
STOP_IN = 10.0


class Process:
    """One child, kept running. It is told its settings on standard input, and ends when that closes: a killed
    supervisor leaves no child behind."""

    def __init__(self, name: str, command: Sequence[str], settings: Settings, inherits: Sequence[int]) -> None:
        self.name, self._command, self._inherits = name, command, inherits
        self._settings = msgspec.json.encode(settings)
        self._child: asyncio.subprocess.Process | None = None

    async def keep(self) -> None:
        """Runs until cancelled."""
        pause = 0.0
        loop = asyncio.get_running_loop()
        try:
            while True:
                begun = loop.time()
                child = self._child = await asyncio.create_subprocess_exec(
                    *self._command, stdin=asyncio.subprocess.PIPE, pass_fds=self._inherits
                )
                assert child.stdin is not None
                child.stdin.write(self._settings + b"\n")
                code = await child.wait()
                stayed = loop.time() - begun > STAYED
                pause = 0.0 if stayed else min(max(pause * 2, PAUSE_FIRST), PAUSE_MOST)
                log.warning("process ended, it is started again", name=self.name, code=code, after=f"{pause:.1f} s")
                await asyncio.sleep(pause)
        finally:
            await self._stop()

    async def _stop(self) -> None:
        child = self._child
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
            try:
                await asyncio.wait_for(child.wait(), STOP_IN)
            except TimeoutError:
                log.warning("process does not stop, it is killed", name=self.name, pid=child.pid)
                child.kill()
                await child.wait()


async def serve(settings: Settings) -> None:
    """Runs until SIGINT or SIGTERM. Raises what the embedded database says when it can't start, and TlsError."""
    if settings.pki is not None:
        Tls(Path(settings.pki), mutual=True)  # here, where whoever has typed it is told what is wrong
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    # Held here, so that whoever dials while a process is started again waits for it, and is not refused.
    sockets = {name: listening(getattr(settings, name)) for name in ("listen", "openflow", "ovsdb")}
    inherited = {name: made.fileno() for name, made in sockets.items()}
    told = msgspec.structs.replace(settings, **{name: f"fd:{number}" for name, number in inherited.items()})
    database = None if settings.db else EmbeddedServer(settings.data)
    if database is not None:
        await database.start()
    python = [sys.executable, "-m", "controller.cli.process"]
    children = [
        Process("control", [*python, "control"], told, [inherited["openflow"], inherited["ovsdb"]]),
        Process("api", [*python, "api"], told, [inherited["listen"]]),
    ]
    tasks = [asyncio.create_task(child.keep(), name=child.name) for child in children]
    addresses = {"rest" if name == "listen" else name: shown(made) for name, made in sockets.items()}
    log.info("serving", **addresses, database=settings.remotes)
    try:
        await stop.wait()
    finally:
        log.info("stopping")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if database is not None:
            await database.stop()
