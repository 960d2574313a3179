"""Random tenants with routers, as the model sees them, and as rows for the compiler."""

import ipaddress
from itertools import product
from typing import NamedTuple

from hypothesis import strategies as st

from controller.compile.desired import Desired
from controller.model import FixedIP, Network, Port, Route, Router, SecurityGroup, SecurityGroupRule, Subnet
from controller.model.router import INTERFACE
from controller.view.network import BINDING, GROUP, HOST, NETWORK, PORT, ROUTER, RULE, SUBNET, Binding, Peer
from controller.view.view import Put

HOSTS = {"h1": "172.31.0.1", "h2": "172.31.0.2", "h3": "172.31.0.3"}
PORTS = 7
OPEN, CLOSED, TRUSTED = "open", "closed", "trusted"
"""What a VM's port takes from others: all; nothing; all, and no port security at all."""


class Net(NamedTuple):
    """All projects use the same prefixes."""

    project: int
    number: int
    up: bool
    mtu: int

    @property
    def id(self) -> str:
        return f"n{self.project}{self.number}"

    @property
    def vni(self) -> int:
        return 0xFFFF00 + self.project * 16 + self.number

    @property
    def prefixes(self) -> dict[int, str]:
        return {4: f"10.0.{self.number}.0/24", 6: f"fd0{self.number}::/64"}

    def address(self, version: int, number: int) -> str:
        return str(ipaddress.ip_network(self.prefixes[version])[number])


class Vm(NamedTuple):
    number: int
    net: Net
    host: str
    up: bool
    takes: str

    @property
    def mac(self) -> str:
        return f"fa:16:3e:00:00:{self.number:02x}"

    @property
    def at(self) -> tuple[str, int]:
        return self.host, self.number

    def address(self, version: int) -> str:
        return self.net.address(version, 100 + self.number)


class Gate(NamedTuple):
    """A router."""

    project: int
    number: int
    up: bool
    nets: tuple[Net, ...]
    routes: tuple[tuple[str, str], ...] = ()
    """(prefix, next hop)."""

    @property
    def id(self) -> str:
        return f"r{self.project}{self.number}"

    def mac(self, net: Net) -> str:
        return f"fa:16:3e:{self.project:02x}:{net.number:02x}:{0xA0 + self.number:02x}"

    def address(self, version: int, net: Net) -> str:
        """The first router of a network has its first address."""
        return net.address(version, 1 + self.number)


class Tenancy(NamedTuple):
    nets: tuple[Net, ...]
    gates: tuple[Gate, ...]
    vms: tuple[Vm, ...]


_MOSTLY = st.sampled_from([True] * 7 + [False])


@st.composite
def tenancies(draw: st.DrawFn) -> Tenancy:
    nets: list[Net] = []
    gates: list[Gate] = []
    for project in range(draw(st.integers(1, 2))):
        mine = [
            Net(project, n, draw(_MOSTLY), draw(st.sampled_from([1450, 1450, 1450, 1400])))
            for n in range(draw(st.integers(1, 3)))
        ]
        joined = [
            Gate(project, n, draw(_MOSTLY), tuple(sorted(draw(st.sets(st.sampled_from(mine), min_size=1)))))
            for n in range(draw(st.integers(1, 3)))
        ]
        nets += mine
        gates += [gate._replace(routes=draw(_routes(gate, joined, mine))) for gate in joined]
    vms = tuple(
        Vm(
            n, draw(st.sampled_from(nets)), draw(st.sampled_from(sorted(HOSTS))), draw(_MOSTLY),
            draw(st.sampled_from([OPEN, OPEN, OPEN, CLOSED, TRUSTED])),
        )
        for n in range(1, draw(st.integers(2, PORTS)) + 1)
    )  # fmt: skip
    return Tenancy(tuple(nets), tuple(gates), vms)


