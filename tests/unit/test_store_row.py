import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import RECORDS, FixedIP, Port, Record, columns
from controller.store.row import RowType
from tests.unit.test_schema import Leaf, Part, Tree

IDS = st.uuids().map(str)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
LEAVES = st.builds(Leaf, id=IDS, name=TEXTS, tree=IDS)
TREES = st.builds(
    Tree,
    id=IDS,
    text=TEXTS,
    number=st.integers(-(2**63), 2**63 - 1),
    flag=st.booleans(),
    maybe=st.none() | TEXTS,
    maybe_number=st.none() | st.integers(-5, 5),
    words=st.lists(TEXTS, max_size=3).map(tuple),
    pairs=st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple),
    parts=st.lists(st.builds(Part, TEXTS, st.integers(-5, 5)), max_size=3).map(tuple),
    one=st.none() | IDS,
    others=st.sets(IDS, max_size=3).map(lambda ids: tuple(sorted(ids))),
    leaves=st.lists(LEAVES, max_size=3, unique_by=lambda leaf: leaf.id).map(
        lambda leaves: tuple(sorted(leaves, key=lambda leaf: leaf.id))
    ),
)


def stored(type_: RowType[Any], record: Record) -> dict[str, Any]:
    """What a replica holds of a row that was written as this record."""
    sent = json.loads(json.dumps(type_.row(record)))
    return {name: decoder(sent[name]) if name in sent else decoder.default for name, decoder in type_.decoders.items()}


@given(TREES)
def test_a_record_comes_back_as_it_was(tree: Tree) -> None:
    type_ = RowType(Tree)
    leaves = {leaf.id: leaf for leaf in tree.leaves}
    assert type_.record(tree.id, stored(type_, tree), lambda _, id: leaves[id]) == tree


@given(TREES, TREES)
def test_an_update_writes_what_differs(old: Tree, new: Tree) -> None:
    type_ = RowType(Tree)
    changed = type_.changed(old, new)
    assert changed.keys() == {name for name in type_.shapes if getattr(old, name) != getattr(new, name)}
    row = stored(type_, old) | {
        name: type_.decoders[name](value) for name, value in json.loads(json.dumps(changed)).items()
    }
    leaves = {leaf.id: leaf for leaf in new.leaves}
    assert type_.record(old.id, row, lambda _, id: leaves[id]) == type(new)(
        **{name: getattr(new, name) for name in type_.shapes} | {"id": old.id}
    )


def test_addresses_come_in_order() -> None:
    texts = ["10.0.0.9", "10.0.0.10", "2.0.0.1", "fd00::10", "fd00::9"]
    fixed = {text: FixedIP(id=str(uuid.uuid4()), subnet_id="s", ip_address=text) for text in texts}
    port = Port(id="p", network_id="n", mac_address="m", fixed_ips=tuple(fixed.values()))
    type_ = RowType(Port)
    read = type_.record("p", stored(type_, port), lambda _, id: next(f for f in fixed.values() if f.id == id))
    assert [f.ip_address for f in read.fixed_ips] == ["2.0.0.1", "10.0.0.9", "10.0.0.10", "fd00::9", "fd00::10"]


def test_facts_can_be_left_out() -> None:
    facts = set(RowType(Port).watched) - set(RowType(Port, facts=False).watched)
    assert facts == {name for name, (_, column) in columns(Port).items() if column.fact}
    assert "status" in facts


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("text", "a\0b", r"U\+0000"),
        ("text", "\ud800", "surrogate"),
        ("number", 1 << 63, "64 bits"),
        ("text", None, "None"),
        ("maybe", "\0", r"U\+0000"),
    ],
)
def test_what_no_database_can_hold(name: str, value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        RowType(Tree).column(name, value)


def test_every_record_can_be_stored() -> None:
    for kind in RECORDS:
        RowType(kind)
