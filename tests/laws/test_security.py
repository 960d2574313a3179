"""Law 4 for security groups: who may open what to whom, as real switches decide it, equals a model in plain Python."""

import ipaddress
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.security.rules import port_masks
from controller.compile.desired import Desired
from controller.model import AddressGroup, FixedIP, Network, Port, SecurityGroup, SecurityGroupRule
from controller.view.network import ADDRESS_GROUP, BINDING, GROUP, HOST, NETWORK, PORT, RULE, Binding, Peer
from controller.view.view import Put
from tests.laws.fabric import Fabric
from tests.laws.histories import GROUPS, rule
from tests.switch.vswitch import Vswitch

HOSTS = {"h1": "172.31.0.1", "h2": "172.31.0.2"}
PORTS = 5
ADDRESSES = ("10.0.0.0/30", "fd00::/126")
"""Of the one address group: numbers 1 to 3 of both families."""


class Vm(NamedTuple):
    number: int
    host: str
    groups: frozenset[str]
    secure: bool

    @property
    def mac(self) -> str:
        return f"fa:16:3e:00:00:{self.number:02x}"

    def address(self, family: str) -> str:
        return f"10.0.0.{self.number}" if family == "IPv4" else f"fd00::{self.number:x}"

    @property
    def at(self) -> tuple[str, int]:
        return self.host, self.number


class Packet(NamedTuple):
    """``port`` and ``code``: destination port, or ICMP type and code."""

    family: str
    protocol: int
    port: int
    code: int = 0


FAMILIES = st.sampled_from(["IPv4", "IPv6"])
NUMBERS = {"tcp": 6, "udp": 17, "132": 132}
WITH_PORTS = st.builds(Packet, FAMILIES, st.sampled_from([6, 17, 132]), st.integers(0, 100))
OTHERS = (
    Packet("IPv4", 1, 8), Packet("IPv4", 1, 8, 1), Packet("IPv4", 1, 3, 1), Packet("IPv6", 58, 8),
    Packet("IPv6", 58, 3, 1), Packet("IPv4", 47, 0), Packet("IPv6", 47, 0),
)  # fmt: skip


class Case(NamedTuple):
    vms: list[Vm]
    rules: list[SecurityGroupRule]
    stateful: bool
    packets: list[Packet]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    groups = st.frozensets(st.sampled_from(GROUPS), max_size=2)
    vms = [
        Vm(n, draw(st.sampled_from(sorted(HOSTS))), draw(groups), draw(st.integers(0, 5)) > 0)
        for n in range(1, draw(st.integers(2, PORTS)) + 1)
    ]
    rules = [draw(rule(f"r{n}")) for n in range(draw(st.integers(0, 12)))]
    # Where a range begins and ends is where it can be wrong.
    edges = {
        Packet(each.ethertype, NUMBERS[each.protocol], end + step)
        for each in rules
        if each.protocol in NUMBERS and each.port_range_min is not None
        for end, steps in ((each.port_range_min, (-1, 0)), (each.port_range_max or 0, (0, 1)))
        for step in steps
    }
    packets = [WITH_PORTS, st.sampled_from(OTHERS), *([st.sampled_from(sorted(edges))] * 3 if edges else [])]
    return Case(
        vms, rules, draw(st.booleans()), draw(st.lists(st.one_of(packets), min_size=3, max_size=6, unique=True))
    )


# ---- the model
def allowed(case: Case, vm: Vm, other: Vm, direction: str, packet: Packet) -> bool:
    return not vm.secure or any(
        rule.direction == direction and rule.security_group_id in vm.groups and matches(case, rule, other, packet)
        for rule in case.rules
    )


def matches(case: Case, rule: SecurityGroupRule, other: Vm, packet: Packet) -> bool:
    if rule.ethertype != packet.family:
        return False
    if rule.protocol is not None:
        number = {"tcp": 6, "udp": 17, "icmp": 58 if packet.family == "IPv6" else 1}.get(rule.protocol) or int(
            rule.protocol
        )
        if number != packet.protocol:
            return False
        if number in (1, 58):
            if rule.port_range_min not in (None, packet.port) or rule.port_range_max not in (None, packet.code):
                return False
        elif not (rule.port_range_min or 0) <= packet.port <= (rule.port_range_max or 0xFFFF):
            return False
    address = other.address(packet.family)
    if rule.remote_group_id is not None:
        # Whoever has an address of a member: groups are of addresses, also in the real service.
        return any(rule.remote_group_id in vm.groups and vm.address(packet.family) == address for vm in case.vms)
    prefixes = [rule.remote_ip_prefix] if rule.remote_ip_prefix else ADDRESSES if rule.remote_address_group_id else None
    return prefixes is None or any(ipaddress.ip_address(address) in ipaddress.ip_network(prefix) for prefix in prefixes)


