"""A bare ovsdb-server under a test's own control."""

import asyncio
import json
from pathlib import Path
from signal import SIGCONT, SIGTERM, Signals
from typing import Any

from controller.ovsdb import Connection, connect


class Server:
    """``folder`` holds its file and its socket; each server needs a folder of its own."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.folder = folder
        self.file = folder / "db"
        self.remote = f"unix:{folder}/sock"
        self.control = f"{folder}/ctl"
        self._more = more
        self._process: asyncio.subprocess.Process | None = None

    async def create(self, schema: dict[str, Any]) -> None:
        description = self.folder / "schema"
        description.write_text(json.dumps(schema))
        await run("ovsdb-tool", "create", str(self.file), str(description))

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            "ovsdb-server",
            f"--remote=p{self.remote}",
            f"--unixctl={self.control}",
            *("-vsyslog:off", "-vconsole:off"),
            *self._more,
            str(self.file),
            start_new_session=True,
        )
        (await self.connect()).close()

    async def connect(self, **options: Any) -> Connection:
        async with asyncio.timeout(10):
            while True:
                try:
                    return await connect(self.remote, **options)
                except OSError:
                    await asyncio.sleep(0.01)

    def signal(self, number: Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self, number: Signals = SIGTERM) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(SIGCONT)
        process.send_signal(number)
        async with asyncio.timeout(10):
            await process.wait()


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    assert process.returncode == 0, f"{command}: {error.decode()}"
    return out.decode().strip()
