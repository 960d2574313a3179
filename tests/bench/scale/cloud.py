"""A cloud of one size, and what one change, a restart, and nothing at all cost in it."""

import asyncio
import random
import time
from collections.abc import Iterator
from itertools import product

import msgspec

from controller.model import Host, Port
from controller.store.step import Insert, Step
from tests.bench.change import one_more
from tests.bench.client import Client
from tests.bench.row import median
from tests.bench.scale.report import Figures
from tests.bench.site import A_NETWORK, Site, away, group, name, network, port
from tests.bench.usage import cpu, memory
from tests.bench.whole import alive, total, written

ROUNDS = 60
IDLE = 10.0
PATIENT = 600.0
FEW_THREADS = ("other_config:n-handler-threads=1", "other_config:n-revalidator-threads=1")
"""Else a thousand switches' threads are what is measured."""


class Shape(msgspec.Struct, frozen=True):
    switches: int
    networks: int
    a_network: int = 50
    """Ports of a network."""
    span: int = 5
    """Switches of a network."""

    def __str__(self) -> str:
        what = f"{self.ports:,} ports over {self.switches} switches"
        return what if self.networks > 1 else f"one network of {what}"

    @property
    def ports(self) -> int:
        return self.networks * self.a_network

    def host(self, number: int) -> str:
        """Where the port is."""
        net, last = divmod(number, self.a_network)
        second, router = divmod(net, self.routers)
        drawn = random.Random(router).sample(range(self.switches), min(self.switches, 2 * self.span))
        return f"s{drawn[(second * self.span + last % self.span) % len(drawn)]}"

    def group(self, net: int) -> str:
        """Of the network's ports: two networks have the same."""
        return name("group", net % self.routers)

    @property
    def routers(self) -> int:
        return max(1, self.networks // 2)


def batches(shape: Shape) -> Iterator[list[Step]]:
    steps: list[Step] = []
    for number in range(shape.routers):
        steps += group(name("group", number), number + 1)
    for number in range(shape.networks):
        steps += network(number)
    yield steps
    for first in range(0, shape.ports, 500):
        numbers = range(first, min(first + 500, shape.ports))
        yield [
            Insert(port(n, a_network=shape.a_network, group=shape.group(n // shape.a_network))) for n in numbers
        ]  # fmt: skip


class Cloud:
    def __init__(self, made: Site, shape: Shape) -> None:
        self.made, self.shape = made, shape
        self.host = shape.host(0)
        """Where one more port is added."""
        self._taps = iter(range(100_000, 200_000))
        self._built = 0.0

    async def build(self) -> None:
        """Switches, routers, and all ports on their switches."""
        some = asyncio.Semaphore(4)

        async def start(number: int) -> None:
            async with some:
                await self.made.start_switch(f"s{number}", f"172.30.{number // 250}.{number % 250 + 1}", *FEW_THREADS)

        async with asyncio.TaskGroup() as group:
            for number in range(self.shape.switches):
                group.create_task(start(number))
        await self._all_alive()
        async with Client(self.made.url) as client:
            for number in range(self.shape.routers if self.shape.networks > 1 else 0):
                answer = await client.ask("POST", "/v2.0/routers", {"router": {}})
                router = msgspec.json.decode(answer)["router"]["id"]
                for net, version in product((number, number + self.shape.routers), (4, 6)):
                    path = f"/v2.0/routers/{router}/add_router_interface"
                    await client.ask("PUT", path, {"subnet_id": name("subnet", net, version)})
        ports: dict[str, list[int]] = {}
        for number in range(self.shape.ports):
            ports.setdefault(self.shape.host(number), []).append(number)

        async def plug(host: str, numbers: list[int]) -> None:
            async with some:
                await self.made.plug(host, [(number, name("port", number)) for number in numbers])

        await self.made.plug(self.host, [(100_000 + number, "") for number in range(3 * ROUNDS)])
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for host, numbers in ports.items():
                group.create_task(plug(host, numbers))
        waiting = [name("port", number) for number in range(self.shape.ports)]
        rows = self.made.store.rows(Port)

        def done() -> bool:
            while waiting and rows[waiting[-1]].status == "ACTIVE":
                waiting.pop()
            return not waiting

        await self.made.until(done, "every port is ACTIVE", PATIENT)
        self._built = time.perf_counter() - begun
        await self._quiet()

    async def figures(self, what: str, *, beside: bool = False) -> Figures:
        await self._quiet()
        before = self._cpu()
        await asyncio.sleep(IDLE)  # what is measured is that nothing happens
        idle = (self._cpu() - before) / IDLE / 10
        async with Client(self.made.url) as client:
            for _ in range(10):
                await self._one(client)
            before = self._cpu()
            times = sorted([await self._one(client) for _ in range(ROUNDS)])
        spent = (self._cpu() - before) / ROUNDS
        used = memory([self.made.serve.child("control")])
        restart, rewritten = await self._restart()
        flows = sum([await total(switch) for switch in self.made.hosts.values()])
        return Figures(
            what, beside, self.shape.switches, len(self.made.store.rows(Port)), flows, self._built, restart, rewritten,
            median(times), times[int(ROUNDS * 0.95)], spent, used, idle,
        )  # fmt: skip

    async def away(self, ports: int) -> None:
        """So many more ports in the database, of hosts that are away."""
        first = self.shape.networks
        store = self.made.store
        for number in range(first, first + ports // A_NETWORK):
            host = number - first + 1
            extra = (port(number * A_NETWORK + n, f"away-{host}", group=name("group", 0)) for n in range(A_NETWORK))
            group_id = name("group", "away", number)
            own = (msgspec.structs.replace(each, security_groups=(group_id,)) for each in extra)
            await store.commit(*group(group_id, 10_000 + number), away(host), *network(number), *map(Insert, own))
        await self._quiet()

    async def _one(self, client: Client) -> float:
        return await one_more(self.made, client, next(self._taps), host=self.host, group=self.shape.group(0))

    def _cpu(self) -> float:
        return cpu([self.made.serve.child("control")])

    async def _restart(self) -> tuple[float, int]:
        begun = time.perf_counter()
        await asyncio.to_thread(self.made.serve.kill, "control")
        await self.made.until(
            lambda: not alive(self.made, self.host), "the new control has said that nobody is there yet", PATIENT
        )
        await self._all_alive()
        return time.perf_counter() - begun, written(self.made)

    async def _all_alive(self) -> None:
        rows = self.made.store.rows(Host)
        many = self.shape.switches
        await self.made.until(
            lambda: sum(row.alive for row in rows.values()) == many, f"{many} switches are served", PATIENT
        )

    async def _quiet(self) -> None:
        """Until control has next to nothing to do for a second."""
        async with asyncio.timeout(PATIENT):
            while True:
                before = self._cpu()
                await asyncio.sleep(1)  # nothing tells that there is nothing to tell
                if self._cpu() - before < 200:
                    return
