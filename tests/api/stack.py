"""An api process for tests, with a database of its own or over one that is there. Ends when its standard input does.

    python -m tests.api.stack data DIRECTORY     a database in DIRECTORY, and an api process over it
    python -m tests.api.stack remote REMOTE      an api process over the database at REMOTE

Prints one line of JSON once requests are answered: {"url": …, "remote": …}.
"""

import asyncio
import contextlib
import json
import logging
import sys

import structlog
import uvloop

from controller.northbound import server
from controller.store import EmbeddedServer


async def main(mode: str, where: str) -> None:
    database = EmbeddedServer(where) if mode == "data" else None
    remote = database.remote if database else where
    if database:
        await database.start()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    ended = asyncio.create_task(reader.read())

    def ready(url: str) -> None:
        print(json.dumps({"url": url, "remote": remote}), flush=True)

    served = asyncio.create_task(server.run("127.0.0.1:0", [remote], ready))
    try:
        await asyncio.wait((ended, served), return_when=asyncio.FIRST_COMPLETED)
        if not served.done():
            served.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await served
    finally:
        if database:
            await database.stop()


if __name__ == "__main__":
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
