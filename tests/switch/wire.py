"""A blocking OpenFlow 1.5 client for tests: nothing but a socket, so that it can judge the controller's own."""

import socket
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, MULTIPART_REQUEST, MULTIPART_REPLY = 0, 1, 2, 3, 18, 19
BARRIER_REQUEST, BARRIER_REPLY = 20, 21
FLOW_DESCRIPTIONS = 1
MORE = 1
TIMEOUT = 20.0
"""Seconds without a word from the switch."""


class Described(NamedTuple):
    """A flow as the switch describes it."""

    table: int
    priority: int
    cookie: int
    body: bytes
    """Match and instructions, each padded to 8 bytes."""


class Wire:
    """``with Wire(switch.management("br-int")) as wire: wire.send(messages)``"""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT)
        self._socket.connect(path)
        self._xid = 0
        self._write(HELLO, b"")

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, messages: Iterable[bytes]) -> list[str]:
        """Sends whole messages and a barrier. Gives what the switch refused, as ``type/code data``."""
        self._socket.sendall(b"".join(messages))
        barrier = self._write(BARRIER_REQUEST, b"")
        refused = []
        while True:
            kind, xid, data = self._read()
            if kind == ERROR:
                refused.append("{}/{} ".format(*struct.unpack_from("!HH", data)) + data[4:].hex())
            elif (kind, xid) == (BARRIER_REPLY, barrier):
                return refused

    def flows(self) -> list[Described]:
        """All flows of the bridge."""
        everything = struct.pack("!B3xII4xQQHHI", 0xFF, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 1, 4, 0)
        asked = self._write(MULTIPART_REQUEST, struct.pack("!HHI", FLOW_DESCRIPTIONS, 0, 0) + everything)
        found: list[Described] = []
        while True:
            kind, xid, data = self._read()
            if (kind, xid) == (MULTIPART_REPLY, asked):
                found.extend(_descriptions(data[8:]))
                if not struct.unpack_from("!H", data, 2)[0] & MORE:
                    return found

    def _write(self, kind: int, data: bytes) -> int:
        self._xid += 1
        self._socket.sendall(struct.pack("!BBHI", 6, kind, 8 + len(data), self._xid) + data)
        return self._xid

    def _read(self) -> tuple[int, int, bytes]:
        while True:
            _, kind, length, xid = struct.unpack("!BBHI", self._exactly(8))
            data = self._exactly(length - 8)
            if kind != ECHO_REQUEST:
                return kind, xid, data
            self._socket.sendall(struct.pack("!BBHI", 6, ECHO_REPLY, length, xid) + data)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                raise ConnectionError("the switch has closed the connection")
            data += more
        return data


def _descriptions(data: bytes) -> Iterator[Described]:
    """OpenFlow 1.5.1 section 7.3.5.2: ofp_flow_desc. Between match and instructions there are statistics."""
    at = 0
    while at < len(data):
        length, table, priority = struct.unpack_from("!H2xBxH", data, at)
        (cookie,) = struct.unpack_from("!Q", data, at + 16)
        match = data[at + 24 :][: _padded(data, at + 24)]
        statistics = at + 24 + len(match)
        instructions = data[statistics + _padded(data, statistics) : at + length]
        yield Described(table, priority, cookie, match + instructions)
        at += length


def _padded(data: bytes, at: int) -> int:
    """Length, up to the next 8 bytes, of a structure that has it in its third and fourth byte."""
    (length,) = struct.unpack_from("!H", data, at + 2)
    return int(length) + -int(length) % 8
