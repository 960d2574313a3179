"""The network as the apps see it: rows, indexes, and who has read what.

Every read that a unit makes is recorded. A change marks exactly the units that read what has changed, so its cost is
the change's own and nobody writes down what depends on what.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, KeysView, Mapping
from typing import Any, TypeVar

from controller.view.source import Index, Joined, Read, Rows, Source

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
M = TypeVar("M", bound=Hashable)

Put = tuple[Rows[Any, Any], Hashable, Any]
"""(kind, key, value); the value None deletes."""

_NOTHING: Counter[Any] = Counter()


class View:
    """Reads go through :meth:`row` and :meth:`members`; changes come through :meth:`put`."""

    def __init__(self, joins: Iterable[Joined[Any, Any]], indexes: Iterable[Index[Any, Any]]) -> None:
        self._rows: dict[Rows[Any, Any], dict[Hashable, Any]] = defaultdict(dict)
        self._members: dict[Index[Any, Any], dict[Hashable, Counter[Any]]] = {index: {} for index in indexes}
        self._readers: dict[Read, set[Hashable]] = {}
        self._reads: dict[Hashable, set[Read]] = {}
        self._reader: Hashable = None
        self._indexes: dict[Rows[Any, Any], list[Index[Any, Any]]] = defaultdict(list)
        self._joins: dict[Rows[Any, Any], list[Joined[Any, Any]]] = defaultdict(list)
        for index in self._members:
            self._indexes[index.of].append(index)
        for join in joins:
            self._joins[join.left].append(join)
            self._joins[join.right].append(join)

    # ---- reading
    def row(self, kind: Rows[K, V], key: K) -> V | None:
        self._note((kind, key))
        return self._rows[kind].get(key)

    def members(self, index: Index[K, M], key: K) -> KeysView[M]:
        self._note((index, key))
        return self._members[index].get(key, _NOTHING).keys()

    def has(self, source: Source, key: Hashable) -> bool:
        """Is there such a row, or any member under such a key? Not recorded."""
        return key in (self._members[source] if isinstance(source, Index) else self._rows[source])

    def all(self, kind: Rows[K, V]) -> Mapping[K, V]:
        """Every row of a kind. Not recorded: for operators and for start-up, never for a unit."""
        return self._rows[kind]  # type: ignore[return-value]

    def _note(self, read: Read) -> None:
        if self._reader is not None:
            self._readers.setdefault(read, set()).add(self._reader)
            self._reads[self._reader].add(read)

    # ---- recording
    def record(self, reader: Hashable) -> None:
        """From now on reads are this reader's; what it read before is forgotten. None: nobody's."""
        if reader is not None:
            self.forget(reader)
            self._reads[reader] = set()
        self._reader = reader

    def forget(self, reader: Hashable) -> None:
        for read in self._reads.pop(reader, ()):
            readers = self._readers[read]
            readers.discard(reader)
            if not readers:
                del self._readers[read]

    def readers(self, read: Read) -> Iterable[Hashable]:
        return self._readers.get(read, ())

    # ---- changing
    def put(self, puts: Iterable[Put]) -> dict[Read, None]:
        """Apply changes in order. Gives what has changed, each once, in order."""
        changed: dict[Read, None] = {}
        for kind, key, value in puts:
            changed |= dict.fromkeys(self._put(kind, key, value))
        return changed

    def _put(self, kind: Rows[Any, Any], key: Hashable, new: Any) -> Iterator[Read]:
        rows = self._rows[kind]
        old = rows.get(key)
        if new == old:
            return
        if new is None:
            del rows[key]
        else:
            rows[key] = new
        yield kind, key
        for index in self._indexes[kind]:
            yield from self._reindex(index, key, old, new)
        for join in self._joins[kind]:
            left, right = self._rows[join.left].get(key), self._rows[join.right].get(key)
            value = None if left is None or right is None else join.make(left, right)
            yield from self._put(join, key, value)

    def _reindex(self, index: Index[Any, Any], key: Hashable, old: Any, new: Any) -> Iterator[Read]:
        before = set() if old is None else set(index.pairs(key, old))
        after = set() if new is None else set(index.pairs(key, new))
        entries = self._members[index]
        for entry, member in after - before:
            members = entries.setdefault(entry, Counter())
            members[member] += 1
            if members[member] == 1:
                yield index, entry
        for entry, member in before - after:
            members = entries[entry]
            members[member] -= 1
            if not members[member]:
                del members[member]
                if not members:
                    del entries[entry]
                yield index, entry

    def recorded(self) -> int:
        """How many reads are remembered."""
        return sum(map(len, self._readers.values()))
