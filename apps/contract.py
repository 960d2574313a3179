"""What an app is: pure functions from a key to flows, and a table that says whose keys they take.

An app installs nothing and removes nothing; it says what holds now. It does no I/O and reads no clock.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from controller.view.source import Source
from controller.view.view import View
from flows.actions import Action
from flows.fields import REG, Field
from flows.flow import Flow, MeterConfig

Scope = tuple[str, str]
"""Where flows belong: (kind, key). Hosts follow scopes."""

EVERYWHERE: Scope = ("everywhere", "")


def on_host(name: str) -> Scope:
    return "host", name


def on_network(id: str) -> Scope:
    """Every host on which the network has a port."""
    return "network", id


def on_router(id: str) -> Scope:
    """Every host on which one of the router's networks is present, and its gateway hosts."""
    return "router", id


def on_set(key: str) -> Scope:
    """Every host on which a port has this set of security groups."""
    return "set", key


def on_remote(group: str) -> Scope:
    """Every host with a set whose rules name this group as the other side."""
    return "remote", group


class Lack(msgspec.Struct, frozen=True):
    """What a unit's key asks for and can't have, in words for whoever asked: shown as the fault of its port, router or
    floating IP. The unit's flows, if any, are installed all the same."""

    what: str


Wanted = tuple[Scope, Flow | MeterConfig] | Lack
Unit = Callable[[View, Any], Iterator[Wanted]]
"""(view, key) -> what holds for that key. Its matches must be its own: no two units may want one match."""


class PacketIn(msgspec.Struct, frozen=True):
    """A packet that a flow of the app has sent to the controller."""

    host: str
    table: int
    """Number of the table whose flow has sent it."""
    in_port: int
    registers: Mapping[int, int]
    data: bytes

    def register(self, field: Field) -> int:
        """Value of a 32-bit register."""
        return self.registers.get(REG.index(field), 0)


class PacketOut(msgspec.Struct, frozen=True):
    """A packet to send through actions on br-int of the host where the question came from."""

    data: bytes
    actions: tuple[Action, ...]


class Learned(msgspec.Struct, frozen=True):
    """An address on a network has been found to have this MAC."""

    network_id: str
    address: str
    mac: str


class Unknown(msgspec.Struct, frozen=True):
    """A packet waits for the MAC of an address on a network."""

    network_id: str
    address: str
    asking: PacketOut
    """What finds it out."""
    waiting: PacketOut
    """The packet, to be sent when it is known; its destination MAC is set then."""
    refusal: PacketOut | None
    """To be sent when nobody has answered."""


Answer = PacketOut | Learned | Unknown


class App(msgspec.Struct, frozen=True):
    """One function of the network."""

    name: str
    number: int
    """1 to 255: the first byte of its flows' cookies. Fixed for ever, or a restart rewrites its flows."""
    units: Mapping[Source, Sequence[Unit]]
    """Whose keys are units of which functions."""
    answer: Callable[[PacketIn, View], Iterable[Answer]] | None = None
