"""Values as ovsdb-server writes them, and its differences (ovsdb-server(7), "update2")."""

from typing import Any

import pytest

from controller.ovsdb.value import decoder

STRINGS = {"key": "string", "min": 0, "max": "unlimited"}
PAIRS = {"key": "string", "value": "string", "min": 0, "max": "unlimited"}
REFERENCES = {"key": {"type": "uuid", "refTable": "Port"}, "min": 0, "max": "unlimited"}


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        ("string", "a", "a"),
        ("integer", 5, 5),
        ("boolean", True, True),
        ({"key": "real"}, 1.5, 1.5),
        ({"key": {"type": "uuid", "refTable": "Port"}}, ["uuid", "u1"], "u1"),
        ({"key": "string", "min": 0, "max": 1}, ["set", []], None),
        ({"key": "string", "min": 0, "max": 1}, "a", "a"),
        ({"key": "string", "min": 0, "max": 1}, ["set", ["a"]], "a"),
        ({"key": {"type": "uuid"}, "min": 0, "max": 1}, ["uuid", "u1"], "u1"),
        (STRINGS, ["set", ["b", "a"]], ("a", "b")),
        (STRINGS, "a", ("a",)),
        (REFERENCES, ["uuid", "u1"], ("u1",)),
        (REFERENCES, ["set", [["uuid", "u2"], ["uuid", "u1"]]], ("u1", "u2")),
        ({"key": "integer", "min": 2, "max": 2}, ["set", [1, 2]], (1, 2)),
        (PAIRS, ["map", [["a", "b"]]], {"a": "b"}),
        ({"key": "integer", "value": "uuid", "min": 0, "max": 9}, ["map", [[1, ["uuid", "u1"]]]], {1: "u1"}),
    ],
)
def test_values(type_: Any, value: Any, expected: Any) -> None:
    assert decoder(type_)(value) == expected


@pytest.mark.parametrize(
    ("type_", "default"),
    [
        ("string", ""),
        ({"key": {"type": "integer"}}, 0),
        ("boolean", False),
        ({"key": "string", "min": 0, "max": 1}, None),
        (STRINGS, ()),
        (PAIRS, {}),
    ],
)
def test_defaults(type_: Any, default: Any) -> None:
    assert decoder(type_).default == default


@pytest.mark.parametrize(
    ("type_", "old", "difference", "new"),
    [
        ("string", "a", "b", "b"),
        ({"key": "string", "min": 0, "max": 1}, "a", ["set", []], None),
        ({"key": "string", "min": 0, "max": 1}, "a", "b", "b"),
        (STRINGS, ("a", "b"), ["set", ["b", "c"]], ("a", "c")),
        (STRINGS, ("a",), "a", ()),
        (REFERENCES, ("u1",), ["set", [["uuid", "u1"], ["uuid", "u2"]]], ("u2",)),
        (PAIRS, {"a": "1", "b": "2"}, ["map", [["a", "1"], ["b", "3"], ["c", "4"]]], {"b": "3", "c": "4"}),
        # A map of at most one pair is sent whole, like an optional value.
        ({"key": "string", "value": "string", "min": 0, "max": 1}, {"a": "1"}, ["map", [["a", "1"]]], {"a": "1"}),
    ],
)
def test_differences(type_: Any, old: Any, difference: Any, new: Any) -> None:
    assert decoder(type_).changed(old, difference) == new
