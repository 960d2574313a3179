"""Law 4 for routers: what a VM sends to a router's MAC arrives where a model in plain Python says, with the MAC
addresses and the time to live that it says, and nowhere else; or the controller is asked.

Law 6: recirculations, resubmits and flows of it stay in budget.
"""

import ipaddress
import random
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.routing.interfaces import attachment
from controller.model import SecurityGroupRule
from controller.view.network import ROUTER, RULE, essence
from controller.view.view import Put
from tests.laws.fabric import Arrival, Fabric, Port
from tests.laws.tenancy import (
    CLOSED,
    HOSTS,
    OPEN,
    PORTS,
    Gate,
    Net,
    Tenancy,
    Vm,
    compiled,
    interface,
    more,
    station,
    tenancies,
)
from tests.switch.vswitch import Vswitch

PROBES = 40
"""Packets an example."""
NOBODY = {4: ("10.99.0.5", "192.0.2.1"), 6: ("fd99::5", "2001:db8::1")}


class Probe(NamedTuple):
    """A packet from a VM's port to a router's MAC."""

    sender: Vm
    gate: Gate
    to: str
    echo: bool
    ttl: int
    large: bool

    @property
    def version(self) -> int:
        return ipaddress.ip_address(self.to).version

    @property
    def packet(self) -> dict[str, str]:
        source, v6 = self.sender.address(self.version), self.version == 6
        packet = {"dl_src": self.sender.mac, "dl_dst": self.gate.mac(self.sender.net), "nw_ttl": str(self.ttl)}
        packet = {("icmp6" if v6 else "icmp") if self.echo else ("udp6" if v6 else "udp"): ""} | packet
        packet |= {"ipv6_src": source, "ipv6_dst": self.to} if v6 else {"nw_src": source, "nw_dst": self.to}
        if self.echo:
            name, type = ("icmpv6", "128") if v6 else ("icmp", "8")
            packet |= {f"{name}_type": type, f"{name}_code": "0"}
        return packet


# ---- the model
class Outcome(NamedTuple):
    """``at``: where it arrives; None: nowhere. ``punted``: the controller is asked."""

    at: Port | None
    from_mac: str = ""
    source: str = ""
    ttl: int = 0
    punted: bool = False


NOWHERE, PUNTED = Outcome(None), Outcome(None, punted=True)


class Walk:
    """One probe through the routers. Where a route has several next hops there are several outcomes."""

    def __init__(self, tenancy: Tenancy, probe: Probe) -> None:
        self.sender, self.probe = probe.sender, probe
        self.vms = [vm for vm in tenancy.vms if vm.up]
        self.gates = [gate for gate in tenancy.gates if gate.up]
        self.source, self.to, self.answering = probe.sender.address(probe.version), probe.to, False

    def outcomes(self) -> set[Outcome]:
        sender, probe = self.sender, self.probe
        if not sender.up or not sender.net.up or probe.gate not in self.gates:
            return {NOWHERE}
        return self.route(probe.gate, sender.net, None, probe.ttl, 0)

    def route(self, gate: Gate, net: Net, before: Gate | None, ttl: int, hops: int) -> set[Outcome]:
        """At a router, from a network and whoever was before: another router or the sender."""
        if hops > 8:
            return {NOWHERE, PUNTED}  # in circles
        if ttl <= 1:
            return {PUNTED}
        version = self.probe.version
        if self.to in {gate.address(version, each) for each in gate.nets}:
            return self.answer(gate, net, before, hops)
        if not (ways := self.ways(gate)):
            return {PUNTED}
        return {outcome for out, hop in ways for outcome in self.send(gate, out, hop, ttl - 1, hops)}

    def answer(self, gate: Gate, net: Net, before: Gate | None, hops: int) -> set[Outcome]:
        """It goes back by where it came from."""
        if not self.probe.echo or self.answering:
            return {NOWHERE}
        if before is None:
            return {Outcome(self.sender.at, gate.mac(net), self.to, 64)}
        self.source, self.to, self.answering = self.to, self.source, True
        outcomes = self.route(before, net, gate, 64, hops + 1)
        self.source, self.to, self.answering = self.to, self.source, False
        return outcomes

    def ways(self, gate: Gate) -> list[tuple[Net, str]]:
        """The longest prefix, of equals the connected one: networks and next hops."""
        version, to = self.probe.version, ipaddress.ip_address(self.to)
        found: dict[tuple[int, bool], list[tuple[Net, str]]] = {}
        for net in gate.nets:
            prefix = ipaddress.ip_network(net.prefixes[version])
            if net.up and to in prefix:
                found[prefix.prefixlen, True] = [(net, self.to)]
        for destination, hop in gate.routes:
            prefix = ipaddress.ip_network(destination)
            if prefix.version == version and to in prefix:
                (through,) = (
                    n for n in gate.nets if ipaddress.ip_address(hop) in ipaddress.ip_network(n.prefixes[version])
                )
                found.setdefault((prefix.prefixlen, False), []).append((through, hop))
        return found[max(found)] if found else []

    def send(self, gate: Gate, net: Net, hop: str, ttl: int, hops: int) -> set[Outcome]:
        """Out into a network, to a next hop there."""
        version = self.probe.version
        if self.probe.large and net.mtu < max(each.mtu for each in gate.nets):
            return {PUNTED}
        for vm in self.vms:
            if vm.net == net and vm.address(version) == hop:
                # Replies are what the sender's own rules have let out.
                heard = net.up and (vm.takes != CLOSED or self.answering)
                return {Outcome(vm.at, gate.mac(net), self.source, ttl) if heard else NOWHERE}
        for other in self.gates:
            if net in other.nets and other.address(version, net) == hop:
                return self.route(other, net, gate, ttl, hops + 1) if net.up else {NOWHERE}
        return {PUNTED}


