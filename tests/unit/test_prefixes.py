"""Prefixes as ranges, against netaddr's sets of addresses, of which the real service is made."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from netaddr import IPNetwork, IPSet

from controller.northbound.prefixes import BITS, joined, overlap, smallest_free, within

RELAXED = settings(max_examples=300, deadline=None)


@st.composite
def prefixes(draw: Any, version: int, *, least: int = 0) -> list[str]:
    """Of a part of the address space so small that they meet, at its beginning or at its end."""
    bits = BITS[version]
    base = draw(st.sampled_from([0, (1 << bits) - (1 << 8)]))
    found = []
    for _ in range(draw(st.integers(least, 5))):
        length = draw(st.integers(bits - 7, bits))
        first = base + draw(st.integers(0, 255)) >> bits - length << bits - length
        found.append(str(IPNetwork((first, length), version=version) if version == 6 else IPNetwork((first, length))))
    return found


VERSIONS = st.sampled_from([4, 6])


def apart(found: list[str]) -> list[str]:
    kept: list[str] = []
    for each in found:
        if not IPSet([each]) & IPSet(kept):
            kept.append(each)
    return kept


@RELAXED
@given(st.data(), VERSIONS)
def test_joined(data: st.DataObject, version: int) -> None:
    found = data.draw(prefixes(version))
    expected = IPSet(found)
    expected.compact()
    assert list(joined(found)) == [str(each) for each in expected.iter_cidrs()]


@RELAXED
@given(st.data(), VERSIONS)
def test_overlap_and_within(data: st.DataObject, version: int) -> None:
    some, others = joined(data.draw(prefixes(version))), joined(data.draw(prefixes(version)))
    assert overlap(some, others) == bool(IPSet(some) & IPSet(others))
    for each in others:
        assert within(each, some) == IPSet([each]).issubset(IPSet(some))


@RELAXED
@given(st.data(), VERSIONS, st.integers(0, 9))
def test_smallest_free(data: st.DataObject, version: int, size: int) -> None:
    held, taken = joined(data.draw(prefixes(version, least=1))), apart(data.draw(prefixes(version)))
    length = BITS[version] - size
    free = IPSet(held) - IPSet(taken)
    free.compact()
    # Neutron, ipam/subnet_alloc.py: the first block that is large enough, of those in the order of their size.
    blocks = sorted(free.iter_cidrs(), key=lambda block: block.prefixlen, reverse=True)
    expected = next((str(next(block.subnet(length))) for block in blocks if block.prefixlen <= length), None)
    assert smallest_free(held, taken, length, version) == expected


def test_whole_address_spaces() -> None:
    assert smallest_free(["0.0.0.0/0"], [], 0, 4) == "0.0.0.0/0"
    assert smallest_free(["::/0"], ["::/1"], 8, 6) == "8000::/8"
    assert smallest_free(["::/0"], ["::/1", "8000::/1"], 128, 6) is None
    assert joined(["10.0.1.0/24", "10.0.0.0/24", "10.0.0.0/25"]) == ("10.0.0.0/23",)
