"""Which host has a port: the last one on which an interface with its id appeared.

During a live migration two hosts have it. The newer one counts; when it lets go, the other is there still.
"""

from collections import defaultdict

from controller.view.network import Binding


class Claims:
    def __init__(self) -> None:
        self._by_port: dict[str, dict[str, int]] = {}
        self._by_host: dict[str, set[str]] = defaultdict(set)

    def on(self, host: str) -> set[str]:
        """The ports that a host has claimed."""
        return set(self._by_host.get(host, ()))

    def claim(self, port: str, host: str, ofport: int) -> Binding:
        """Returns where the port is now."""
        self._by_port.setdefault(port, {})[host] = ofport
        self._by_host[host].add(port)
        return self._now(port)

    def release(self, port: str, host: str) -> Binding | None:
        """Returns where the port is now; None: nowhere."""
        claims = self._by_port.get(port, {})
        claims.pop(host, None)
        self._by_host[host].discard(port)
        if claims:
            return self._now(port)
        self._by_port.pop(port, None)
        return None

    def _now(self, port: str) -> Binding:
        host, ofport = next(reversed(self._by_port[port].items()))
        return Binding(host, ofport)
