"""What one more port costs."""

import asyncio
import time

from flows.tables import MEMBER
from tests.bench.client import Client
from tests.bench.row import AT_MOST, BELOW, Row, bench, median, row
from tests.bench.site import A_HOST, GROUP, Site, name, site

ROUNDS = 60


async def one_more(made: Site, client: Client, number: int, *, host: str = "h1", group: str = GROUP) -> float:
    """In network 0. Milliseconds from the REST answer to ACTIVE, which is written when the switch has answered a
    barrier."""
    made_port = await client.new_port(name("network", 0), security_groups=[group])
    id = made_port["id"]
    begun = time.perf_counter()
    await made.give(host, {f"t{number}": id})
    await made.until(
        lambda: (row := made.rows().get(id)) is not None and row.status == "ACTIVE", f"port {id} is ACTIVE"
    )
    return (time.perf_counter() - begun) * 1e3


@bench("port")
async def one_port() -> list[Row]:
    """Sizes are measured one after the other in one run: the ratio holds where the machine's speed does not."""
    rows, first = [], 0.0
    for size in (100, 1000, 5000):
        async with site(size, A_HOST) as made, Client(made.url) as client:
            await made.join("h1", "172.30.0.1", range(A_HOST))
            taps = [(10_000 + n, "") for n in range(ROUNDS + 10)]
            await made.plug("h1", taps)
            for number, _ in taps[:10]:
                await one_more(made, client, number)
            before = made.cpu("control")
            times = [await one_more(made, client, number) for number, _ in taps[10:]]
            cpu = (made.cpu("control") - before) / ROUNDS * 1e3
        p50 = median(times)
        first = first or p50
        how = (
            f"REST answer -> iface-id on the host -> flows -> barrier -> status in the database; p50 of {ROUNDS}, p95 "
            f"{sorted(times)[int(ROUNDS * 0.95)]:.1f} ms; {A_HOST} ports on the measured host, the rest on others"
        )
        rows.append(row("one more port, to confirmed", size, p50, "ms", BELOW, 15, how))
        if size == 1000:
            rows.append(
                row(
                    "one more port, control CPU",
                    size,
                    cpu,
                    "ms",
                    BELOW,
                    10,
                    "/proc/PID/stat of control, the same ports",
                )
            )
    rows.append(
        row("one more port, 5,000 against 100", 5000, p50 / first, "times", AT_MOST, 1.3, "ratio of the rows above")
    )
    return rows


@bench("flows")
async def flows() -> list[Row]:
    """Counted on the switches."""
    async with site(4, 4) as made, Client(made.url) as client:
        await made.join("h1", "172.30.0.1", range(2))
        await made.join("h2", "172.30.0.2", range(2, 4))
        await made.plug("h1", [(10_000, "")])

        async def count(host: str) -> int:
            switch = made.hosts[host]
            dumps = [await asyncio.to_thread(switch.ofctl, "dump-flows", bridge) for bridge in ("br-int", "br-tun")]
            # What a member of a remote group costs has a row of its own.
            lines = [line for dump in dumps for line in dump.splitlines() if "actions=" in line]
            return sum(1 for line in lines if host == "h1" or f"table={MEMBER.number}," not in line)

        before = {host: await count(host) for host in made.hosts}
        await one_more(made, client, 10_000)
        # The other host has been sent its part in the same turn.
        await one_more_is_everywhere(made)
        after = {host: await count(host) for host in made.hosts}
    how = "ovs-ofctl dump-flows before and after, a port with an IPv4 and an IPv6 address, all apps"
    own, other = after["h1"] - before["h1"], after["h2"] - before["h2"]
    member = "; two of them as member of a remote group"
    return [
        row("flows of a port, its own host", 5, own, "flows", AT_MOST, 12, how + member),
        row("flows of a port, each other host", 5, other, "flows", AT_MOST, 3, how + ", but for remote groups"),
    ]


async def one_more_is_everywhere(made: Site) -> None:
    """Both hosts in step: nothing is on its way."""
    await asyncio.to_thread(made.serve.wait_hosts, list(made.hosts))
    await asyncio.sleep(0.2)
