"""The ovsdb-server that comes with ``tunbridge serve``: its file, its process."""

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import structlog

from controller.model import RECORDS
from controller.model.record import Record
from controller.ovsdb import Disconnected, OvsdbError, connect
from controller.store.convert import convert, create, needs_conversion, read_schema
from controller.store.schema import VERSION, schema
from controller.store.version import refuse_newer

log = structlog.get_logger()

_READY = 60.0
"""Seconds until a started server must answer: it reads the whole file first."""
_STOP = 10.0
"""Seconds that a server gets to end before it is killed."""
_BACKOFF = 0.1, 1.0
"""Seconds between starts of a server that does not last: first, largest."""
_LONGEST_PATH = 90
"""Bytes of the data directory's path: the address of a unix socket has 108 (unix(7))."""
_LONGEST_LOG = 1 << 20


class DataInUse(Exception):
    """Another process works with this data directory."""


class EmbeddedServer:
    """One ovsdb-server on a database file in ``data``, restarted whenever it dies.

    Nothing outlives :meth:`stop`, and the server ends when this process is killed. What a killed run left behind
    (sockets, pid file, even a server) is replaced.
    """

    def __init__(self, data: Path | str, *, records: Sequence[type[Record]] = RECORDS, version: str = VERSION) -> None:
        self.data = Path(data).absolute()
        self.file = self.data / "tunbridge.db"
        self.socket = self.data / "db.sock"
        self.log_file = self.data / "db.log"
        self.remote = f"unix:{self.socket}"
        """What a :class:`Store` connects to."""
        self._pidfile = self.data / "db.pid"
        self._records = records
        self._version = version
        self._lock: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the server, while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Returns when the server answers.

        Raises DataInUse, StoreTooNew, ValueError for a path that is too long, or OSError or RuntimeError that say what
        failed.
        """
        if len(os.fsencode(self.data)) > _LONGEST_PATH:
            raise ValueError(f"the path of the data directory {self.data} is longer than {_LONGEST_PATH} bytes")
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._take_lock()
        try:
            await self._end_orphan()
            await self._prepare_file()
            await self._launch()
        except BaseException:
            await self.stop()
            raise
        self._task = asyncio.create_task(self._keep(), name="embedded database")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._end()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # the file

    def _take_lock(self) -> None:
        descriptor = os.open(self.data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip()
            os.close(descriptor)
            raise DataInUse(f"process {holder} works with the data directory {self.data}: stop it first") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._lock = descriptor

    async def _prepare_file(self) -> None:
        wanted = schema(self._records, self._version)
        if not self.file.exists():
            await create(self.file, wanted)
            log.info("database created", file=str(self.file), version=self._version)
            return
        version = read_schema(self.file).get("version", "")
        refuse_newer(version, str(self.file), self._version)
        if await needs_conversion(self.file, wanted):
            kept = await convert(self.file, wanted, self._records)
            log.info("database converted", file=str(self.file), old=version, new=self._version, kept=str(kept))

    # the process

    async def _end_orphan(self) -> None:
        """Ends a server that an earlier run of ours left: we hold the lock, so nobody looks after it."""
        try:
            pid = int(self._pidfile.read_text())
            descriptor = os.pidfd_open(pid)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return
        try:
            if f"--pidfile={self._pidfile}".encode() not in _command(pid):
                return
            log.warning("ending the database server of an earlier run", pid=pid)
            for number in (signal.SIGTERM, signal.SIGKILL):
                signal.pidfd_send_signal(descriptor, number)
                if await _ended(descriptor):
                    return
            raise RuntimeError(f"the database server {pid} of an earlier run can't be ended")
        except (FileNotFoundError, ProcessLookupError):
            return
        finally:
            os.close(descriptor)

    async def _launch(self) -> None:
        if self.log_file.exists() and self.log_file.stat().st_size > _LONGEST_LOG:
            self.log_file.unlink()
        with self.log_file.open("ab") as output:
            # A session of its own: Ctrl-C at a terminal is for us, who end it in order.
            self._process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "TERM", "--"),
                "ovsdb-server",
                f"--remote=punix:{self.socket}",
                f"--pidfile={self._pidfile}",
                f"--unixctl={self.data / 'db.ctl'}",
                *("-vsyslog:off", "-vconsole:info"),
                str(self.file),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        await self._wait_ready(self._process)
        log.info("database server started", pid=self._process.pid)

    async def _wait_ready(self, process: asyncio.subprocess.Process) -> None:
        """ovsdb-server says nothing when it is ready, so it is asked until it answers."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _READY
        while loop.time() < deadline:
            if process.returncode is not None:
                raise RuntimeError(f"ovsdb-server ended at once ({process.returncode}): {self._last_words()}")
            with contextlib.suppress(OSError, Disconnected, OvsdbError):
                connection = await connect(self.remote, timeout=1.0)
                try:
                    await connection.call("echo", timeout=_READY)
                finally:
                    connection.close()
                return
            await asyncio.sleep(0.01)
        raise RuntimeError(f"ovsdb-server does not answer at {self.socket} after {_READY:g} s: {self._last_words()}")

    def _last_words(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines()
        return " / ".join(lines[-3:]) or "it said nothing"

    async def _keep(self) -> None:
        """Starts the server again whenever it has ended."""
        loop = asyncio.get_running_loop()
        delay, most = _BACKOFF
        while True:
            since = loop.time()
            if self._process is not None:
                code = await self._process.wait()
                log.error("database server ended, starting it again", code=code, last_words=self._last_words())
            if loop.time() - since > most:
                delay = _BACKOFF[0]
            else:
                await asyncio.sleep(delay)
                delay = min(2 * delay, most)
            try:
                await self._launch()
            except (OSError, RuntimeError) as error:
                log.error("database server can't be started", error=str(error))
                await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_STOP):
                await process.wait()
        except TimeoutError:
            log.warning("database server killed: it did not end when told to", pid=process.pid)
            process.kill()
            await process.wait()


def _command(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


async def _ended(descriptor: int) -> bool:
    """Whether the process of a pidfd ends within _STOP seconds."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        async with asyncio.timeout(_STOP):
            await ended.wait()
        return True
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
