"""Where each external address is now, told to the physical network when it has moved (gratuitous ARP, RFC 5227)."""

import asyncio
from collections.abc import Callable, Iterable

from apps.contract import PacketOut
from apps.routing.answer import announce
from controller.model import Network, Port
from controller.view.network import FLOATING_IP, NETWORK, PORT, ROUTER
from controller.view.topology import GATEWAYS, HOSTING, ranked
from controller.view.view import View

FIRST = 1
"""The version that a process begins with."""
AGAIN = (1.0, 3.0)
"""Seconds after which it is told once more: a switch may lose a frame."""


class Announcer:
    """``live(host)``: the hosts that its BFD sessions reach, None when it is not there to tell. ``settled(host,
    version)``: its flows are confirmed up to a version. ``send(host, packet)``."""

    def __init__(
        self,
        view: View,
        *,
        live: Callable[[str], frozenset[str] | None],
        settled: Callable[[str, int], bool],
        send: Callable[[str, PacketOut], None],
    ) -> None:
        self._view, self._live, self._settled, self._send = view, live, settled, send
        self._holder: dict[str, str] = {}
        """Floating IP or router -> the host that was last told to be it."""
        self._due: dict[str, int] = {}
        """Those that may have moved -> the version since which."""
        self._inherited: set[str] = set()
        """Those that were there when this process began: a predecessor has announced them."""

    def look(self, keys: Iterable[str], version: int) -> None:
        """These floating IPs and routers may be elsewhere from this version on."""
        for key in keys:
            self._due[key] = version
            if version == FIRST:
                self._inherited.add(key)

    def settle(self) -> None:
        """Announce what is due and confirmed."""
        for key, version in list(self._due.items()):
            holder = self.holder(key)
            if holder is None:
                # It is no more, or nobody is there to answer for it.
                del self._due[key]
                self._holder.pop(key, None)
            elif holder == self._holder.get(key):
                del self._due[key]
            else:
                # It is not where it was, whether or not it is announced there in time.
                self._holder.pop(key, None)
                if not self._settled(holder, version):
                    continue
                del self._due[key]
                self._holder[key] = holder
                if key not in self._inherited or holder != self._first(key):
                    self._tell(key, holder)
                self._inherited.discard(key)

    def holder(self, key: str) -> str | None:
        """The host that answers for a floating IP or a router now, as far as hosts have told."""
        hosting = self._view.row(HOSTING, key)
        if hosting is not None and not hosting.central:
            return hosting.hosts[0]
        router = self._router(key)
        above: list[str] = []
        for host in ranked(self._view, router) if router else ():
            live = self._live(host)
            if live is not None and not live.intersection(above):
                return host
            above.append(host)
        return None

    def _router(self, key: str) -> str | None:
        floating = self._view.row(FLOATING_IP, key)
        return floating.router_id if floating else key

    def _first(self, key: str) -> str | None:
        hosting = self._view.row(HOSTING, key)
        hosts = hosting.hosts if hosting else self._view.row(GATEWAYS, key)
        return hosts[0] if hosts else None

    def _tell(self, key: str, host: str) -> None:
        for network, mac, address in self._addresses(key):
            packet = announce(self._view, network, mac, address)
            self._send(host, packet)
            for later in AGAIN:
                asyncio.get_running_loop().call_later(later, self._once_more, key, host, packet)

    def _once_more(self, key: str, host: str, packet: PacketOut) -> None:
        if self._holder.get(key) == host and self.holder(key) == host:
            self._send(host, packet)

    def _addresses(self, key: str) -> Iterable[tuple[Network, str, str]]:
        """(network, MAC, address)."""
        view = self._view
        floating, router = view.row(FLOATING_IP, key), view.row(ROUTER, key)
        id = floating.holder_id if floating else router.gateway_port_id if router else None
        port: Port | None = view.row(PORT, id) if id else None
        network = view.row(NETWORK, port.network_id) if port else None
        if port is not None and network is not None:
            for fixed in port.fixed_ips:
                yield network, port.mac_address, fixed.ip_address
