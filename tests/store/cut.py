"""A wire that can be cut at the worst moments."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from controller.ovsdb.framing import Framer


class Wire:
    """Between a client and the server's socket. Cuts once, at a client's next transaction that writes."""

    def __init__(self, path: Path, server: str) -> None:
        self.remote = f"unix:{path}"
        self._path, self._server = str(path), server.removeprefix("unix:")
        self.drop = ""
        """"request": cut before the server has it. "answer": cut after the server has answered. "silence": keep the
        connection, answer nothing."""
        self.dropped = asyncio.Event()
        self.open = asyncio.Event()
        """While this is clear, new connections wait."""
        self.open.set()

    async def start(self) -> None:
        self._listener = await asyncio.start_unix_server(self._serve, self._path, limit=1 << 26)

    async def stop(self) -> None:
        self._listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.open.wait()
        above_reader, above = await asyncio.open_unix_connection(self._server)
        framer = Framer(1 << 26)
        lost: set[object] = set()

        async def down() -> None:
            answers = Framer(1 << 26)
            while data := await above_reader.read(1 << 16):
                if lost and any(message.get("id") in lost for message in answers.feed(data)):
                    self.dropped.set()
                    if mode == "answer":
                        break
                    await asyncio.Event().wait()
                writer.write(data)
            writer.close()

        mode = ""
        answering = asyncio.create_task(down())
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                for message in framer.feed(data):
                    if self.drop and message.get("method") == "transact" and _writes(message["params"][1:]):
                        mode, self.drop = self.drop, ""
                        if mode == "request":
                            self.dropped.set()
                            writer.close()
                            data = b""
                        else:
                            lost.add(message["id"])
                if data:
                    above.write(data)
        if not lost:
            answering.cancel()
        above.close()
        writer.close()


def _writes(operations: list[dict[str, Any]]) -> bool:
    return any(operation["op"] in ("insert", "update", "delete") for operation in operations)
