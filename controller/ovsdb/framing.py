"""Where one JSON object ends and the next begins.

OVSDB (RFC 7047 section 4.1) is JSON-RPC 1.0 over a stream: objects follow each other without a separator or a length.
"""

import re
from typing import Any

import orjson

_TOKEN = re.compile(rb'"[^"]*"?|[{}]')
_STRING_END = re.compile(rb'[^"]*"?')
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_BLANK = b" \t\r\n"


class Framer:
    """Bytes in any pieces -> decoded objects. Linear in the bytes, whatever they are."""

    def __init__(self, largest: int) -> None:
        """``largest``: bytes that one object may have."""
        self._largest = largest
        self._buffer = bytearray()
        self._depth = 0
        self._in_string = False
        self._in_escape = False

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The objects that are complete now, in order. Raises ValueError for what can't be JSON objects."""
        if not self._buffer and data.endswith(b"}"):
            # Nearly every read is exactly one object: decoding it is the quickest way to find out.
            try:
                return [_object(data)]
            except orjson.JSONDecodeError:
                pass
        answer = []
        start = 0
        for end in self._ends(data):
            self._buffer += data[start:end]
            answer.append(_object(self._buffer))
            self._buffer = bytearray()
            start = end
        rest = data[start:]
        if not self._buffer:
            rest = rest.lstrip(_BLANK)
        if rest and not self._buffer and not rest.startswith(b"{"):
            raise ValueError(f"not a JSON object: {rest[:40]!r}")
        self._buffer += rest
        if len(self._buffer) > self._largest:
            raise ValueError(f"a message of more than {self._largest} bytes")
        return answer

    def _ends(self, data: bytes) -> list[int]:
        """Offsets in ``data`` just after each object that ends in it. Keeps the state for the next piece."""
        # Escapes are blanked (same length) so that a quotation mark always begins or ends a string.
        masked = data
        if self._in_escape:
            masked = b"_" + masked[1:]
            self._in_escape = False
        if b"\\" in masked:
            masked = _ESCAPE.sub(b"__", masked)
            self._in_escape = masked.endswith(b"\\")
        ends = []
        position = 0
        if self._in_string:
            match = _STRING_END.match(masked)
            assert match is not None
            position = match.end()
            self._in_string = not match.group().endswith(b'"')
        depth = self._depth
        for match in _TOKEN.finditer(masked, position):
            token = match.group()
            if token == b"{":
                depth += 1
            elif token == b"}":
                depth -= 1
                if depth == 0:
                    ends.append(match.end())
                elif depth < 0:
                    raise ValueError("a closing brace without an opening one")
            elif len(token) == 1 or not token.endswith(b'"'):
                self._in_string = True
        self._depth = depth
        return ends


def _object(data: bytes | bytearray) -> dict[str, Any]:
    value = orjson.loads(data)
    if not isinstance(value, dict):
        raise ValueError(f"not a JSON object: {bytes(data[:40])!r}")
    return value
