"""A host's numbers, and claims."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.compile.numbers import HostNumbers, Kind
from controller.reconcile.claims import Claims
from controller.reconcile.names import HostNames
from controller.view.network import Binding

FIRST, LAST = 4096, 5096


@given(
    st.dictionaries(st.integers(1, 20), st.sampled_from("abcdefgh")),
    st.lists(st.sets(st.sampled_from("abcdefgh"))),
    st.integers(1, 12),
)
def test_numbers(kept: dict[int, str], presents: list[set[str]], first: int) -> None:
    """Each present key has one number in range, no two share one, and a key that stays keeps its own."""
    numbers = HostNumbers(Kind("n-", first, first + 8, "numbers"), kept)
    for present in presents:
        before = dict(numbers.by_key)
        changes = numbers.assign(present)
        assert numbers.by_key.keys() == present
        assert len(set(numbers.by_key.values())) == len(present)
        assert all(first <= number <= first + 8 for number in numbers.by_key.values())
        for key, number in numbers.by_key.items():
            assert before.get(key, number) == number
        assert changes == {key: numbers.by_key.get(key) for key in before.keys() ^ present}


def test_a_freed_number_rests() -> None:
    numbers = HostNumbers(Kind("n-", FIRST, LAST, "numbers"), {})
    numbers.assign(["a"])
    numbers.assign([])
    assert numbers.assign(["b"]) == {"b": FIRST + 1}


def test_one_key_too_many_costs_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = HostNumbers(Kind("n-", FIRST, LAST, "conntrack zones"), {})
    keys = [f"{n:05}" for n in range(LAST - FIRST + 2)]
    numbers.assign(keys)
    assert set(numbers.by_key.values()) == set(range(FIRST, LAST + 1))
    assert keys[-1] not in numbers.by_key
    assert "all conntrack zones of a host are in use" in capsys.readouterr().out
    assert numbers.assign(keys[1:]) == {keys[0]: None, keys[-1]: FIRST}


def test_the_last_host_that_claims_a_port_has_it() -> None:
    claims = Claims()
    assert claims.claim("p", "h1", 3) == Binding("h1", 3)
    assert claims.claim("p", "h2", 4) == Binding("h2", 4)
    assert claims.claim("p", "h1", 5) == Binding("h2", 4), "the older one only says its new number"
    assert claims.release("p", "h2") == Binding("h1", 5)
    assert claims.on("h1") == {"p"}
    assert claims.release("p", "h1") is None
    assert claims.on("h1") == set()
    assert claims.release("p", "h1") is None


def test_hosts_go_by_their_names() -> None:
    names = HostNames()
    names.know("s1", "one")
    names.know("s2", "")
    names.know("s3", "one")
    assert [names.shown(id) for id in ("s1", "s2", "s3", "s4")] == ["one", "s2", "s3", "s4"]
    assert [names.system_id(shown) for shown in ("one", "s2", "s3", "s1")] == ["s1", "s2", "s3", None]
    names.know("s1", "uno")
    names.know("s3", "one")
    assert (names.system_id("uno"), names.system_id("one")) == ("s1", "s3")
    names.forget("s3")
    assert names.system_id("one") is None
