"""Two projects whose networks have the same addresses, on the hosts of a lab: what demo and tests look at."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.hosts.lab import Lab
from tests.hosts.serve import Serve
from tests.hosts.tenant import Row, Tenant
from tests.hosts.vm import Vm

HOSTS = ("h1", "h2", "h3")
PROJECTS = ("red", "blue")
IPV4, IPV6 = "10.0.0.0/24", "fd00::/64"
GATEWAY = "10.0.0.1"
DNS = "192.0.2.53"
ROUTE = ("192.0.2.0/24", GATEWAY)
MTU = 1450


@dataclass(frozen=True)
class Place:
    """Where one virtual machine of the world is. Its addresses end in ``number``."""

    name: str
    project: str
    host: str
    number: int

    @property
    def ipv4(self) -> str:
        return f"10.0.0.{self.number}"

    @property
    def ipv6(self) -> str:
        return f"fd00::{self.number}"


PLACES = (
    Place("red1", "red", "h1", 11),
    Place("red2", "red", "h1", 12),
    Place("red3", "red", "h2", 13),
    Place("red4", "red", "h3", 34),
    Place("blue1", "blue", "h1", 11),
    Place("blue2", "blue", "h2", 12),
    Place("blue3", "blue", "h3", 13),
    Place("blue4", "blue", "h1", 44),
)
"""Each project has neighbours on one host and on two; .11 to .13 are in both, .34 and .44 in one only."""


class World:
    def __init__(self, lab: Lab, serve: Serve) -> None:
        self.lab = lab
        self.serve = serve
        self.tenants = {project: Tenant(serve.url, project) for project in PROJECTS}
        self.networks: dict[str, Row] = {}
        self.ports: dict[str, Row] = {}
        self.places: dict[str, Place] = {}

    def make_networks(self) -> None:
        for project, tenant in self.tenants.items():
            network = self.networks[project] = tenant.network(f"{project}-net")
            routes = [{"destination": ROUTE[0], "nexthop": ROUTE[1]}]
            tenant.subnet(network, IPV4, gateway_ip=GATEWAY, dns_nameservers=[DNS], host_routes=routes)
            tenant.subnet(network, IPV6, enable_dhcp=False)

    def make_port(self, place: Place) -> Row:
        tenant = self.tenants[place.project]
        port = tenant.port(self.networks[place.project], place.name, place.ipv4, place.ipv6)
        self.ports[place.name] = port
        self.places[place.name] = place
        return port

    def boot(self, place: Place) -> Vm:
        """The port's virtual machine, plugged; its static IPv6 address is set, its IPv4 address comes by DHCP."""
        port = self.ports[place.name]
        vm = self.lab.add_vm(place.name, place.host, port["id"], port["mac_address"], mtu=MTU)
        vm.give(f"{place.ipv6}/64")
        return vm

    def wait_active(self, name: str, timeout: float = 15.0) -> Row:
        place = self.places[name]
        return self.tenants[place.project].wait_port(self.ports[name]["id"], {"status": "ACTIVE"}, timeout)

    @contextmanager
    def guest(self, place: Place) -> Iterator[Vm]:
        """A virtual machine for a while: port, plug, lease; then all gone again."""
        self.make_port(place)
        vm = self.boot(place)
        try:
            self.wait_active(place.name)
            vm.dhcp()
            yield vm
        finally:
            if place.name in self.lab.vms:
                self.lab.remove_vm(vm)
            self.tenants[place.project].delete("port", self.ports.pop(place.name)["id"])
            del self.places[place.name]

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Meanwhile every machine answers TCP with its name."""
        with ExitStack() as servers:
            for vm in self.lab.vms.values():
                servers.enter_context(vm.serve())
            yield

    def vm(self, name: str) -> Vm:
        return self.lab.vms[name]

    def close(self) -> None:
        for tenant in self.tenants.values():
            tenant.close()
