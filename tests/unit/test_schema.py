import hashlib
import json
from typing import Annotated, Any, ClassVar

import msgspec
import pytest

from controller.model import Column, Record
from controller.store.schema import VERSION, Shape, schema, version_number

DIGESTS = {
    "1.0.0": "ddef6adbea591734",
    "1.1.0": "1854f468e6ea43cd",
    "1.2.0": "b287c1c0df70345b",
    "1.3.0": "d4ef5ffbfca0a854",
    "1.4.0": "02cfcc2ec80cdf14",
}
"""Of each version's schema; the last is the present one."""


def test_a_changed_schema_has_a_version_of_its_own() -> None:
    digest = hashlib.sha256(json.dumps(schema(), sort_keys=True).encode()).hexdigest()[:16]
    assert list(DIGESTS)[-1] == VERSION
    assert digest == DIGESTS[VERSION], (
        "the records have changed the schema: raise VERSION in controller/store/schema.py, "
        f"and add its digest here: {digest!r} (before the first release, replace the digest)"
    )


class Part(msgspec.Struct, frozen=True):
    a: str
    b: int = 0


class Leaf(Record, frozen=True, kw_only=True):
    table: ClassVar[str] = "Leaf"
    root: ClassVar[bool] = False
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (("name", "tree"),)

    name: str
    tree: Annotated[str, Column(refs="Tree")]


class Tree(Record, frozen=True, kw_only=True):
    table: ClassVar[str] = "Tree"

    text: str
    number: int = 3
    flag: bool = True
    maybe: str | None = None
    maybe_number: int | None = None
    words: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    parts: tuple[Part, ...] = ()
    one: Annotated[str | None, Column(refs="Tree")] = None
    others: Annotated[tuple[str, ...], Column(refs="Tree")] = ()
    leaves: Annotated[tuple[Leaf, ...], Column(refs="Leaf")] = ()


def test_columns_from_types() -> None:
    made = schema([Leaf, Tree], "1.2.3")
    assert made["name"] == "Tunbridge" and made["version"] == "1.2.3"
    strong = {"type": "uuid", "refType": "strong"}
    assert made["tables"]["Leaf"] == {
        "columns": {"name": {"type": "string"}, "tree": {"type": {"key": {**strong, "refTable": "Tree"}}}},
        "indexes": [["name", "tree"]],
    }
    several: dict[str, Any] = {"min": 0, "max": "unlimited"}
    assert made["tables"]["Tree"] == {
        "columns": {
            name: {"type": type_}
            for name, type_ in {
                "text": "string",
                "number": "integer",
                "flag": "boolean",
                "maybe": {"key": "string", "min": 0, "max": 1},
                "maybe_number": {"key": "integer", "min": 0, "max": 1},
                "words": "string",
                "pairs": "string",
                "parts": "string",
                "one": {"key": {**strong, "refTable": "Tree"}, "min": 0, "max": 1},
                "others": {"key": {**strong, "refTable": "Tree"}, **several},
                "leaves": {"key": {**strong, "refTable": "Leaf"}, **several},
            }.items()
        },
        "isRoot": True,
    }
    assert json.dumps(schema([Leaf, Tree])) == json.dumps(schema([Leaf, Tree]))


def test_a_column_has_one_type() -> None:
    with pytest.raises(TypeError, match="one type"):
        Shape(str | int, Column())


def test_versions_compare_as_numbers() -> None:
    assert version_number("1.10.0") > version_number("1.9.9") > version_number("")
