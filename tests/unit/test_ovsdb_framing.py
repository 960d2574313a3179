import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.ovsdb.framing import Framer

TEXT = st.text(st.sampled_from('ab}{"\\ \n[],:é漢😀')) | st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Objects, and the pieces in which they arrive."""
    objects = draw(st.lists(st.dictionaries(TEXT, JSON, max_size=4), max_size=5))
    stream = b""
    for item in objects:
        stream += json.dumps(item, ensure_ascii=draw(st.booleans())).encode()
        stream += draw(st.sampled_from([b"", b"", b"\n", b" \t"]))
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    return objects, [piece for piece in pieces if piece]


@given(streams())
def test_objects_come_out_whole_however_they_are_cut(stream: tuple[list[dict[str, Any]], list[bytes]]) -> None:
    objects, pieces = stream
    framer = Framer(1 << 20)
    assert [item for piece in pieces for item in framer.feed(piece)] == objects


@given(st.dictionaries(TEXT, JSON, min_size=1, max_size=4))
def test_byte_by_byte(item: dict[str, Any]) -> None:
    framer = Framer(1 << 20)
    stream = json.dumps([item], ensure_ascii=False)[1:-1].encode() * 2
    out = [framer.feed(stream[at : at + 1]) for at in range(len(stream))]
    assert out[len(stream) // 2 - 1] == [item] and out[-1] == [item]
    assert sum(map(len, out)) == 2


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.1\r\n", b"}", b"[]{}", b"{]}", b'{"a":1}}', b'{"a":1} x', b"\xff{}", b'{"\xff":1}']
)
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises(ValueError):
        Framer(1 << 20).feed(junk)


def test_a_message_has_a_largest_size() -> None:
    framer = Framer(1000)
    assert framer.feed(b'{"a":"') == []
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        framer.feed(b"x" * 1000)


def test_work_is_linear_in_hostile_bytes() -> None:
    # Each of these borders would be a trial of all that has come, if trials were how borders are found.
    framer = Framer(1 << 30)
    assert framer.feed(b'{"a":["') == []
    for _ in range(2000):
        assert framer.feed(b"}{" * 200) == []
    assert framer.feed(b'",') == []
    for _ in range(20_000):
        assert framer.feed(b"{},{}") == [] and framer.feed(b",") == []
    (item,) = framer.feed(b"0]}")
    assert len(item["a"]) == 40_002
