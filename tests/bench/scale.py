"""``python -m tests.bench.scale [--switches N …] [--page]``: what size does to one change, to memory, to a restart.

Every switch is a real ovs-vswitchd with a dummy data path and an ovsdb-server of its own, some 20 ports each. A network
has 50 ports, dual stack, on five switches; two networks, on ten switches drawn at random, share a router and a security
group whose members may talk to each other: at any size one more port concerns ten switches. All switches are on this
machine, so beside each size a second, small cloud is measured that has the same neighbours. At the largest size the
database is then given 90,000 more ports, of hosts that are away. Last, on its own, one network of 2,000 ports over 100
switches.
"""

import argparse
import asyncio
import itertools
import logging
import random
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import msgspec
import structlog
from rich.console import Console
from rich.markdown import Markdown

from controller.model import Host, Port
from controller.store.step import Insert, Step
from tests.bench.change import one_more
from tests.bench.client import Client
from tests.bench.plot import plot
from tests.bench.row import median
from tests.bench.site import A_NETWORK, Site, away, group, name, network, port, served
from tests.bench.usage import cpu, machine, memory
from tests.bench.whole import alive, total, written

ROUNDS = 60
IDLE = 10.0
PATIENT = 600.0
DOCS = Path("docs")
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


class Figures(msgspec.Struct, frozen=True):
    """At one size."""

    what: str
    switches: int
    ports: int
    """In the database."""
    flows: int
    """On all switches."""
    built: float
    """Seconds from the first interface's row until every port is ACTIVE; the hosts' own work is in it."""
    restart: float
    """Seconds from kill -9 of control until all switches are in step again."""
    rewritten: int
    """Flows written meanwhile."""
    latency: float
    """Milliseconds, p50, from REST answer to ACTIVE, of one more port."""
    worst: float
    """The same, p95."""
    cpu: float
    """Milliseconds of control's for it."""
    memory: float
    """MiB of control, resident."""
    idle: float
    """Percent of a core that control uses when nothing happens."""


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


class Scale:
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

    async def figures(self, what: str) -> Figures:
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
            what, self.shape.switches, len(self.made.store.rows(Port)), flows, self._built, restart, rewritten,
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


async def measure(shape: Shape, *, beside: Shape | None = None, more: int = 0) -> list[Figures]:
    """``beside``: at the end, a small one with a control of its own, while the large one's switches go on."""
    async with served(batches(shape)) as made:
        scale = Scale(made, shape)
        await scale.build()
        found = [await scale.figures(str(shape))]
        if beside is not None:
            async with served(batches(beside)) as other:
                small = Scale(other, beside)
                await small.build()
                found.append(await small.figures(f"{beside}, of another control beside those"))
        if more:
            await scale.away(more)
            found.append(await scale.figures(f"{shape}, and {more:,} ports of hosts that are away"))
    return found


def page(machine: str, found: list[Figures]) -> str:
    head = [
        "", "flows on all switches", "all ports built, s", "restart, s (flows rewritten)", "one more port, ms (p95)",
        "control CPU of it, ms", "control, MiB", "control when idle, % of a core",
    ]  # fmt: skip
    lines = [head, ["---"] * len(head)] + [
        [
            each.what, f"{each.flows:,}", f"{each.built:.1f}", f"{each.restart:.1f} ({each.rewritten:,})",
            f"{each.latency:.2f} ({each.worst:.1f})", f"{each.cpu:.2f}", f"{each.memory:.0f}", f"{each.idle:.1f}",
        ]
        for each in found
    ]  # fmt: skip
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    ratios = []
    for first, then in itertools.pairwise(found):
        if "another" in then.what:
            ratios.append(f"{first.what}: {first.latency / then.latency:.2f} times {then.what}, "
                          f"{first.latency / found[0].latency:.2f} times those alone")  # fmt: skip
    lines = "\n".join(f"- {each}" for each in ratios)
    return HEAD.format(machine=machine) + f"\n{table}\n\nOne more port:\n\n{lines}\n" + TAIL


def picture(found: list[Figures]) -> str:
    sizes = [each for each in found if "one network" not in each.what and "another" not in each.what]
    series = {
        "one more port, ms": [(each.ports, each.latency) for each in sizes],
        "control CPU of it, ms": [(each.ports, each.cpu) for each in sizes],
        "control, MiB": [(each.ports, each.memory) for each in sizes],
        "restart, s": [(each.ports, each.restart) for each in sizes],
    }
    return plot("What size does", "ports in the database", "see the legend for units", series)


HEAD = """# Scale

Written by `make bench-scale`, in one run on one machine that carries the switches too: {machine}.

Every switch is an ovs-vswitchd with a dummy data path and an ovsdb-server of its own, some 20 ports each. A network
has 50 ports, dual stack, on five switches; two networks, on ten switches drawn at random, share a router and a
security group whose members may talk to each other (at 10,000 ports: 200 networks, 100 routers). At any size one more
port therefore concerns ten switches, which get some 30 bundles. It is measured from the REST answer until its switch
has confirmed its flows and it is ACTIVE, p50 of 60. Restart: kill -9 of control until every switch is in step again;
the processes' own start is in it.

500 switches use half a core of this machine when nothing happens, and its caches. What of a figure is theirs is told by
a second cloud of 100 ports with a control of its own, that is measured while they are there.

![What size does](scale.svg)
"""
TAIL = """
All ports built: from the first `ovs-vsctl add-port`, four at a time, until the last port is ACTIVE; the switches do
most of the work.
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale")
    parser.add_argument("--switches", type=int, nargs="+", default=(50, 500))
    parser.add_argument("--page", action="store_true", help="write docs/scale.md and its plot")
    wanted = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    console = Console(highlight=False)
    small = Shape(10, 2)
    found = asyncio.run(measure(small))
    for switches in wanted.switches:
        more = 90_000 if switches == 500 else 0
        found += asyncio.run(measure(Shape(switches, switches * 20 // 50), beside=small, more=more))
        console.print(found[-1])
    wide = min(100, max(wanted.switches))
    found += asyncio.run(measure(Shape(wide, 1, 20 * wide, wide)))
    text = page(machine(), found)
    Path("build").mkdir(exist_ok=True)
    Path("build/scale.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    if wanted.page:
        (DOCS / "scale.md").write_text(text)
        (DOCS / "scale.svg").write_text(picture(found))
    console.print(Markdown(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
