"""What the REST endpoint does, and what the processes weigh."""

import time

from tests.bench.client import Client, new_network, rate
from tests.bench.row import ABOVE, BELOW, Row, bench, median, row
from tests.bench.site import site


@bench("api")
async def api() -> list[Row]:
    async with site() as made, Client(made.url) as client:
        network = await new_network(client)
        await rate(made.url, 1, 100, network)
        serial = await rate(made.url, 1, 400, network)
        parallel = await rate(made.url, 8, 800, network)
    how = "durable commits, one api process, keep-alive connections, a /16 subnet"
    return [
        row("POST /ports, one client", 500, serial, "1/s", ABOVE, 200, how),
        row("POST /ports, 8 clients", 900, parallel, "1/s", ABOVE, 400, how),
    ]


@bench("list")
async def listing() -> list[Row]:
    async with site(1000) as made, Client(made.url) as client:
        times = []
        for _ in range(20):
            begun = time.perf_counter()
            size = len(await client.ask("GET", "/v2.0/ports"))
            times.append((time.perf_counter() - begun) * 1e3)
        changed = []
        network = await new_network(client)
        for _ in range(10):
            await client.new_port(network)
            begun = time.perf_counter()
            await client.ask("GET", "/v2.0/ports")
            changed.append((time.perf_counter() - begun) * 1e3)
    how = f"{size / 1e6:.1f} MB of JSON; p50 of 20, worst {max(times):.0f}; after a change {median(changed):.1f} ms"
    return [row("GET /ports", 1000, median(times), "ms", BELOW, 60, how)]


@bench("memory")
async def memory() -> list[Row]:
    async with site(1000, 50) as made, Client(made.url) as client:
        await made.join("h1", "172.30.0.1", range(50))
        await client.ask("GET", "/v2.0/ports")
        api, control = made.memory("api"), made.memory("control")
    how = f"resident: api {api:.0f} MiB + control {control:.0f} MiB; 50 of the ports on a real switch"
    return [row("memory, api + control", 1000, api + control, "MiB", BELOW, 250, how)]
