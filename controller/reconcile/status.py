"""Whether a port is served: ACTIVE once its own host has confirmed its flows, ERROR where one was refused."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from controller.compile.ledger import UnitKey
from controller.model import Port
from controller.model.port import ACTIVE, DOWN, ERROR
from controller.model.router import FLOATING_IP, GATEWAY, INTERFACE
from controller.reconcile.bridge import Bridge
from controller.reconcile.facts import FactWriter
from controller.view.network import BINDING, LOCATION, PORT, PORTS_HERE, PORTS_OF_SET
from controller.view.view import View

UNPLUGGED = (INTERFACE, GATEWAY, FLOATING_IP)
"""Device owners of ports that never have an interface."""


class PortStatus:
    """``bridges`` gives the bridges of a host that must confirm; empty: it is not there."""

    def __init__(
        self,
        view: View,
        facts: FactWriter,
        bridges: Callable[[str], Sequence[Bridge]],
        failed: Mapping[UnitKey, str],
        shown: Callable[[str], str],
    ) -> None:
        """``shown``: what a host is called in the API."""
        self._shown = shown
        self._view, self._facts, self._bridges, self._failed = view, facts, bridges, failed
        self._waiting: dict[str, dict[str, int]] = {}
        """Host -> port -> the version that its flows came with; only hosts that have some."""
        self._host_of: dict[str, str] = {}
        self._faulty: dict[str, set[str]] = defaultdict(set)

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    def watch(self, ports: Iterable[str], version: int) -> None:
        """These have come, moved, changed place or gone, in the batch of this version."""
        for port in ports:
            if (host := self._host_of.pop(port, None)) is not None:
                self._drop(host, port)
                self._faulty[host].discard(port)
            where, row = self._view.row(LOCATION, port), self._view.row(PORT, port)
            if row is None:
                self._facts.forget(Port, port)
            elif row.device_owner in UNPLUGGED:
                continue  # see Served
            elif where is None:
                self._note(port, DOWN)
            elif where.ofport:
                self._host_of[port] = where.host
                self._waiting.setdefault(where.host, {})[port] = version

    def _drop(self, host: str, port: str) -> None:
        waiting = self._waiting.get(host)
        if waiting is not None and waiting.pop(port, None) is not None and not waiting:
            del self._waiting[host]

    def _note(self, port: str, status: str, fault: str = "") -> None:
        binding = self._view.row(BINDING, port)
        host, ofport = (self._shown(binding.host), binding.ofport) if binding is not None else ("", 0)
        self._facts.note(Port, port, host_id=host, ofport=ofport, status=status, fault=fault)

    def settle(self, host: str) -> None:
        """Say what has been confirmed on this host since."""
        bridges = self._bridges(host)
        waiting = self._waiting.get(host, {})
        failures = [*self._failed.items(), *(fault for bridge in bridges for fault in bridge.faults.items())]
        faults = {port: text for (_, key), text in failures for port in self._ports_of(host, key)}
        faulty = {port for port in faults if self._host_of.get(port) == host}
        done = {
            port for port, version in waiting.items() if bridges and all(bridge.settled(version) for bridge in bridges)
        }
        turned = (faulty ^ self._faulty.get(host, set())) - waiting.keys()
        for port in done | turned:
            self._drop(host, port)
            fault = faults.get(port, "")
            self._note(port, ERROR if fault else ACTIVE, fault)
        self._faulty[host] = faulty

    def _ports_of(self, host: str, key: Hashable) -> Iterable[str]:
        """The ports that a unit's key concerns: the port itself, those with a set of security groups, or those of a
        network on a host."""
        if isinstance(key, tuple):
            return self._view.members(PORTS_HERE, key) if key[0] == host else ()
        return self._view.members(PORTS_OF_SET, (host, str(key))) or (str(key),)

    def settle_all(self) -> None:
        for host in list(self._waiting):
            self.settle(host)
