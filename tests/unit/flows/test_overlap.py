"""Overlap, against packets drawn at random."""

from collections.abc import Mapping
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from flows.fields import ETH_DST, FLAGS, IN_PORT, NETWORK_KEY, REG, Field
from flows.match import Match
from flows.overlap import overlaps
from flows.value import Value

FIELDS = (IN_PORT, ETH_DST, FLAGS)
small = st.integers(0, 3)
matches = st.fixed_dictionaries(
    {}, optional={IN_PORT: small, ETH_DST: st.tuples(small, small), FLAGS: st.tuples(small, small)}
).map(lambda fields: Match(cast(Mapping[Field, Value], fields)))
PACKETS = [(a, b, c) for a in range(4) for b in range(4) for c in range(4)]


def fits(match: Match, packet: tuple[int, int, int]) -> bool:
    found = [match.get(field) or (0, 0) for field in FIELDS]
    return all(value & mask == part & mask for (value, mask), part in zip(found, packet, strict=True))


@given(matches, matches)
def test_overlap_is_a_common_packet(a: Match, b: Match) -> None:
    assert overlaps(a, b) == any(fits(a, packet) and fits(b, packet) for packet in PACKETS)
    assert overlaps(a, b) == overlaps(b, a)


def test_registers_of_one_wider_register_are_apart() -> None:
    assert overlaps(Match({NETWORK_KEY: 1}), Match({REG[1]: 2}))
    assert not overlaps(Match({NETWORK_KEY: 1, REG[1]: 2}), Match({NETWORK_KEY: 1, REG[1]: 3}))
