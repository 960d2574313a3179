"""What a kill costs: of a switch with many ports, and of the database while it is written to."""

import asyncio
import contextlib
import json
import time

from tests.bench.client import Client, new_network
from tests.bench.row import AT_MOST, BELOW, Row, bench, row
from tests.bench.site import Site, site
from tests.bench.whole import adoption, total

PORTS = 1000
KILLS = 50


@bench("crash")
async def crash() -> list[Row]:
    """kill -9 of ovs-vswitchd, started again at once, as Debian's unit for it does."""
    async with site(PORTS, PORTS) as made:
        await made.join("h1", "172.30.0.1", range(PORTS))
        switch = made.hosts["h1"]
        full = await total(switch)
        found = await adoption(made, "h1", lambda: asyncio.to_thread(switch.crash))
        assert await total(switch) == full
    how = f"{full} flows; from the switch's first connection to the last bridge's adoption, by control's log"
    return [
        row("vswitchd killed: whole again, beyond its own start", PORTS, found.connected, "s", BELOW, 2,
            f"{how}; {found.begun - found.connected:.1f} s of its own before that"),
    ]  # fmt: skip


@bench("writes")
async def writes() -> list[Row]:
    """Ports are asked for without a pause; one counts when its 201 has come."""
    acknowledged: list[str] = []
    refused = 0
    async with site() as made:
        async with Client(made.url) as client:
            network = await new_network(client)

        async def write() -> None:
            nonlocal refused
            while True:
                try:
                    async with Client(made.url) as client:
                        while True:
                            acknowledged.append((await client.new_port(network))["id"])
                except (OSError, EOFError, RuntimeError):
                    refused += 1
                    await asyncio.sleep(0.01)  # as a client that tries again

        writers = [asyncio.create_task(write()) for _ in range(4)]
        begun = time.perf_counter()
        for _ in range(KILLS):
            await asyncio.to_thread(made.serve.kill, "ovsdb-server")
            await _more(acknowledged, 5)
        spent = time.perf_counter() - begun
        for writer in writers:
            writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*writers)
        await asyncio.to_thread(made.serve.kill, "ovsdb-server")
        await asyncio.to_thread(made.serve.wait)
        stored = await _stored(made)
    lost = set(acknowledged) - stored
    how = (
        f"{len(acknowledged)} acknowledged meanwhile by 4 clients, {refused} refused or cut off; {spent / KILLS:.2f} s "
        f"from a kill to five more; looked for after one more restart"
    )
    return [row("acknowledged writes lost, database killed", KILLS, len(lost), "writes", AT_MOST, 0, how)]


async def _more(acknowledged: list[str], count: int) -> None:
    wanted = len(acknowledged) + count
    async with asyncio.timeout(60):
        while len(acknowledged) < wanted:
            await asyncio.sleep(0.01)


async def _stored(made: Site) -> set[str]:
    async with Client(made.url) as client:
        answer = json.loads(await client.ask("GET", "/v2.0/ports?fields=id"))
    return {port["id"] for port in answer["ports"]}
