"""``make chaos SEED=…``: many faults at random, under traffic; what they cost, and whether all is as it shall be."""

import argparse
import random
import sys
import time
from collections import defaultdict

from rich.console import Console
from rich.table import Table

from tests.faults.chaos import Event, chaos, compiled_anew, each
from tests.hosts.routed import routed_lab


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long pauses and cut cables last")
    parser.add_argument("--each", action="store_true", help="each fault once, in order, and no changes of intent")
    wanted = parser.parse_args()
    console = Console(highlight=False)
    console.print(f"seed {wanted.seed}")
    begun, events = time.monotonic(), list[Event]()
    with routed_lab() as routed, routed.serving():
        routed.settle()
        routed.steady()
        dice = random.Random(wanted.seed)
        history = each(routed, wanted.seconds) if wanted.each else chaos(routed, dice, wanted.faults, wanted.seconds)
        for event in history:
            events.append(event)
            cost = ", ".join([*(f"{way}: {lost} lost" for way, lost in event.lost.items()), *map(str, event.broken)])
            console.print(f"{len(events):4} {event.fault.name}: {event.seconds:.1f} s; {cost or 'nothing lost'}")
        changed = compiled_anew(routed)
    console.print(table(events))
    unexplained = [event for event in events if event.unexplained]
    for event in unexplained:
        console.print(f"[red]unexplained:[/] {event.fault.name}: lost {event.lost}, broken {event.broken}")
    for line in changed:
        console.print(f"[red]otherwise when compiled anew:[/] {line}")
    took = time.monotonic() - begun
    console.print(
        f"{len(events)} faults in {took:.0f} s, seed {wanted.seed}: each ended with an audit without a finding; "
        f"{len(changed)} flows are otherwise when compiled anew; {len(unexplained)} faults cost what they must not"
    )
    return 1 if unexplained or changed else 0


def table(events: list[Event]) -> Table:
    """A line for each kind of fault, whichever host: medians and worst, of the way that lost most."""
    kinds: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        kinds[event.fault.name.split(": ")[-1]].append(event)
    made = Table("fault", "n", "until whole, s", "worst", "pings lost", "worst", "streams ended", "why")
    for kind, those in sorted(kinds.items()):
        times = sorted(event.seconds for event in those)
        lost = sorted(max(event.lost.values(), default=0) for event in those)
        middle = len(those) // 2
        made.add_row(
            kind, str(len(those)), f"{times[middle]:.1f}", f"{times[-1]:.1f}", str(lost[middle]), str(lost[-1]),
            str(sum(len(event.broken) for event in those)), those[0].fault.why,
        )  # fmt: skip
    return made


if __name__ == "__main__":
    sys.exit(main())
