"""``python -m tests.bench.peers [--ports N …] [--page]``: both at each size, as a page of ratios."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

import msgspec
import structlog
from rich.console import Console
from rich.markdown import Markdown

from tests.bench.peers import ours, theirs
from tests.bench.peers.measured import Size
from tests.bench.peers.ovn import ovn, unpack
from tests.bench.peers.report import Run, page, picture
from tests.bench.peers.topology import Topology
from tests.bench.usage import machine

SIZES = (100, 500, 1000, 2000)
FOLDER, DOCS = Path("build/ovn"), Path("docs")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    parser.add_argument("--ports", type=int, nargs="+", default=SIZES)
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks.md and its plot")
    wanted = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    console = Console(highlight=False)
    try:
        root = unpack(FOLDER)
        with ovn(root) as made:
            version = made.version
    except RuntimeError as error:
        console.print(f"[red]OVN can't be had:[/] {error}")
        return 2
    run = Run(machine(), version, {}, {}, {}, asyncio.run(ours.recirculations()), theirs.recirculations(root))
    failed = False
    for ports in wanted.ports:
        for name, found in (("Tunbridge", run.ours), ("OVN", run.theirs)):
            console.print(f"{name}, {ports} ports …")
            try:
                found[ports] = _ours(run, ports) if name == "Tunbridge" else theirs.measure(root, Topology(ports))
            except Exception as error:
                failed = True
                console.print(f"[red]{name} with {ports} ports could not be measured:[/] {error!r}")
    Path("build").mkdir(exist_ok=True)
    Path("build/peers.json").write_bytes(msgspec.json.format(msgspec.json.encode(run)) + b"\n")
    text = page(run)
    if wanted.page:
        (DOCS / "benchmarks.md").write_text(text)
        (DOCS / "benchmarks.svg").write_text(picture(run))
    console.print(Markdown(text))
    return 1 if failed else 0


def _ours(run: Run, ports: int) -> Size:
    size, run.reference[ports] = asyncio.run(ours.measure(Topology(ports)))
    return size


if __name__ == "__main__":
    sys.exit(main())
