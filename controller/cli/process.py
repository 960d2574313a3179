"""The two processes that `tunbridge serve` keeps: ``python -m controller.cli.process control|api``.

Settings come as one line of JSON on standard input, which stays open for as long as the process is wanted.
"""

import sys

# structlog loads it if it is there: a tenth of a second of each start, for tracebacks that no log of ours shows.
sys.modules["rich"] = None  # type: ignore[assignment]

import asyncio
import contextlib
import gc
import os
import resource
import signal

import msgspec
import structlog

from controller.cli.settings import Settings
from controller.observe.log import configure
from controller.store.step import Unavailable

log = structlog.get_logger()


async def run_control(settings: Settings) -> None:
    """Until SIGINT, SIGTERM or the end of standard input, at whatever stage."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    end_with_parent()
    serving = asyncio.create_task(_control(settings), name="control")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def _control(settings: Settings) -> None:
    from controller.control import Control, Options
    from controller.observe.endpoint import Endpoint
    from controller.store.store import Store

    options = Options(openflow=settings.openflow, ovsdb=settings.ovsdb, advertise=settings.advertise, pki=settings.pki)
    control = Control(Store(settings.remotes, facts=False), options)
    endpoint = Endpoint(control, settings.operator)
    try:
        # Nearly all that comes into being here stays: it is not looked through for garbage, now or later.
        gc.disable()
        await control.start()
        gc.freeze()
        gc.enable()
        url = await endpoint.start()
        await control.announce(url)
        log.info("control serves", openflow=control.ports[0], ovsdb=control.ports[1], operators=url)
        await asyncio.Event().wait()
    finally:
        await endpoint.close()
        await control.close()


async def run_api(settings: Settings) -> None:
    from controller.northbound.server import run

    end_with_parent()
    await run(settings.listen, settings.remotes, pki=settings.pki)


def end_with_parent() -> None:
    """When whoever started us is gone, standard input ends; that is as good as SIGTERM."""

    def readable() -> None:
        if not os.read(0, 1024):
            asyncio.get_running_loop().remove_reader(0)
            os.kill(os.getpid(), signal.SIGTERM)

    asyncio.get_running_loop().add_reader(0, readable)


def main() -> None:
    import uvloop

    name = sys.argv[1]
    configure(name)
    # A host is three connections, and shells give a process 1,024 files to begin with.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=Settings)
    try:
        uvloop.run(run_control(settings) if name == "control" else run_api(settings))
    except (OSError, Unavailable) as error:
        log.error("can't serve", reason=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
