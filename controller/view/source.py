"""What a unit can read: rows by key, rows joined from others of the same key, and indexes over rows."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
M = TypeVar("M", bound=Hashable)


class Rows(Generic[K, V]):
    """A kind of row: key -> frozen value."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


class Joined(Rows[K, V]):
    """A row that follows from two others of the same key; it exists while both do and ``make`` gives a value."""

    def __init__(
        self, name: str, left: Rows[K, Any], right: Rows[K, Any], make: Callable[[Any, Any], V | None]
    ) -> None:
        super().__init__(name)
        self.left, self.right, self.make = left, right, make


class Index(Generic[K, M]):
    """Key -> members, from the rows of one kind.

    ``pairs`` gives the (key, member) pairs of one row. Members are counted, so that a key's readers wake only when a
    member comes or goes: a network's tenth port on a host changes nobody's list of hosts.
    """

    def __init__(self, name: str, of: Rows[Any, Any], pairs: Callable[[Any, Any], Iterable[tuple[K, M]]]) -> None:
        self.name, self.of, self.pairs = name, of, pairs

    def __repr__(self) -> str:
        return self.name


Source = Rows[Any, Any] | Index[Any, Any]
Read = tuple[Source, Hashable]
"""One row or one index entry."""
