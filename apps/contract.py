"""What an app is: pure functions from a key to flows, and a table that says whose keys they take.

An app installs nothing and removes nothing; it says what holds now. It does no I/O and reads no clock.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from controller.view.source import Source
from controller.view.view import View
from flows.flow import Flow, MeterConfig

Scope = tuple[str, str]
"""Where flows belong: (kind, key). Hosts follow scopes."""

EVERYWHERE: Scope = ("everywhere", "")


def on_host(name: str) -> Scope:
    return "host", name


def on_network(id: str) -> Scope:
    """Every host on which the network has a port."""
    return "network", id


def on_set(key: str) -> Scope:
    """Every host on which a port has this set of security groups."""
    return "set", key


def on_remote(group: str) -> Scope:
    """Every host with a set whose rules name this group as the other side."""
    return "remote", group


Wanted = tuple[Scope, Flow | MeterConfig]
Unit = Callable[[View, Any], Iterator[Wanted]]
"""(view, key) -> what holds for that key. Its matches must be its own: no two units may want one match."""


class PacketIn(msgspec.Struct, frozen=True):
    """A packet that a flow of the app has sent to the controller."""

    host: str
    in_port: int
    registers: Mapping[int, int]
    data: bytes


class PacketOut(msgspec.Struct, frozen=True):
    """A packet to send out of one port of br-int on the host where the question came from."""

    port: int
    data: bytes


class App(msgspec.Struct, frozen=True):
    """One function of the network."""

    name: str
    number: int
    """1 to 255: the first byte of its flows' cookies. Fixed for ever, or a restart rewrites its flows."""
    units: Mapping[Source, Sequence[Unit]]
    """Whose keys are units of which functions."""
    answer: Callable[[PacketIn, View], Iterable[PacketOut]] | None = None
