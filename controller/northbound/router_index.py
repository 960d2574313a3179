"""Which ports are a router's or a floating IP's, and what leads to a port from outside."""

from collections.abc import Iterable, Mapping
from typing import Any

from controller.model import FloatingIP, Port, PortForwarding, Record, Router
from controller.store import Store


class RouterIndex:
    """Part of the `Index`, which tells it of rows that come and go."""

    def __init__(self, store: Store) -> None:
        self.routers = store.rows(Router)
        self.floating_ips = store.rows(FloatingIP)
        self.port_forwardings = store.rows(PortForwarding)
        self.ports: Mapping[str, Port] = store.rows(Port)
        self.numbers: dict[int, str] = {}
        """Number -> router."""
        self.owners: dict[str, str] = {}
        """Port -> the router or the floating IP that it belongs to."""
        self.interfaces_on: dict[str, dict[str, str]] = {}
        """Network -> port -> router, of routers' interfaces."""
        self.gateways_on: dict[str, dict[str, str]] = {}
        """Network -> port -> router, of routers' gateways."""
        self.floating_ips_on: dict[str, set[str]] = {}
        """External network -> floating IPs."""
        self.floating_ips_to: dict[str, set[str]] = {}
        """Port -> floating IPs that stand for it."""
        self.floating_ips_by: dict[str, set[str]] = {}
        """Router -> floating IPs that it translates."""
        self.forwardings_of: dict[str, set[str]] = {}
        """Floating IP -> port forwardings."""
        self.forwardings_to: dict[str, set[str]] = {}
        """Internal port -> port forwardings."""
        self._networks: dict[str, str] = {}

    def interfaces(self, router: Router) -> list[Port]:
        return [self.ports[id] for id in router.interfaces if id in self.ports]

    def gateway(self, router: Router) -> Port | None:
        return None if router.gateway_port_id is None else self.ports.get(router.gateway_port_id)

    def add(self, row: Record) -> None:
        if isinstance(row, Router):
            self.numbers[row.number] = row.id
            for id in row.interfaces:
                self._own(self.interfaces_on, id, row.id)
            if row.gateway_port_id is not None:
                self._own(self.gateways_on, row.gateway_port_id, row.id)
        else:
            for sets, key in self._sets(row):
                sets.setdefault(key, set()).add(row.id)
            if isinstance(row, FloatingIP):
                self.owners[row.holder_id] = row.id

    def drop(self, row: Record) -> None:
        if isinstance(row, Router):
            self.numbers.pop(row.number, None)
            for id in row.interfaces:
                self._disown(self.interfaces_on, id)
            if row.gateway_port_id is not None:
                self._disown(self.gateways_on, row.gateway_port_id)
        else:
            for sets, key in self._sets(row):
                _discard(sets, key, row.id)
            if isinstance(row, FloatingIP):
                self.owners.pop(row.holder_id, None)

    def _sets(self, row: Record) -> Iterable[tuple[dict[str, set[str]], str]]:
        """Each set that a floating IP or a forwarding is in."""
        if isinstance(row, FloatingIP):
            yield self.floating_ips_on, row.floating_network_id
            if row.port_id is not None:
                yield self.floating_ips_to, row.port_id
            if row.router_id is not None:
                yield self.floating_ips_by, row.router_id
        elif isinstance(row, PortForwarding):
            yield self.forwardings_of, row.floatingip_id
            yield self.forwardings_to, row.internal_port_id

    def _own(self, ports_on: dict[str, dict[str, str]], port_id: str, router_id: str) -> None:
        self.owners[port_id] = router_id
        # A port stays on its network: where it was last seen is where it is.
        network_id = self._networks[port_id] = self.ports[port_id].network_id
        ports_on.setdefault(network_id, {})[port_id] = router_id

    def _disown(self, ports_on: dict[str, dict[str, str]], port_id: str) -> None:
        self.owners.pop(port_id, None)
        network_id = self._networks.pop(port_id, "")
        _discard(ports_on, network_id, port_id)


def _discard(index: dict[str, Any], key: str, id: str) -> None:
    """`id` out of the set or the dictionary that stands under `key`; nothing empty is kept."""
    found = index.get(key)
    if found is None:
        return
    if isinstance(found, set):
        found.discard(id)
    else:
        found.pop(id, None)
    if not found:
        del index[key]
