"""The run as a page, and as a plot."""

import itertools

import msgspec

from tests.bench.plot import plot


class Figures(msgspec.Struct, frozen=True):
    """At one size."""

    what: str
    beside: bool
    """A small cloud that was measured while the one before it in the run was there."""
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
        if then.beside:
            ratios.append(f"{first.what}: {first.latency / then.latency:.2f} times {then.what}, "
                          f"{first.latency / found[0].latency:.2f} times those alone")  # fmt: skip
    shown = "\n".join(f"- {each}" for each in ratios)
    return HEAD.format(machine=machine) + f"\n{table}\n\nOne more port:\n\n{shown}\n" + TAIL


def picture(found: list[Figures]) -> str:
    sizes = [each for each in found if not each.beside and "one network" not in each.what]
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
