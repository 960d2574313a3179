"""Prefixes as ranges of numbers: which of them overlap, and what is left of them."""

import ipaddress
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

from controller.northbound.values import IPNetwork

BITS = {4: 32, 6: 128}
"""Of an address, by IP version."""
Span = tuple[int, int]
"""First and last address."""


@lru_cache(maxsize=1 << 16)
def span(prefix: str) -> Span:
    network = ipaddress.ip_network(prefix)
    return int(network.network_address), int(network.broadcast_address)


def joined(prefixes: Iterable[str]) -> tuple[str, ...]:
    """The same addresses, all of one IP version, in as few prefixes as can be; ascending."""
    return tuple(map(str, ipaddress.collapse_addresses(map(ipaddress.ip_network, prefixes))))  # type: ignore[type-var]


def overlap(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether some address is in both; neither overlaps itself. All of one IP version."""
    spans = sorted(map(span, (*some, *others)))
    return any(after[0] <= before[1] for before, after in pairwise(spans))


def within(prefix: str, prefixes: Iterable[str]) -> bool:
    """Whether one of the prefixes, which are of the same IP version, has all of it."""
    first, last = span(prefix)
    return any(low <= first and last <= high for low, high in map(span, prefixes))


def smallest_free(prefixes: Iterable[str], taken: Iterable[str], length: int, version: int) -> str | None:
    """A prefix of that length inside the joined `prefixes` and apart from all that is `taken`: the first one of the
    smallest free block, so that large blocks stay whole."""
    bits = BITS[version]
    size = 1 << bits - length
    blocks = ((block, first) for low, high in _gaps(prefixes, taken) for first, block in _blocks(low, high, bits))
    _, first = min((each for each in blocks if each[0] >= size), default=(0, -1))
    return str(network(first, length, version)) if first >= 0 else None


def network(first: int, length: int, version: int) -> IPNetwork:
    kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    return kind((first, length))


def _gaps(prefixes: Iterable[str], taken: Iterable[str]) -> Iterator[Span]:
    """What is left of the prefixes, ascending."""
    held = iter(sorted(map(span, taken)))
    low, high = next(held, (-1, -1))
    for first, last in sorted(map(span, prefixes)):
        while high >= 0 and low <= last:
            if high >= first:
                if low > first:
                    yield first, low - 1
                first = max(first, high + 1)
                if first > last:
                    break
            low, high = next(held, (-1, -1))
        if first <= last:
            yield first, last


def _blocks(low: int, high: int, bits: int) -> Iterator[Span]:
    """(First address, size) of the prefixes that make up a range, as few as can be."""
    while low <= high:
        aligned = low & -low if low else 1 << bits
        size = min(aligned, 1 << (high - low + 1).bit_length() - 1)
        yield low, size
        low += size
