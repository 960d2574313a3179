"""``python -m tests.bench [--only NAME]``: every figure as one table, and build/bench.json."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

import msgspec
import structlog
from rich.console import Console
from rich.table import Table

from tests.bench import (  # noqa: F401  # imported for what they register
    api,
    change,
    disturb,
    failover,
    faults,
    recirculations,
    routing,
    security,
    whole,
)
from tests.bench.row import BENCHES, Row

FILE = Path("build/bench.json")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Figures; none of them is asserted.")
    parser.add_argument("--only", choices=BENCHES, metavar="NAME", help=f"one of: {', '.join(BENCHES)}")
    only = parser.parse_args().only
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    console = Console()
    rows: list[Row] = []
    failed = False
    for name in [only] if only else list(BENCHES):
        with console.status(f"measuring {name}"):
            try:
                rows += asyncio.run(BENCHES[name]())
            except Exception as error:
                failed = True
                console.print(f"[red]{name} could not be measured:[/] {error!r}")
    console.print(table(rows))
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(rows)) + b"\n")
    console.print(f"written to {FILE}")
    return 1 if failed else 0


def table(rows: list[Row]) -> Table:
    made = Table("what", "n", "measured", "reach", "how", title="Benchmark", expand=False)
    for each in rows:
        colour = "green" if each.met else "red"
        made.add_row(each.name, f"{each.n:,}", f"[{colour}]{each.value:g} {each.unit}[/]", each.reach, each.how)
    return made


if __name__ == "__main__":
    sys.exit(main())