@st.composite
def _routes(draw: st.DrawFn, gate: Gate, gates: list[Gate], nets: list[Net]) -> tuple[tuple[str, str], ...]:
    """To what is there and what is not; by other routers, by VMs, by nobody."""
    version = draw(st.sampled_from([4, 4, 6]))
    nowhere, all_else = ("10.99.0.0/16", "0.0.0.0/0") if version == 4 else ("fd99::/64", "::/0")
    prefixes = [*[net.prefixes[version] for net in nets] * 2, nets[0].address(version, 101), nowhere, all_else]
    others = [
        other.address(version, net) for other in gates if other is not gate for net in other.nets if net in gate.nets
    ]
    stations = [net.address(version, 100 + number) for net in gate.nets for number in (1, 2, 50)]
    hops = st.sampled_from(others * 4 + stations)
    pairs = draw(st.lists(st.tuples(st.sampled_from(prefixes), hops), max_size=4, unique=True))
    return tuple((str(ipaddress.ip_network(prefix)), hop) for prefix, hop in pairs)


def puts(tenancy: Tenancy) -> list[Put]:
    rows: list[Put] = [(HOST, host, Peer(address)) for host, address in HOSTS.items()]
    for number, (group, way, family) in enumerate(product((OPEN, CLOSED), ("ingress", "egress"), ("IPv4", "IPv6"))):
        if (group, way) == (CLOSED, "ingress"):
            continue
        rule = SecurityGroupRule(id=f"a{number}", security_group_id=group, direction=way, ethertype=family)
        rows.append((RULE, rule.id, rule))
    rows += [(GROUP, id, SecurityGroup(id=id, number=n)) for n, id in enumerate((OPEN, CLOSED), 1)]
    for net in tenancy.nets:
        rows.append((NETWORK, net.id, Network(id=net.id, vni=net.vni, admin_state_up=net.up, mtu=net.mtu)))
        for version, prefix in net.prefixes.items():
            id = f"s{net.id}{version}"
            subnet = Subnet(id=id, network_id=net.id, cidr=prefix, ip_version=version, enable_dhcp=False)
            rows.append((SUBNET, id, subnet))
    for gate in tenancy.gates:
        routes = tuple(Route(prefix, hop) for prefix, hop in gate.routes)
        number = 0xFFFFFF00 + gate.project * 16 + gate.number
        rows.append((ROUTER, gate.id, Router(id=gate.id, number=number, admin_state_up=gate.up, routes=routes)))
        rows += [interface(gate, net) for net in gate.nets]
    for vm in tenancy.vms:
        rows += station(vm)
    return rows


def interface(gate: Gate, net: Net) -> Put:
    addresses = {version: gate.address(version, net) for version in (4, 6)}
    return PORT, f"{gate.id}{net.id}", Port(
        id=f"{gate.id}{net.id}", network_id=net.id, mac_address=gate.mac(net), fixed_ips=_fixed(net, addresses),
        device_owner=INTERFACE, device_id=gate.id, port_security_enabled=False,
    )  # fmt: skip


def station(vm: Vm) -> list[Put]:
    id = f"p{vm.number}"
    addresses = {version: vm.address(version) for version in (4, 6)}
    secure = vm.takes != TRUSTED
    port = Port(
        id=id, network_id=vm.net.id, mac_address=vm.mac, fixed_ips=_fixed(vm.net, addresses), admin_state_up=vm.up,
        port_security_enabled=secure, security_groups=(vm.takes,) if secure else (),
    )  # fmt: skip
    return [(PORT, id, port), (BINDING, id, Binding(vm.host, vm.number))]


def _fixed(net: Net, addresses: dict[int, str]) -> tuple[FixedIP, ...]:
    return tuple(
        FixedIP(id=f"{net.id}{address}", subnet_id=f"s{net.id}{version}", ip_address=address)
        for version, address in addresses.items()
    )


def compiled(tenancy: Tenancy) -> Desired:
    desired = Desired()
    for host in HOSTS:
        desired.joined(host, {})
    turn = desired.turn(puts(tenancy))
    assert not turn.outcome.failed
    return desired


def more(desired: Desired, puts: list[Put]) -> dict[str, int]:
    """How many flows each host gets by them."""
    counts = []
    for batch in ([], puts):
        assert not desired.turn(batch).outcome.failed
        counts.append([len(list(desired.compiler.desired(host))) for host in HOSTS])
    return {host: after - before for host, before, after in zip(HOSTS, *counts, strict=True)}
