"""How fast the store is: ``python -m tests.store.speed``."""

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import uvloop

from controller.model import Network, Port, Subnet
from controller.store import EmbeddedServer, Insert, Store
from tests.store.tenant import network, port, subnet

PORTS = 10_000
BATCH = 250


class Speed(NamedTuple):
    serial: float
    """Durable commits a second, one after the other, with few ports."""
    serial_full: float
    """The same with PORTS ports."""
    pipelined: float
    """Durable commits a second, 50 at a time."""
    load: float
    """Seconds until a new store has read PORTS + 1,000 ports."""
    told: float
    """Seconds from a commit in one process's store until another store's subscriber has it, median."""


async def measure() -> Speed:
    folder = Path(tempfile.mkdtemp(prefix="tb-"))
    server = EmbeddedServer(folder)
    await server.start()
    store = Store([server.remote])
    await store.start()
    net: Network = network(1)
    sub: Subnet = subnet(net)
    await store.commit(Insert(net), Insert(sub))
    numbers = iter(range(1 << 24))

    async def serial(count: int) -> float:
        ports = [port(next(numbers), sub) for _ in range(count)]
        start = time.perf_counter()
        for each in ports:
            await store.commit(Insert(each))
        return count / (time.perf_counter() - start)

    async def pipelined(count: int) -> float:
        ports = [port(next(numbers), sub) for _ in range(count)]

        async def some(mine: list[Port]) -> None:
            for each in mine:
                await store.commit(Insert(each))

        start = time.perf_counter()
        await asyncio.gather(*(some(ports[at::50]) for at in range(50)))
        return count / (time.perf_counter() - start)

    first = await serial(1000)
    together = await pipelined(2000)
    while len(store.rows(Port)) < PORTS:
        count = min(BATCH, PORTS - len(store.rows(Port)))
        await store.commit(*(Insert(port(next(numbers), sub)) for _ in range(count)))
    full = await serial(1000)
    start = time.perf_counter()
    other = Store([server.remote])
    await other.start()
    load = time.perf_counter() - start
    heard: asyncio.Queue[float] = asyncio.Queue()
    other.subscribe(lambda _: heard.put_nowait(time.perf_counter()))
    delays = []
    for _ in range(200):
        row = port(next(numbers), sub)
        start = time.perf_counter()
        await store.commit(Insert(row))
        delays.append(await heard.get() - start)
    await other.close()
    await store.close()
    await server.stop()
    shutil.rmtree(folder)
    return Speed(first, full, together, load, sorted(delays)[len(delays) // 2])


def main() -> None:
    speed = uvloop.run(measure())
    print(f"durable commits, serial, few ports          {speed.serial:8.0f} /s")
    print(f"durable commits, serial, {PORTS} ports       {speed.serial_full:8.0f} /s")
    print(f"durable commits, 50 at a time               {speed.pipelined:8.0f} /s")
    print(f"load of {PORTS + 1000} ports                        {speed.load:8.2f} s")
    print(f"commit to another store's subscriber, p50   {speed.told * 1000:8.2f} ms")


if __name__ == "__main__":
    main()
