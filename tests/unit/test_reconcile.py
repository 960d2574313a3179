"""Tags and claims."""

from hypothesis import given
from hypothesis import strategies as st

from controller.compile.tags import LAST, HostTags
from controller.reconcile.claims import Claims
from controller.reconcile.names import HostNames
from controller.view.network import Binding


@given(st.dictionaries(st.integers(1, 20), st.sampled_from("abcdefgh")), st.lists(st.sets(st.sampled_from("abcdefgh"))))
def test_tags(kept: dict[int, str], presents: list[set[str]]) -> None:
    """Each present network has one tag, no two share one, and a network that stays keeps its own."""
    tags = HostTags(kept)
    for present in presents:
        before = dict(tags.by_network)
        changes = tags.assign(present)
        assert tags.by_network.keys() == present
        assert len(set(tags.by_network.values())) == len(present)
        for network, tag in tags.by_network.items():
            assert before.get(network, tag) == tag
        assert changes == {n: tags.by_network.get(n) for n in before.keys() ^ present}


def test_a_freed_tag_rests() -> None:
    tags = HostTags({})
    tags.assign(["a"])
    tags.assign([])
    assert tags.assign(["b"]) == {"b": 2}


def test_one_network_too_many_costs_no_other() -> None:
    tags = HostTags({})
    tags.assign(f"{n:04}" for n in range(LAST + 1))
    assert set(tags.by_network.values()) == set(range(1, LAST + 1))
    assert f"{LAST:04}" not in tags.by_network
    assert tags.assign(f"{n:04}" for n in range(1, LAST + 1)) == {"0000": None, f"{LAST:04}": 1}


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
