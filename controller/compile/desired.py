"""The whole pure machine: rows in, plans out. Control feeds it; tests feed it the same way."""

from collections.abc import Iterable, Sequence

import msgspec

from apps import APPS
from apps.contract import App
from controller.compile.compiler import Compiler, Outcome
from controller.compile.follow import follow
from controller.compile.numbers import HostNumbers
from controller.view.network import ALWAYS, HOST, NETWORKS_ON_HOST, SETS_ON_HOST, TAG, network_view
from controller.view.source import Read
from controller.view.view import Put


class Turn(msgspec.Struct, frozen=True):
    """What one batch of changes came to."""

    outcome: Outcome
    changed: dict[Read, None]
    retagged: set[str]
    """Hosts whose tags were looked at."""


class Desired:
    """View, local VLAN tags and compiler."""

    def __init__(self, apps: Sequence[App] = APPS) -> None:
        self.view = network_view()
        self.compiler = Compiler(self.view, apps, follow, [HOST, NETWORKS_ON_HOST, SETS_ON_HOST])
        self.tags: dict[str, HostNumbers] = {}
        """Of the hosts that have said which they have kept; others get none, nor flows that need them."""
        self._untagged: set[str] = set()
        self._first: list[Put] = [(ALWAYS, "", True)]

    def joined(self, host: str, kept: HostNumbers) -> list[Put]:
        """A host has said which tags it has. What we know already stands; else the puts that take over its own."""
        self._untagged.add(host)
        known = self.tags.setdefault(host, kept)
        return [(TAG, (host, network), tag) for network, tag in known.by_key.items()]

    def turn(self, puts: Iterable[Put]) -> Turn:
        changed = self.view.put([*self._first, *puts])
        self._first = []
        hosts = {str(key) for source, key in changed if source is NETWORKS_ON_HOST} | self._untagged
        self._untagged = set()
        retagged = hosts & self.tags.keys()
        for host in sorted(retagged):
            changes = self.tags[host].assign(self.view.members(NETWORKS_ON_HOST, host))
            changed |= self.view.put((TAG, (host, network), tag) for network, tag in changes.items())
        return Turn(self.compiler.run(changed), changed, retagged)
