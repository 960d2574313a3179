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
import logging
import sys
from pathlib import Path

import msgspec
import structlog
from rich.console import Console
from rich.markdown import Markdown

from tests.bench.scale.cloud import Cloud, Shape, batches
from tests.bench.scale.report import Figures, page, picture
from tests.bench.site import served
from tests.bench.usage import machine

DOCS = Path("docs")


async def measure(shape: Shape, *, beside: Shape | None = None, more: int = 0) -> list[Figures]:
    """``beside``: at the end, a small one with a control of its own, while the large one's switches go on."""
    async with served(batches(shape)) as made:
        cloud = Cloud(made, shape)
        await cloud.build()
        found = [await cloud.figures(str(shape))]
        if beside is not None:
            async with served(batches(beside)) as other:
                small = Cloud(other, beside)
                await small.build()
                found.append(await small.figures(f"{beside}, of another control beside those", beside=True))
        if more:
            await cloud.away(more)
            found.append(await cloud.figures(f"{shape}, and {more:,} ports of hosts that are away"))
    return found


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