# ---- the switches
@pytest.fixture(scope="module")
def fabric() -> Iterator[Fabric]:
    with Vswitch() as switch:
        yield Fabric(switch, HOSTS, PORTS)


def compiled(case: Case) -> Desired:
    desired = Desired()
    for host in HOSTS:
        desired.joined(host, {})
    puts: list[Put] = [(HOST, host, Peer(address)) for host, address in HOSTS.items()]
    puts.append((NETWORK, "n", Network(id="n", vni=7)))
    puts.append((ADDRESS_GROUP, "a0", AddressGroup(id="a0", number=1 << 31, addresses=ADDRESSES)))
    puts += [(GROUP, id, SecurityGroup(id=id, number=n, stateful=case.stateful)) for n, id in enumerate(GROUPS, 1)]
    puts += [(RULE, each.id, each) for each in case.rules]
    for vm in case.vms:
        fixed = tuple(FixedIP(id=a, subnet_id="s", ip_address=a) for a in map(vm.address, ("IPv4", "IPv6")))
        port = Port(
            id=f"p{vm.number}", network_id="n", mac_address=vm.mac, fixed_ips=fixed, port_security_enabled=vm.secure,
            security_groups=tuple(sorted(vm.groups)) if vm.secure else (),
        )  # fmt: skip
        puts += [(PORT, port.id, port), (BINDING, port.id, Binding(vm.host, vm.number))]
    turn = desired.turn(puts)
    assert not turn.outcome.failed
    return desired


def as_flow(sender: Vm, receiver: Vm, packet: Packet) -> dict[str, str]:
    v4 = packet.family == "IPv4"
    flow = {"eth_type": "0x0800" if v4 else "0x86dd", "dl_src": sender.mac, "dl_dst": receiver.mac, "nw_ttl": "64"}
    flow["nw_src" if v4 else "ipv6_src"] = sender.address(packet.family)
    flow["nw_dst" if v4 else "ipv6_dst"] = receiver.address(packet.family)
    flow["nw_proto"] = str(packet.protocol)
    if packet.protocol in (6, 17, 132):
        name = {6: "tcp", 17: "udp", 132: "sctp"}[packet.protocol]
        flow |= {f"{name}_src": "40000", f"{name}_dst": str(packet.port)}
    elif packet.protocol in (1, 58):
        name = "icmp" if v4 else "icmpv6"
        flow |= {f"{name}_type": str(packet.port), f"{name}_code": str(packet.code)}
    return flow


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(cases())
def test_who_may_open_what(fabric: Fabric, case: Case) -> None:
    desired = compiled(case)
    for host in HOSTS:
        fabric.install(host, desired.compiler.desired(host))
    members = {vm: vm._replace(groups=vm.groups if vm.secure else frozenset()) for vm in case.vms}
    case = case._replace(vms=list(members.values()))
    for sender in case.vms:
        for receiver in case.vms:
            if sender is receiver:
                continue
            for packet in case.packets:
                may = allowed(case, sender, receiver, "egress", packet) and allowed(
                    case, receiver, sender, "ingress", packet
                )
                got = fabric.deliver(sender.at, as_flow(sender, receiver, packet))
                assert got == ({receiver.at: 1} if may else {}), (sender, receiver, packet)
        # Flooded, each receiver by its own rules. To whom it goes is nobody's address.
        nobody = Vm(99, "h1", frozenset(), False)
        for packet in case.packets:
            may_send = allowed(case, sender, nobody, "egress", packet)
            hears = {vm.at for vm in case.vms if vm != sender and allowed(case, vm, sender, "ingress", packet)}
            flooded = as_flow(sender, nobody, packet) | {"dl_dst": "ff:ff:ff:ff:ff:ff"}
            got = fabric.deliver(sender.at, flooded)
            assert got == (dict.fromkeys(hears, 1) if may_send else {}), (sender, packet)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_port_masks_are_exact_and_few(one: int, other: int) -> None:
    low, high = sorted((one, other))
    masks = list(port_masks(low, high))
    assert len(masks) <= 30
    covered = 0
    for value, mask in masks:
        size = (~mask & 0xFFFF) + 1
        assert value & ~mask == 0
        assert low <= value
        assert value + size - 1 <= high
        covered += size
    assert covered == high - low + 1
