"""A model of NAT in plain Python: as whom a VM is seen outside, and whom a packet from there reaches."""

from typing import NamedTuple

from tests.laws.outside import INSIDE_PORT, OUTSIDE_PORT, Site, Way, floating_address, floating_mac
from tests.laws.tenancy import CLOSED, Vm


class Exit(NamedTuple):
    """By which host, and as whom, a VM is seen outside."""

    host: str
    address: str
    mac: str


class Model:
    """``gateways``: router -> hosts, the preferred one first. ``live``: hosts that are."""

    def __init__(self, site: Site, gateways: dict[str, tuple[str, ...]], live: frozenset[str]) -> None:
        self.site, self.gateways, self.live = site, gateways, live

    def active(self, way: Way) -> str | None:
        """The gateway host that does it now. The first is trusted to, until BFD has met it."""
        if not self.site.met:
            return next((host for host in self.gateways.get(way.gate.id, ())[:1] if host in self.live), None)
        return next((host for host in self.gateways.get(way.gate.id, ()) if host in self.live), None)

    def hosting(self, vm: Vm, way: Way) -> str | None:
        """Where a floating IP is: with its VM, where that reaches the outside."""
        if vm.host not in self.site.uplinks:
            return self.active(way)
        return vm.host if vm.host in self.live else None

    def exit(self, vm: Vm, protocol: int = 0, sport: int = 0, version: int = 4) -> Exit | None:
        way = self.site.way(vm)
        if way is None:
            return None
        floating = vm in self.site.floating and version == 4
        host = self.hosting(vm, way) if floating else self.active(way)
        if host is None:
            return None
        if floating:
            return Exit(host, floating_address(vm), floating_mac(vm))
        if version == 4 and (protocol, vm) in way.forwardings and sport == INSIDE_PORT:
            return Exit(host, way.shared, way.shared_mac)
        if version == 4 and way.snat and vm.net not in self.site.scoped:
            return Exit(host, way.address, way.mac)
        return Exit(host, vm.address(version), way.mac)

    def answers(self, address: str) -> Exit | None:
        """Who says outside that it has an address."""
        for way in self.site.ways:
            host = self.active(way) if way.gate.up else None
            if host is not None and address == way.address:
                return Exit(host, address, way.mac)
            if host is not None and address == way.shared and way.forwardings:
                return Exit(host, address, way.shared_mac)
        for vm in self.site.floating:
            if address == floating_address(vm):
                return self.exit(vm)
        return None

    def reached(self, address: str, protocol: int, port: int) -> tuple[Vm, int] | None:
        """Whose port a new connection to an external address comes to."""
        if self.answers(address) is None:
            return None
        for vm in self.site.floating:
            if address == floating_address(vm):
                return (vm, port) if vm.takes != CLOSED and vm.host in self.live else None
        for way in self.site.ways:
            for forwarded, vm in way.forwardings:
                if (address, protocol, port) == (way.shared, forwarded, OUTSIDE_PORT):
                    return (vm, INSIDE_PORT) if vm.takes != CLOSED and vm.host in self.live else None
        return None
