"""The whole pure machine: rows in, plans out. Control feeds it; tests feed it the same way."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from apps import APPS
from apps.contract import App
from controller.compile.compiler import Compiler, Outcome
from controller.compile.follow import follow
from controller.compile.numbers import KINDS, PEERS, TAGS, ZONES, HostNumbers, Kind
from controller.view.network import ALWAYS, HOST, PEER, SETS_ON_HOST, TAG, ZONE
from controller.view.source import Read, Rows
from controller.view.topology import (
    FLOATING_IPS_ON_HOST,
    GATEWAYS_ON_HOST,
    MESH,
    PRESENT,
    derive,
    network_view,
    to_itself,
)
from controller.view.view import Put

ROWS: dict[Kind, Rows[Any, int]] = {TAGS: TAG, ZONES: ZONE, PEERS: PEER}
_GROUNDS = (PRESENT, MESH, FLOATING_IPS_ON_HOST, GATEWAYS_ON_HOST)
"""When one of these has changed for a host, its numbers are looked at."""


class Turn(msgspec.Struct, frozen=True):
    """What one batch of changes came to."""

    outcome: Outcome
    changed: dict[Read, None]
    renumbered: set[str]
    """Hosts whose numbers were looked at."""


class Desired:
    """View, numbers and compiler."""

    def __init__(self, apps: Sequence[App] = APPS) -> None:
        self.view = network_view()
        self.compiler = Compiler(self.view, apps, follow, [HOST, PRESENT, SETS_ON_HOST])
        self.numbers: dict[str, dict[Kind, HostNumbers]] = {}
        """Host -> kind -> numbers, of hosts that have said which they have kept; others get none, nor flows that need
        them."""
        self._unnumbered: set[str] = set()
        self._first: list[Put] = [(ALWAYS, "", True)]

    def joined(self, host: str, kept: Mapping[Kind, Mapping[int, str]]) -> list[Put]:
        """A host has said which numbers it has, by kind. What we know already stands; else the puts that take over its
        own."""
        self._unnumbered.add(host)
        if host not in self.numbers:
            self.numbers[host] = {kind: HostNumbers(kind, kept.get(kind, {})) for kind in KINDS}
        return [
            (ROWS[kind], (host, key), number)
            for kind, numbers in self.numbers[host].items()
            for key, number in numbers.by_key.items()
        ]

    def turn(self, puts: Iterable[Put]) -> Turn:
        changed, renumbered = self.put(puts)
        return Turn(self.compiler.run(self.compiler.due(changed)), changed, renumbered)

    def put(self, puts: Iterable[Put]) -> tuple[dict[Read, None], set[str]]:
        """Rows and what is derived from them, before any unit is run: what has changed, and the hosts whose numbers
        were looked at."""
        changed = derive(self.view, self.view.put([*self._first, *puts]))
        self._first = []
        hosts = {str(key) for source, key in changed if source in _GROUNDS} | self._unnumbered
        self._unnumbered = set()
        renumbered = hosts & self.numbers.keys()
        for host in sorted(renumbered):
            changed |= self.view.put(self._assign(host))
        return changed, renumbered

    def _assign(self, host: str) -> Iterable[Put]:
        view = self.view
        floating = view.members(FLOATING_IPS_ON_HOST, host)
        present, mesh = view.row(PRESENT, host), view.row(MESH, host)
        wanted: dict[Kind, Iterable[str]] = {
            TAGS: present.networks if present else (),
            ZONES: [*view.members(GATEWAYS_ON_HOST, host), *floating, *map(to_itself, floating)],
            PEERS: mesh if mesh is not None else (),
        }
        for kind, keys in wanted.items():
            for key, number in self.numbers[host][kind].assign(keys).items():
                yield ROWS[kind], (host, key), number
