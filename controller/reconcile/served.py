"""Whether routers, their ports and floating IPs are served: once all hosts that have them have confirmed the flows."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

from controller.compile.ledger import UnitKey
from controller.model import FloatingIP, Port, Record, Router
from controller.model.router import ACTIVE, DOWN, ERROR
from controller.reconcile.bridge import Bridge
from controller.reconcile.facts import FactWriter
from controller.view.network import FLOATING_IP, ROUTER
from controller.view.topology import HOSTING, HOSTS_OF_ROUTER, PORTS_OF_ROUTER
from controller.view.view import View

Thing = tuple[type[Record], str]


class Served:
    """``bridges`` gives the bridges of a host that must confirm; a host without a connection is not waited for, unless
    there is none with one."""

    def __init__(
        self,
        view: View,
        facts: FactWriter,
        bridges: Callable[[str], Sequence[Bridge]],
        failed: Mapping[UnitKey, str],
    ) -> None:
        self._view, self._facts, self._bridges, self._failed = view, facts, bridges, failed
        self._waiting: dict[Thing, tuple[int, set[str]]] = {}
        """Thing -> the version that its flows came with, and the hosts that have not confirmed it."""
        self._on_host: dict[str, set[Thing]] = defaultdict(set)
        self._active: set[Thing] = set()
        self._refused: dict[str, dict[UnitKey, str]] = {}
        """Host -> the units of which it refuses flows, with why."""

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def watch_router(self, id: str, version: int) -> None:
        """It, one of its ports, or where it is has changed."""
        if self._view.row(ROUTER, id) is None:
            self._drop((Router, id))
            self._facts.forget(Router, id)
        else:
            self._watch((Router, id), self._view.members(HOSTS_OF_ROUTER, id), version)
        for port in self._view.members(PORTS_OF_ROUTER, id):
            self._watch((Port, port), self._view.members(HOSTS_OF_ROUTER, id), version)

    def watch_floating_ip(self, id: str, version: int) -> None:
        thing, hosting = (FloatingIP, id), self._view.row(HOSTING, id)
        if self._view.row(FLOATING_IP, id) is None:
            self._drop(thing)
            self._facts.forget(FloatingIP, id)
        elif hosting is None:
            self._drop(thing)
            self._facts.note(FloatingIP, id, status=DOWN, fault="")
        else:
            self._watch(thing, hosting.hosts, version)

    def _watch(self, thing: Thing, hosts: Iterable[str], version: int) -> None:
        self._drop(thing)
        present = {host for host in hosts if any(bridge.channel for bridge in self._bridges(host))} or set(hosts)
        self._waiting[thing] = version, present
        for host in present:
            self._on_host[host].add(thing)
        if not present:
            self._served(thing)

    def _drop(self, thing: Thing) -> None:
        self._active.discard(thing)
        _, hosts = self._waiting.pop(thing, (0, set()))
        for host in hosts:
            self._on_host[host].discard(thing)

    def settle(self, host: str) -> None:
        """Take up what has been confirmed on this host since."""
        bridges = self._bridges(host)
        if not bridges:
            return
        before = self._refused.pop(host, {})
        if refused := {unit: text for bridge in bridges for unit, text in bridge.faults.items()}:
            self._refused[host] = refused
        self.judge_units(refused.keys() ^ before.keys())
        for thing in list(self._on_host.get(host, ())):
            version, hosts = self._waiting[thing]
            if all(bridge.settled(version) for bridge in bridges):
                hosts.discard(host)
                self._on_host[host].discard(thing)
                if not hosts:
                    self._served(thing)

    def _served(self, thing: Thing) -> None:
        self._waiting.pop(thing, None)
        self._active.add(thing)
        self.judge([thing])

    def judge(self, things: Iterable[Thing]) -> None:
        """Say how it is with these, as far as they are confirmed."""
        for thing in things:
            if thing in self._active:
                kind, id = thing
                fault = "; ".join(dict.fromkeys(self._faults(kind, id)))
                self._facts.note(kind, id, status=ERROR if fault else ACTIVE, fault=fault)

    def judge_units(self, units: Iterable[UnitKey]) -> None:
        """Units have failed, were refused, or are mended."""
        for _, key in units:
            id = _id(key)
            self.judge([(FloatingIP, id), (Router, id), (Port, id)])

    def _faults(self, kind: type[Record], id: str) -> Iterator[str]:
        for faults in (self._failed, *self._refused.values()):
            yield from (text for (_, key), text in faults.items() if _id(key) == id)


def _id(key: Hashable) -> str:
    """Of the resource that a unit's key is about: (host, id) or id."""
    return str(key[-1] if isinstance(key, tuple) else key)