# ---- the switches
@pytest.fixture(scope="module")
def fabric() -> Iterator[Fabric]:
    with Vswitch() as switch:
        yield Fabric(switch, HOSTS, PORTS)


def outcome_of(arrival: Arrival) -> Outcome:
    headers = arrival.headers
    source = headers.get("nw_src") or headers["ipv6_src"]
    return Outcome(arrival.port, headers["dl_src"], source, int(headers["nw_ttl"]))


def probes(tenancy: Tenancy, chance: random.Random) -> Iterator[Probe]:
    for sender in tenancy.vms:
        for gate in tenancy.gates:
            if sender.net not in gate.nets:
                continue
            for version in (4, 6):
                known = [vm.address(version) for vm in tenancy.vms]
                known += [each.address(version, net) for each in tenancy.gates for net in each.nets]
                for to in [*dict.fromkeys(known), *NOBODY[version]]:
                    ttl = chance.choice((64, 64, 64, 64, 3, 2, 1))
                    yield Probe(sender, gate, to, chance.random() < 0.3, ttl, chance.random() < 0.1)


@pytest.mark.timeout(360)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(tenancies(), st.randoms(use_true_random=False))
def test_where_routed_packets_arrive(fabric: Fabric, tenancy: Tenancy, chance: random.Random) -> None:
    desired = compiled(tenancy)
    for host in HOSTS:
        fabric.install(host, desired.compiler.desired(host))
    projects = {vm.at: vm.net.project for vm in tenancy.vms}
    every = list(probes(tenancy, chance))
    for probe in chance.sample(every, min(PROBES, len(every))):
        expected = Walk(tenancy, probe).outcomes()
        # An answer comes back through the conntrack zone that its request went into.
        answered = {outcome.source == probe.to for outcome in expected}
        if len(answered) == 2:
            continue
        states = ("trk,new", "trk,est,rpl") if True in answered else ()
        fate = fabric.follow(probe.sender.at, probe.packet, states, large=probe.large)
        assert all(projects[arrival.port] == probe.sender.net.project for arrival in fate.arrived)
        got = [outcome_of(arrival) for arrival in fate.arrived]
        assert len(got) + len(fate.punted) <= 1
        assert set(fate.punted) <= {probe.sender.host}
        outcome = got[0] if got else PUNTED if fate.punted else NOWHERE
        assert outcome in expected, f"{probe.packet} from {probe.sender}: {outcome}, not {expected}"
        vm_macs = {vm.at: vm.mac for vm in tenancy.vms}
        assert all(each.headers["dl_dst"] == vm_macs[each.port] for each in fate.arrived)


# ---- law 6
LEFT, RIGHT, FAR, TRANSIT = (Net(0, n, True, 1450) for n in range(4))
ONE = Gate(0, 0, True, (LEFT, RIGHT, TRANSIT), ((FAR.prefixes[4], TRANSIT.address(4, 2)),))
TWO = Gate(0, 1, True, (FAR, TRANSIT))
PLACES = ((LEFT, "h1"), (RIGHT, "h1"), (RIGHT, "h2"), (FAR, "h1"), (FAR, "h3"))
SITE = Tenancy(
    (LEFT, RIGHT, FAR, TRANSIT), (ONE, TWO), tuple(Vm(n, *place, True, OPEN) for n, place in enumerate(PLACES, 1))
)
RESUBMITS = {"h1": 12, "h2": 4, "h3": 4}
"""Budget through two routers. On the sender's host: router and neighbour for each; and for the sender, as for the
receiver where it is: tag, service, rules, set."""


