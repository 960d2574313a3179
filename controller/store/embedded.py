"""The ovsdb-server that comes with ``tunbridge serve``: its file, its conversion, its process."""

import asyncio
import fcntl
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from controller.model import RECORDS
from controller.model.record import Record
from controller.ovsdb import Connection, Disconnected, OvsdbError, connect
from controller.store.convert import convert, create, database_version
from controller.store.schema import schema, version_number
from controller.store.version import check_version

log = structlog.get_logger()

_READY = 60.0
"""Seconds until a started server must answer: it reads the whole file first."""
_STOP = 10.0
_LONGEST_PATH = 90
"""Bytes of the data directory's path: the address of a unix socket has 108 (unix(7))."""


class DataInUse(Exception):
    """Another process works with this data directory."""


class EmbeddedServer:
    """One ovsdb-server on a database file in ``data``, restarted whenever it dies.

    Nothing outlives :meth:`stop`, and the server is told to end when this process is killed. What a killed run left
    behind (sockets, pid file, a server) is replaced.
    """

    def __init__(self, data: Path | str, *, records: Sequence[type[Record]] = RECORDS) -> None:
        self.data = Path(data).absolute()
        self.file = self.data / "tunbridge.db"
        self.socket = self.data / "db.sock"
        self.remote = f"unix:{self.socket}"
        """What a :class:`Store` connects to."""
        self.pid = 0
        """Of the running server."""
        self._pidfile = self.data / "db.pid"
        self._records = records
        self._lock: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when the server answers.

        Raises DataInUse, StoreTooNew, or OSError/RuntimeError saying what failed.
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
