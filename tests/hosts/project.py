"""One project: its networks, routers and machines, on the hosts of a lab."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.hosts.lab import Lab
from tests.hosts.namespace import ip
from tests.hosts.tenant import Row, Tenant
from tests.hosts.vm import Vm

MTU = 1450


@dataclass(frozen=True)
class Seat:
    """Where one machine is. Network 3 is 10.3.0.0/24 and fd00:3::/64; a machine's addresses end in ``number``."""

    name: str
    host: str
    network: int
    number: int

    @property
    def ipv4(self) -> str:
        return f"10.{self.network}.0.{self.number}"

    @property
    def ipv6(self) -> str:
        return f"fd00:{self.network}::{self.number}"


class Project:
    def __init__(self, lab: Lab, url: str, name: str) -> None:
        self.name = name
        self.lab = lab
        self.tenant = Tenant(url, name)
        self.networks: dict[int, Row] = {}
        self.subnets: dict[int, tuple[Row, Row]] = {}
        """Number of a network -> IPv4, IPv6."""

    def close(self) -> None:
        self.tenant.close()

    def network(self, number: int, **attributes: object) -> Row:
        """Its gateway addresses end in 1; DHCP for IPv4 only."""
        tenant = self.tenant
        network = self.networks[number] = tenant.network(f"{self.name}-{number}", **attributes)
        self.subnets[number] = (
            tenant.subnet(network, f"10.{number}.0.0/24"),
            tenant.subnet(network, f"fd00:{number}::/64", enable_dhcp=False),
        )
        return network

    def let_in(self) -> None:
        """The default group, in which machines are, allows everything."""
        (group,) = self.tenant.list("security_group", name="default", project_id=self.name)
        for ethertype in ("IPv4", "IPv6"):
            rule = {"direction": "ingress", "ethertype": ethertype, "security_group_id": group["id"]}
            self.tenant.create("security_group_rule", **rule)

    def router(self, name: str, *networks: int, outside: Row | None = None, **attributes: object) -> Row:
        """With interfaces at the networks' gateway addresses, and a gateway on the external network if there is one."""
        if outside:
            attributes["external_gateway_info"] = {"network_id": outside["id"]}
        router = self.tenant.create("router", name=f"{self.name}-{name}", **attributes)
        for number in networks:
            for subnet in self.subnets[number]:
                self.tenant.attach(router, subnet=subnet)
        return router

    def boot(self, seat: Seat, mtu: int = MTU, **attributes: object) -> Vm:
        """A machine: its IPv4 address and default route come by DHCP, those of IPv6 are set."""
        port = self.tenant.port(self.networks[seat.network], seat.name, seat.ipv4, seat.ipv6, **attributes)
        vm = self.lab.add_vm(seat.name, seat.host, port["id"], port["mac_address"], mtu=mtu)
        vm.give(f"{seat.ipv6}/64")
        ip([f"route add default via fd00:{seat.network}::1 dev eth0"], vm.namespace)
        self.tenant.wait_port(port["id"], {"status": "ACTIVE"})
        vm.dhcp()
        return vm

    @contextmanager
    def guest(self, seat: Seat, mtu: int = MTU, **attributes: object) -> Iterator[Vm]:
        """A machine for a while."""
        vm = self.boot(seat, mtu, **attributes)
        try:
            yield vm
        finally:
            self.lab.remove_vm(vm)
            self.tenant.delete("port", vm.port_id)

    def floating_ip(self, network: Row, vm: Vm) -> Row:
        """An external address for the machine, once it works."""
        made = self.tenant.floating_ip(network, vm.port_id)
        return self.tenant.wait("floatingip", made["id"], {"status": "ACTIVE"})

    @contextmanager
    def floating(self, network: Row, vm: Vm) -> Iterator[str]:
        """An external address for a while."""
        made = self.floating_ip(network, vm)
        try:
            yield made["floating_ip_address"]
        finally:
            self.tenant.delete("floatingip", made["id"])
