"""Tunbridge at one size."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from controller.model import Port
from tests.bench.client import Client
from tests.bench.peers.measured import Cost, Size, middle
from tests.bench.peers.paths import FLOATING, TOPOLOGY, OutAndBack, paths
from tests.bench.peers.theirs import BURST
from tests.bench.peers.topology import Topology
from tests.bench.peers.written import Written
from tests.bench.routing import edge
from tests.bench.security import new_rule
from tests.bench.site import GROUP, Site, name, site
from tests.bench.usage import cpu, memory
from tests.bench.whole import add_flows, killed, total

ROUNDS = 20


def pids(made: Site) -> tuple[list[int], list[int]]:
    """Of control, and of all its processes."""
    everything = [made.serve.child(part) for part in ("control", "api", "ovsdb-server")]
    return everything[:1], everything


class Measuring:
    def __init__(self, made: Site, client: Client) -> None:
        self.made, self.client = made, client
        self.switch = made.hosts["h1"]

    async def cost(self, changes: Sequence[Callable[[], Awaitable[float]]]) -> Cost:
        """Each gives the milliseconds until it was confirmed."""
        flows = await total(self.switch)
        control, everything = pids(self.made)
        with Written(self.switch, "br-int") as inner, Written(self.switch, "br-tun") as outer:
            before, before_all = cpu(control), cpu(everything)
            walls = [await change() for change in changes]
            spent, spent_all = cpu(control) - before, cpu(everything) - before_all
        many = len(changes)
        more = (await total(self.switch) - flows) // many
        return Cost(middle(walls), spent / many, spent_all / many, more, (inner.count + outer.count) // many)

    async def rule(self, port: int) -> float:
        """Until a new flow is on the switch: a rule has no status of its own."""
        before = await total(self.switch)
        begun = time.perf_counter()
        await new_rule(self.client, port)
        while await total(self.switch) == before:
            if time.perf_counter() - begun > 10:
                raise TimeoutError("no flow of the rule within 10 s")
        return (time.perf_counter() - begun) * 1e3

    async def ports(self, first: int, count: int) -> float:
        """One request for so many ports, and their ids to interfaces that are there, until all are ACTIVE."""
        asked: dict[str, Any] = {"network_id": name("network", 0), "security_groups": [GROUP]}
        rows = self.made.store.rows(Port)
        begun = time.perf_counter()
        answer = json.loads(await self.client.ask("POST", "/v2.0/ports", {"ports": [asked] * count}))
        made = [port["id"] for port in answer["ports"]]
        taps = [f"t{number}" for number in range(first, first + count)]
        await self.made.give("h1", dict(zip(taps, made, strict=True)))
        await self.made.until(
            lambda: all(id in rows and rows[id].status == "ACTIVE" for id in made), f"{count} ports are ACTIVE"
        )
        return (time.perf_counter() - begun) * 1e3


async def measure(topology: Topology) -> tuple[Size, float]:
    """And what `ovs-ofctl --bundle add-flows` reaches with the same flows, in flows a second."""
    ports = topology.ports
    async with site(ports, ports) as made, Client(made.url) as client:
        await made.join("h1", "172.30.0.1", range(ports))
        async with edge(made, "h1") as there:
            for number in range(topology.networks):
                for version in (4, 6) if number else (6,):
                    await there.attach(name("subnet", number, version))
            here = Measuring(made, client)
            await made.plug("h1", [(number, "") for number in range(10_000, 10_000 + 2 * ROUNDS + BURST)])
            nets = [await there.subnet(await there.network(), f"10.201.{n}.0/24") for n in range(ROUNDS)]
            for number in range(ROUNDS):
                await here.ports(10_000 + number, 1)  # warm
            more = [partial(here.ports, 10_000 + ROUNDS + n, 1) for n in range(ROUNDS)]
            changes = {
                "one more port": await here.cost(more),
                "one more rule": await here.cost([partial(here.rule, 8000 + n) for n in range(ROUNDS)]),
                "one more floating IP": await here.cost([partial(there.float, name("port", n)) for n in range(ROUNDS)]),
                "one more router interface": await here.cost([partial(there.attach, subnet) for subnet in nets]),
                f"a burst of {BURST} ports": await here.cost([partial(here.ports, 10_000 + 2 * ROUNDS, BURST)]),
            }
            used = memory(pids(made)[0])
            flows = await total(made.hosts["h1"])
            reference = await asyncio.to_thread(add_flows, made.hosts["h1"], made.serve.directory)
            restart = (await killed(made, "h1")).begun
            build = await killed(made, "h1", empty=True)
            return Size(ports, changes, flows, used, build.begun, restart, flows / build.sending), reference


async def recirculations() -> dict[str, OutAndBack]:
    ports = TOPOLOGY.ports
    async with site(ports, ports) as made:
        await made.join("h1", "172.30.0.1", range(ports))
        async with edge(made, "h1") as there:
            await there.attach(name("subnet", 1, 4))
            await there.float(name("port", FLOATING))
            return await asyncio.to_thread(paths, made.hosts["h1"])