def test_budgets(fabric: Fabric) -> None:
    desired = compiled(SITE)
    for host in HOSTS:
        fabric.install(host, desired.compiler.desired(host))
    sender, *others = SITE.vms
    recirculations, resubmits = [], dict.fromkeys(HOSTS, 0)
    for to in [vm.address(4) for vm in others] + [ONE.address(4, LEFT)]:
        probe = Probe(sender, ONE, to, True, 64, False)
        fate = fabric.follow(sender.at, probe.packet)
        assert fate.arrived
        recirculations.append({host: trace.recirculations for host, trace in fate.traces.items()})
        for host, trace in fate.traces.items():
            resubmits[host] = max(resubmits[host], trace.resubmits)
    # As many as routers there are between, and none more: the sender's side once, the receiver's once.
    assert recirculations == [{"h1": 2}, {"h1": 1, "h2": 1}, {"h1": 2}, {"h1": 1, "h3": 1}, {"h1": 2}]
    assert resubmits == RESUBMITS


def test_an_interface_costs_few_flows() -> None:
    for version, count in ((4, 5), (6, 6)):
        desired = compiled(SITE)
        kind, id, port = interface(TWO, LEFT)
        fixed = tuple(each for each in port.fixed_ips if (":" in each.ip_address) == (version == 6))
        one = [(kind, id, msgspec.structs.replace(port, fixed_ips=fixed))]
        assert more(desired, one) == dict.fromkeys(HOSTS, count), version


def test_an_interface_has_none_of_the_others_compiled_again() -> None:
    desired = compiled(SITE)
    kind, id, port = interface(TWO, LEFT)
    router = desired.view.row(ROUTER, port.device_id)
    assert router is not None
    listed = essence(msgspec.structs.replace(router, interfaces=(id,), revision_number=2))
    outcome = desired.turn([(kind, id, port), (ROUTER, router.id, listed)]).outcome
    assert [key for unit, key in outcome.ran if unit is attachment] == [id]


def test_a_port_costs_few_flows() -> None:
    """Of both families, in a group whose members may talk to each other, in a network that is routed."""
    desired = compiled(SITE)
    rules: list[Put] = [
        (RULE, f"m{family}", SecurityGroupRule(
            id=f"m{family}", security_group_id=OPEN, direction="ingress", ethertype=family, remote_group_id=OPEN
        ))
        for family in ("IPv4", "IPv6")
    ]  # fmt: skip
    desired.turn(rules)
    # Of its own host's, one is a meter.
    assert more(desired, station(Vm(6, LEFT, "h1", True, OPEN))) == {"h1": 13, "h2": 5, "h3": 5}


def test_who_asks_for_a_router_is_answered(fabric: Fabric) -> None:
    """ARP where it is asked; a solicitation by the controller, which is not asked about anything else."""
    desired = compiled(SITE)
    for host in HOSTS:
        fabric.install(host, desired.compiler.desired(host))
    for vm in SITE.vms:
        gates = [gate for gate in SITE.gates if vm.net in gate.nets]
        for gate in gates:
            arp = {
                "arp": "", "dl_src": vm.mac, "dl_dst": "ff:ff:ff:ff:ff:ff", "arp_op": "1", "arp_spa": vm.address(4),
                "arp_tpa": gate.address(4, vm.net), "arp_sha": vm.mac,
            }  # fmt: skip
            for asking in (arp, arp | {"dl_dst": gate.mac(vm.net)}):
                fate = fabric.follow(vm.at, asking)
                (answer,) = fate.arrived
                assert (answer.port, answer.headers["dl_src"]) == (vm.at, gate.mac(vm.net))
                assert not fate.punted
            solicitation = {
                "icmp6": "", "dl_src": vm.mac, "dl_dst": "33:33:ff:00:00:01", "ipv6_src": vm.address(6),
                "ipv6_dst": "ff02::1:ff00:1", "icmpv6_type": "135", "icmpv6_code": "0", "nw_ttl": "255",
                "nd_target": gate.address(6, vm.net),
            }  # fmt: skip
            for asking in (solicitation, solicitation | {"dl_dst": gate.mac(vm.net)}):
                fate = fabric.follow(vm.at, asking)
                assert (fate.arrived, fate.punted) == ([], [vm.host])
        announced = {
            "icmp6": "", "dl_src": vm.mac, "dl_dst": "33:33:00:00:00:01", "ipv6_src": vm.address(6), "nw_ttl": "255",
            "ipv6_dst": "ff02::1", "icmpv6_type": "136", "icmpv6_code": "0", "nd_target": vm.address(6),
        }  # fmt: skip
        assert fabric.follow(vm.at, announced).punted == []
