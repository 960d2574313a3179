"""What the collections of the API have in common: a kind of record, its attributes, and three plans."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from controller.model.resource import Resource
from controller.northbound.attributes import Attribute, shown
from controller.northbound.draft import Draft
from controller.northbound.faults import Fault

R = TypeVar("R", bound=Resource)
encoder = msgspec.json.Encoder()


class Collection(ABC, Generic[R]):
    """One kind of resource. Plans get what was given under its API names, checked, and raise a `Fault`."""

    name: ClassVar[str]
    plural: ClassVar[str]
    kind: ClassVar[type[Resource]]
    missing: ClassVar[type[Fault]]

    def __init__(self, rows: Mapping[str, R], attributes: dict[str, Attribute]) -> None:
        self.rows = rows
        self.attributes = attributes
        self._encoded: dict[str, tuple[R, bytes]] = {}

    @property
    def path(self) -> str:
        """Its name in a URL; with ``{…}`` for what it is within."""
        return self.plural.replace("_", "-")

    @property
    def tagged(self) -> bool:
        return "tags" in self.attributes

    @abstractmethod
    def create(self, draft: Draft, given: dict[str, Any]) -> R: ...

    @abstractmethod
    def update(self, draft: Draft, old: R, given: dict[str, Any]) -> R: ...

    @abstractmethod
    def delete(self, draft: Draft, old: R) -> None: ...

    def find(self, id: str) -> R:
        found = self.rows.get(id)
        if found is None:
            raise self.missing(id=id)
        return found

    def fields(self, given: dict[str, Any]) -> dict[str, Any]:
        """Record fields of what was given under API names; attributes that are no column are left out."""
        return {self.attributes[name].field: value for name, value in given.items() if self.attributes[name].field}

    def changed(self, draft: Draft, old: R, fields: dict[str, Any]) -> R:
        """The record with `fields`; no step when they say what it says already."""
        if all(getattr(old, name) == value for name, value in fields.items()):
            return old
        return draft.change(old, **fields)

    def encode(self, record: R) -> bytes:
        """The record as JSON, kept for the next time."""
        kept = self._encoded.get(record.id)
        if kept is not None and kept[0] is record:
            return kept[1]
        encoded = encoder.encode(shown(self.attributes, record))
        self._encoded[record.id] = record, encoded
        return encoded

    def encode_all(self, records: Iterable[R]) -> bytes:
        return b"[" + b",".join(map(self.encode, records)) + b"]"

    def forget(self, ids: Iterable[str]) -> None:
        """These have gone, or show something else although their rows are the same."""
        for id in ids:
            self._encoded.pop(id, None)
