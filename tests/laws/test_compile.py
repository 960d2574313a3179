"""Laws 1, 2, 5 and 7 of the compiler, over random histories."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from controller.compile.ledger import Entry
from controller.view.topology import GATEWAYS
from controller.view.view import Put
from flows.flow import Flow, check
from flows.overlap import overlaps
from tests.laws.histories import HOSTS, JOINED, KINDS, Switches, history, removal, start, wanted

Batches = list[list[Put]]


@settings(max_examples=300, deadline=None)
@given(history)
def test_incremental_equals_from_scratch(batches: Batches) -> None:
    """Law 1: the desired state after any history is that of the final rows; law 2: plans lead there and no further."""
    desired, switches = start(), Switches()
    for batch in batches:
        turn = desired.turn(batch)
        assert not turn.outcome.failed
        for host, plan in turn.outcome.plans.items():
            assert plan.add.keys() | plan.delete.keys(), host
            assert not plan.add.keys() & plan.delete.keys(), host
            for slot, e in plan.add.items():
                held = switches.installed[host].get(slot)
                assert held is None or (held.cookie, held.item) != (e.cookie, e.item), "adds what is there"
        switches.apply(turn.outcome.plans)
        for host in HOSTS:
            assert switches.cookies(host) == wanted(desired, host)
    scratch = start()
    # The same numbers and gateways: these depend on the history, and on nothing else.
    puts: list[Put] = [(kind, key, row) for kind in KINDS for key, row in desired.view.all(kind).items()]
    for host in JOINED:
        for kind, numbers in scratch.numbers[host].items():
            numbers.by_key.update(desired.numbers[host][kind].by_key)
        puts += scratch.joined(host, {})
    puts += [(GATEWAYS, router, hosts) for router, hosts in desired.view.all(GATEWAYS).items()]
    scratch.turn(puts)
    for host in HOSTS:
        assert wanted(scratch, host) == wanted(desired, host)
    assert not desired.turn([]).outcome.plans


@settings(max_examples=150, deadline=None)
@given(history, st.integers(1, 8))
def test_compiled_in_parts(batches: Batches, size: int) -> None:
    """As control does when it starts: all rows, then the units a few at a time, while changes go on."""
    assume(batches)
    first, *later = batches
    whole, parts = start(), start()
    whole.turn(first)
    changed, _ = parts.put(first)
    due = parts.compiler.due(changed)
    for at in range(0, len(due), size):
        assert not parts.compiler.run(due[at : at + size]).failed
        if later:
            batch = later.pop(0)
            whole.turn(batch)
            parts.turn(batch)
    for host in HOSTS:
        assert wanted(parts, host) == wanted(whole, host)


@settings(max_examples=150, deadline=None)
@given(history)
def test_nothing_left_but_boot_flows(batches: Batches) -> None:
    """Law 7, and that no reader outlives what it read for."""
    desired = start()
    for batch in batches:
        desired.turn(batch)
    desired.turn(removal(desired))
    fresh = start()
    fresh.turn([])
    assert {(e.scope, e.slot) for e in desired.compiler.ledger.entries_everywhere()} == {
        (e.scope, e.slot) for e in fresh.compiler.ledger.entries_everywhere()
    }
    assert not any(numbers.by_key for kinds in desired.numbers.values() for numbers in kinds.values())
    for host in HOSTS:
        assert not list(desired.compiler.desired(host))
    assert desired.view.recorded() == fresh.view.recorded()


@settings(max_examples=150, deadline=None)
@given(history)
def test_flows_are_as_declared_and_never_overlap(batches: Batches) -> None:
    """Law 5: every flow keeps to its table's declaration and goes forward; no two of one table and priority can match
    one packet with different actions."""
    desired = start()
    for batch in batches:
        desired.turn(batch)
    for host in HOSTS:
        by_place: dict[tuple[str, int, int], list[Flow]] = {}
        for e in desired.compiler.desired(host):
            if isinstance(e.item, Flow):
                check(e.item)
                by_place.setdefault((e.item.table.bridge, e.item.table.number, e.item.priority), []).append(e.item)
        for flows in by_place.values():
            for at, one in enumerate(flows):
                for other in flows[:at]:
                    assert one.actions == other.actions or not overlaps(one.match, other.match), (one, other)


def test_entry_is_compared_by_identity() -> None:
    """The ledger relies on it: an entry that is kept is the very same object."""
    assert "__eq__" not in Entry.__dict__ or Entry.__eq__ is object.__eq__
