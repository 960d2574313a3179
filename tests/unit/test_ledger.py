"""No two units get one match; who was refused gets its turn when the match is free."""

from collections.abc import Iterator

import pytest

from apps.contract import EVERYWHERE, App, Scope, Wanted, on_host
from controller.compile.compiler import Compiler, Outcome
from controller.view.source import Rows
from controller.view.view import Put, View
from flows.actions import Output
from flows.fields import IN_PORT
from flows.flow import Flow
from flows.match import Match
from flows.tables import CHUNK, CLASSIFY

HOST: Rows[str, bool] = Rows("host")
WISH: Rows[str, tuple[Scope, int, int]] = Rows("wish")
"""(scope, in_port, output)."""


def wish(view: View, key: str) -> Iterator[Wanted]:
    row = view.row(WISH, key)
    if row is None:
        return
    scope, in_port, output = row
    if output == 0:
        raise RuntimeError("on purpose")
    yield scope, Flow(CLASSIFY, 1, Match({IN_PORT: in_port}), (Output(output),))
    yield scope, Flow(CHUNK, 1, Match({IN_PORT: 100 + output}), ())


def follow(view: View, host: str) -> Iterator[Scope]:
    if view.row(HOST, host):
        yield EVERYWHERE
        yield on_host(host)


@pytest.fixture
def compiler() -> Compiler:
    view = View([], [])
    compiler = Compiler(view, [App(name="a", number=1, units={WISH: [wish]})], follow, [HOST])
    run(compiler, (HOST, "h1", True), (HOST, "h2", True))
    return compiler


def run(compiler: Compiler, *puts: Put) -> Outcome:
    return compiler.run(compiler.due(compiler.view.put(puts)))


def ports(compiler: Compiler, host: str) -> dict[int, int]:
    """in_port -> output, of what is desired on a host."""
    found = {}
    for e in compiler.desired(host):
        if isinstance(e.item, Flow) and e.item.table is CLASSIFY:
            (value, _), (action,) = e.item.match.get(IN_PORT) or (0, 0), e.item.actions
            assert isinstance(action, Output)
            found[value] = action.port
    return found


@pytest.mark.parametrize("second", [EVERYWHERE, on_host("h1")])
@pytest.mark.parametrize("first", [EVERYWHERE, on_host("h1")])
def test_the_second_is_refused_whole_until_the_first_lets_go(compiler: Compiler, first: Scope, second: Scope) -> None:
    run(compiler, (WISH, "one", (first, 1, 11)))
    outcome = run(compiler, (WISH, "two", (second, 1, 12)))
    ((unit, reason),) = outcome.failed.items()
    assert unit == (wish, "two")
    assert "wish(one)" in reason
    assert outcome.plans == {}, "nothing half done: its other flow is not there either"
    assert ports(compiler, "h1") == {1: 11}
    outcome = run(compiler, (WISH, "one", None))
    assert ports(compiler, "h1") == {1: 12}
    assert not outcome.failed
    assert (wish, "two") in outcome.ran


def test_hosts_have_matches_of_their_own(compiler: Compiler) -> None:
    outcome = run(compiler, (WISH, "one", (on_host("h1"), 1, 11)), (WISH, "two", (on_host("h2"), 1, 12)))
    assert not outcome.failed
    assert (ports(compiler, "h1"), ports(compiler, "h2")) == ({1: 11}, {1: 12})


def test_two_swap_in_one_batch(compiler: Compiler) -> None:
    run(compiler, (WISH, "one", (EVERYWHERE, 1, 11)), (WISH, "two", (EVERYWHERE, 2, 12)))
    outcome = run(compiler, (WISH, "one", (EVERYWHERE, 2, 11)), (WISH, "two", (EVERYWHERE, 1, 12)))
    assert not outcome.failed
    assert ports(compiler, "h2") == {1: 12, 2: 11}
    assert {len(plan.delete) for plan in outcome.plans.values()} == {0}


def test_a_unit_that_raises_keeps_its_flows_and_costs_no_other(compiler: Compiler) -> None:
    run(compiler, (WISH, "one", (EVERYWHERE, 1, 11)))
    outcome = run(compiler, (WISH, "one", (EVERYWHERE, 1, 0)), (WISH, "two", (EVERYWHERE, 2, 12)))
    assert outcome.failed == {(wish, "one"): "wish: on purpose"}
    assert ports(compiler, "h1") == {1: 11, 2: 12}
    outcome = run(compiler, (WISH, "one", (EVERYWHERE, 1, 13)))
    assert not outcome.failed
    assert ports(compiler, "h1") == {1: 13, 2: 12}


def test_two_apps_with_one_number_are_refused() -> None:
    with pytest.raises(ValueError, match="number"):
        Compiler(View([], []), [App(name="a", number=1, units={}), App(name="b", number=1, units={})], follow, [HOST])
