"""The page docs/pipeline.md, from the tables' declarations."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType

from flows.fields import PURPOSES, Field
from flows.flow import Flow
from flows.table import Table
from flows.tables import BR_INT, BR_TUN, FLAG_NAMES, PATCH_EX, PATCH_INT, PATCH_TUN, TABLES, VXLAN
from flows.text import named

PORTS = (
    (BR_INT, PATCH_TUN, "patch to br-tun"),
    (BR_INT, PATCH_EX, "patch to br-ex"),
    (BR_TUN, PATCH_INT, "patch to br-int"),
    (BR_TUN, VXLAN, "VXLAN to and from every other host"),
)

HEAD = """\
# The pipeline

Generated from `flows/tables.py` and `flows/fields.py` by `make docs`; not to be edited.

Every host has the same tables. A packet of a VM enters `br-int` at `classify`; what is for another host goes through
the patch to `br-tun`, which has the tunnels. The default of every table is to drop. *Goes to* is for good and always
forward; *calls* comes back. Under each table stand the flows that one host has in it: see the example at the end.
"""


Examples = Mapping[Table, Sequence[Flow]]


def page(examples: Examples = MappingProxyType({}), tail: str = "") -> str:
    """``examples``: flows that stand in the tables of one host; ``tail`` says which host that is."""
    bridges = (_bridge(bridge, examples) for bridge in (BR_INT, BR_TUN))
    return "\n".join([HEAD, *_registers(), *_ports(), *chain.from_iterable(bridges), *(tail and [tail])])


def _registers() -> Iterator[str]:
    yield "## Registers\n"
    yield from _rows(
        ("name", "register", "holds"), ((f"`{name}`", f"`{field}`", holds) for name, (field, holds) in PURPOSES.items())
    )
    yield "## Flags\n"
    yield from _rows(("flag", "bit"), ((f"`{name}`", f"`{bit:#x}`") for bit, name in FLAG_NAMES.items()))


def _ports() -> Iterator[str]:
    yield "## OpenFlow ports with fixed numbers\n"
    yield from _rows(("bridge", "port", "what"), ((bridge, str(port), what) for bridge, port, what in PORTS))


def _bridge(bridge: str, examples: Examples) -> Iterator[str]:
    tables = [table for table in TABLES if table.bridge == bridge]
    yield f"## {bridge}\n"
    yield "```mermaid\nflowchart LR"
    for table in tables:
        yield from (f"    {table.name} --> {to}" for to in table.goto)
        yield from (f"    {table.name} -. calls .-> {to}" for to in table.calls)
        if table.outputs:
            yield f"    {table.name} --> {table.name}_out([{table.outputs}])"
    yield "```\n"
    for table in tables:
        yield f"### {table.number} `{table.name}`\n\n{table.does}\n"
        yield from (f"- {what}: {which}" for what, which in _contents(table) if which)
        yield ""
        if flows := sorted(examples.get(table, ()), key=lambda flow: (-flow.priority, named(flow))):
            yield from ("```", *(named(flow) for flow in flows), "```\n")


def _contents(table: Table) -> Iterator[tuple[str, str]]:
    yield "matches", _names(table.matches)
    yield "reads", _names(table.reads)
    yield "writes", _names(table.writes)
    yield "calls", _listed(table.calls)
    yield "goes to", _listed(table.goto)
    yield "sends to", table.outputs
    yield "drops", table.drops


def _names(fields: Iterable[Field]) -> str:
    registers = {field: name for name, (field, _) in PURPOSES.items()}
    return _listed(registers.get(field, field.name) for field in fields)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""
