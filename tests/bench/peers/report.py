"""The run as a page of ratios, and as a plot."""

from collections.abc import Callable

import msgspec

from tests.bench.peers.measured import Cost, Size
from tests.bench.peers.paths import OutAndBack
from tests.bench.plot import plot


class Run(msgspec.Struct, frozen=True):
    machine: str
    version: str
    """OVN's."""
    ours: dict[int, Size]
    """By number of ports."""
    theirs: dict[int, Size]
    reference: dict[int, float]
    """Flows a second that `ovs-ofctl --bundle add-flows` reaches with our flows."""
    our_paths: dict[str, OutAndBack]
    their_paths: dict[str, OutAndBack]


CHANGE: dict[str, Callable[[Cost], float]] = {
    "control CPU, ms": lambda cost: cost.cpu,
    "CPU of all processes, ms": lambda cost: cost.cpu_all,
    "until confirmed, ms": lambda cost: cost.wall,
    "flows written": lambda cost: cost.written,
    "flows more": lambda cost: cost.flows,
}
WHOLE: dict[str, Callable[[Size], float]] = {
    "full build, s": lambda size: size.build,
    "restart after kill -9, s": lambda size: size.restart,
    "flows in all": lambda size: size.flows,
    "memory of what computes, MiB": lambda size: size.memory,
}


def page(run: Run) -> str:
    """docs/benchmarks.md. Ratios are OVN's figure over ours."""
    sizes = sorted(run.ours.keys() | run.theirs.keys())
    parts = [HEAD.format(machine=run.machine, version=run.version)]
    changes = next((list(size.changes) for size in (*run.ours.values(), *run.theirs.values())), [])
    for change in changes:
        parts.append(f"## {change[0].upper()}{change[1:]}\n")
        rows = {what: _pairs(run, sizes, _of(change, read)) for what, read in CHANGE.items()}
        parts.append(_table(sizes, rows))
    parts.append("## Whole\n")
    rows = {what: _pairs(run, sizes, read) for what, read in WHOLE.items()}
    rate = [f"{run.ours[n].rate:,.0f} / {run.reference[n]:,.0f}" if n in run.ours else "" for n in sizes]
    parts.append(_table(sizes, {**rows, "flows a second in our build, / by ovs-ofctl add-flows": rate}))
    parts.append(TAIL)
    parts.append(_paths(run))
    return "\n".join(parts)


def picture(run: Run) -> str:
    """Control CPU of one more port and one more rule against the number of ports."""
    series = {
        f"{who}: {change}": [(float(n), size.changes[change].cpu) for n, size in sorted(found.items())]
        for who, found in (("OVN", run.theirs), ("Tunbridge", run.ours))
        for change in ("one more port", "one more rule", "one more floating IP")
    }
    return plot("Control CPU of one change", "ports on the host", "milliseconds", series)


def _of(change: str, read: Callable[[Cost], float]) -> Callable[[Size], float]:
    return lambda size: read(size.changes[change])


def _pairs(run: Run, sizes: list[int], read: Callable[[Size], float]) -> list[str]:
    cells = []
    for size in sizes:
        mine = read(run.ours[size]) if size in run.ours else None
        other = read(run.theirs[size]) if size in run.theirs else None
        ratio = f" (**{other / mine:.3g}**)" if mine and other is not None else ""
        cells.append(f"{_number(other)} / {_number(mine)}{ratio}")
    return cells


def _number(value: float | None) -> str:
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _table(sizes: list[int], rows: dict[str, list[str]]) -> str:
    head = ["OVN / Tunbridge (**ratio**)", *(f"{size:,} ports" for size in sizes)]
    lines = [head, ["---"] * len(head), *([what, *cells] for what, cells in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _paths(run: Run) -> str:
    lines = [["OVN / Tunbridge", "out", "back"], ["---"] * 3]
    for path, mine in run.our_paths.items():
        lines.append([path, *(f"{a} / {b}" for a, b in zip(run.their_paths[path], mine, strict=True))])
    return PATHS + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


HEAD = """# Beside OVN

Written by `make bench-peers`, both in one run on the same machine: {machine}; OVN {version} from Debian's
packages.

One host, one switch with a dummy data path each; so many ports, 100 a network, dual stack, with DHCP, all in
one security group whose members may talk to each other; all networks behind one router with SNAT to an
external network. What computes is ovn-northd and ovn-controller on one side, control on the other; all
processes are these and the databases, and the api. Until confirmed: `ovn-nbctl --wait=hv` (the command's own
start is in it, some 10 ms), and from the REST request until the port, router port or floating IP is ACTIVE
(for a rule, until its flow is seen on the switch). Medians of 5 changes of OVN and 20 of Tunbridge; CPU is
their mean. Flows written: what the switch's own flow monitor tells.

![Control CPU of one change](benchmarks.svg)
"""
TAIL = """Full build: everything is stored, nothing is on the switch, northd and ovn-controller (control) are started;
until all flows are there. Restart: kill -9 of ovn-controller (control), until the switch is in step again;
ovn-controller writes all its flows anew, control none. Flows a second: from our first flow message to the last
one's confirmation, and what `ovs-ofctl --bundle add-flows` reaches with the same flows on another bridge of that
switch; a switch with 1,000 ports takes flows at a quarter of the speed of one without.
"""
PATHS = """## Recirculations of a packet

How often conntrack hands a packet of an established connection back, by path; counted on the same kind of
switch, by the lookups of its data path, with an echo request out and its answer back.

"""
