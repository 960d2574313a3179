"""Switches that misbehave, and what another switch's changes notice of it.

``python -m tests.bench.disturb PORT DATAPATH_ID``: a switch that sends 50,000 packets a second, as long as it is read.
"""

import asyncio
import contextlib
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator

from controller.southbound import message as of
from flows.tables import PUNT
from tests.bench.change import one_more
from tests.bench.client import Client
from tests.bench.row import AT_MOST, Row, bench, median, row
from tests.bench.site import LOCAL, Site, site
from tests.bench.whole import endpoint

ROUNDS = 60
FLOOD = 50_000
BAD = range(100, 600)
"""Ports on the switch that misbehaves."""


@bench("disturb")
async def disturb() -> list[Row]:
    async with site(700, 700) as made, Client(made.url) as client:
        await made.join("h1", "172.30.0.1", range(50))
        await made.join("bad", "172.30.0.2", BAD)
        taps = iter(range(10_000, 20_000))
        await made.plug("h1", [(number, "") for number in range(10_000, 10_000 + 5 * ROUNDS)])

        async def latency() -> float:
            return median([await one_more(made, client, next(taps)) for _ in range(ROUNDS)])

        await latency()  # warm
        calm = await latency()
        found: dict[str, float] = {}
        async with flapping(made):
            found["connects anew every second"] = await latency()
        async with deaf(made):
            found["does not read"] = await latency()
            async with flooding(made):
                found["sends 50,000 packets a second"] = await latency()
    how = f"p50 of {ROUNDS} ports on another switch, against {calm:.2f} ms in calm, one run; it has {len(BAD)} ports"
    return [row(f"a switch {what}", len(BAD), each / calm, "times", AT_MOST, 2, how) for what, each in found.items()]


@contextlib.asynccontextmanager
async def flapping(made: Site) -> AsyncIterator[None]:
    async def flap() -> None:
        while True:
            await asyncio.to_thread(made.hosts["bad"].appctl, "bridge/reconnect", "br-int")
            await asyncio.sleep(1.0)

    task = asyncio.create_task(flap())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def deaf(made: Site) -> AsyncIterator[None]:
    with made.hosts["bad"].paused():
        yield


@contextlib.asynccontextmanager
async def flooding(made: Site) -> AsyncIterator[None]:
    """In its place, since it stands still itself."""
    datapath = (await asyncio.to_thread(_datapath, made)).strip().strip('"')
    port = made.serve.openflow.rpartition(":")[2]
    me = [sys.executable, "-m", "tests.bench.disturb", port, datapath]
    flood = await asyncio.create_subprocess_exec(*me, stdout=asyncio.subprocess.PIPE)
    try:
        assert flood.stdout is not None
        assert await flood.stdout.readline() == b"flooding\n"
        yield
        assert flood.returncode is None, "it was hung up on"
        async with Client(endpoint(made)) as control:
            lines = (await control.ask("GET", "/metrics")).decode().splitlines()
        pauses = next(line for line in lines if line.startswith("tunbridge_switch_pauses "))
        assert float(pauses.split()[1]) > 0, "it was not noticed"
    finally:
        with contextlib.suppress(ProcessLookupError):
            flood.kill()
        await flood.wait()


def _datapath(made: Site) -> str:
    return made.hosts["bad"].vsctl("get", "Bridge", "br-int", "datapath_id")


def packet_in(table: int) -> bytes:
    """A message (section 7.4.1) that the DHCP app must look at."""
    data = bytes(12) + b"\x08\x00" + bytes(286)
    match = struct.pack("!HHIIxxxx", 1, 12, 0x80000004, 7)
    body = struct.pack("!IHBBQ", 0xFFFFFFFF, len(data), 0, table, 4 << 56) + match + bytes(2) + data
    return of.message(of.PACKET_IN, 1, body)


def flood(port: int, datapath: int) -> None:
    with socket.create_connection((LOCAL, port)) as peer:
        peer.sendall(of.hello(1))
        peer.sendall(of.message(of.FEATURES_REPLY, 2, struct.pack("!QIBB2xII", datapath, 0, 254, 0, 0, 0)))
        many = packet_in(PUNT.number) * 500
        print("flooding", flush=True)
        begun, sent = time.monotonic(), 0
        while True:
            peer.sendall(many)
            sent += 500
            time.sleep(max(0.0, begun + sent / FLOOD - time.monotonic()))


if __name__ == "__main__":
    flood(int(sys.argv[1]), int(sys.argv[2], 16))
