"""Law 4 with NAT: which addresses are seen outside, and who is reached from there, equals a model in plain Python. Real
frames through real switches, a host each: ofproto/trace does not translate.
"""

import random
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.nat.floating_ips import floating_ip
from apps.routing.frame import EXPIRED, error
from controller.view.topology import GATEWAYS
from flows.actions import Resubmit, Set
from flows.fields import ROUTER
from flows.tables import ROUTE
from tests.hosts.frame import REPLY, Arp, arp_request, mac_text, parse_arp
from tests.laws.outside import (
    FAR,
    INSIDE_PORT,
    NEARBY,
    NEARBY_MAC,
    NEXT_HOP,
    NEXT_HOP_MAC,
    OUTSIDE_PORT,
    Site,
    Way,
    floating,
    floating_address,
    site_compiled,
    sites,
)
from tests.laws.packet import ECHO, ECHO_REPLY, ICMP, TCP, UDP, Packet, parse, quoted, tagged, untagged
from tests.laws.rack import Out, Rack
from tests.laws.tenancy import CLOSED, HOSTS, OPEN, PORTS, Gate, Net, Tenancy, Vm, interface, more
from tests.laws.translation import Model


@pytest.fixture(scope="module")
def rack() -> Iterator[Rack]:
    with Rack(HOSTS, PORTS) as rack:
        yield rack


class Trial:
    """A site as it stands, and what the model expects of it."""

    def __init__(self, rack: Rack, site: Site, dead: frozenset[str], chance: random.Random) -> None:
        self.rack, self.site, self.chance = rack, site, chance
        desired = site_compiled(site, {host: each.peers for host, each in rack.hosts.items()})
        for name, host in rack.hosts.items():
            host.install(desired.compiler.desired(name))
        rack.kill(dead)
        rack.uplinks = set(site.uplinks - dead)
        rack.forget()
        self.gateways = dict(desired.view.all(GATEWAYS))
        self.model = Model(site, self.gateways, frozenset(HOSTS) - dead)
        self.vms = [vm for vm in site.tenancy.vms if vm.host not in dead]
        self._sport = 1024

    def protocol(self) -> tuple[int, int, int]:
        """One at random: its number, ports that were not used before."""
        self._sport += 1
        protocol = self.chance.choice((TCP, UDP, ICMP))
        return protocol, self._sport, ECHO if protocol == ICMP else 53

    def sends(self, vm: Vm, target: str, protocol: int, sport: int, dport: int) -> Packet:
        gate = next(gate for gate in self.site.tenancy.gates if vm.net in gate.nets)
        source = vm.address(6 if ":" in target else 4)
        return Packet(vm.mac, gate.mac(vm.net), source, target, protocol, sport, dport)

    def from_vm(self, vm: Vm, packet: Packet) -> list[Out]:
        return self.rack.from_vm(vm.host, vm.number, packet.frame())

    def heard(self, vm: Vm, source: str, protocol: int, sport: int, dport: int) -> tuple[str, int, Packet]:
        """Host, port, and what arrives there, from its router."""
        arrives = self.sends(vm, source, protocol, dport, sport).answer()._replace(sport=sport, dport=dport)
        return vm.host, vm.number, arrives._replace(ttl=0, flags=0)

    def outside(self, outs: list[Out]) -> list[tuple[str, int, Packet]]:
        """Of IP, what is seen on the wire; its VLAN is right."""
        assert all((vlan := untagged(out.frame)[0]) == self.site.vlan for out in outs if not out.port), vlan
        return [each for each in understood(outs) if not each[1]]


def understood(outs: list[Out]) -> list[tuple[str, int, Packet]]:
    """Without what varies: TTL and flags, and the VLAN."""
    packets = [(out.host, out.port, parse(out.frame)) for out in outs]
    return [(host, port, packet._replace(ttl=0, flags=0, vlan=0)) for host, port, packet in packets if packet]


def inside(outs: list[Out]) -> list[tuple[str, int, Packet]]:
    return [each for each in understood(outs) if each[1]]


def goes_out(trial: Trial, vm: Vm) -> None:
    """(a) As whom, and (b) the answer comes back, an error too."""
    protocol, sport, dport = trial.protocol()
    version = trial.chance.choice((4, 4, 4, 6))
    if version == 6:
        protocol, dport = UDP, 53
    target, to_mac = trial.chance.choice(
        ((FAR[version], NEXT_HOP_MAC), (NEARBY, NEARBY_MAC))[: 2 if version == 4 else 1]
    )
    if trial.chance.random() < 0.2 and protocol != ICMP:
        sport = INSIDE_PORT
    sent = trial.sends(vm, target, protocol, sport, dport)
    outs = trial.from_vm(vm, sent)
    way_out = trial.model.exit(vm, protocol, sport, version)
    seen = trial.outside(outs)
    assert inside(outs) == []
    if way_out is None:
        assert seen == []
        return
    ((host, _, packet),) = seen
    assert packet._replace(sport=0) == Packet(
        way_out.mac, to_mac, way_out.address, target, protocol, 0, dport, ttl=0, flags=0
    )  # fmt: skip
    assert host == way_out.host
    (frame,) = (out.frame for out in outs if not out.port)
    real = parse(frame)
    assert real is not None
    assert real.ttl == 63
    if way_out.mac.startswith("fa:16:3e:ef"):
        assert real.sport == OUTSIDE_PORT
    for other in trial.site.ways:
        # By another router's MAC nobody gets into a connection that is not that router's.
        if other != trial.site.way(vm) and way_out.address in external_addresses(trial.site):
            misled = real.answer()._replace(to_mac=other.mac)
            assert {out[:2] for out in trial.rack.from_outside(misled.frame())} <= {vm.at}
    back = trial.rack.from_outside(real.answer().frame())
    arrives = sent.answer()
    assert understood(back) == [trial.heard(vm, target, protocol, arrives.sport, arrives.dport)]
    if protocol == UDP and version == 4:
        errors = trial.rack.from_outside(real.refusal())
        ((out),) = errors
        assert (out.host, out.port) == vm.at
        assert quoted(out.frame) == (target, vm.address(4), vm.address(4), target)


def comes_in(trial: Trial, address: str) -> None:
    """(c) To an external address: to exactly one port, or to nobody; and the answer goes back from that address."""
    protocol, sport, dport = trial.protocol()
    if trial.chance.random() < 0.6 and protocol != ICMP:
        dport = OUTSIDE_PORT
    owner = trial.model.answers(address)
    sent = Packet(NEXT_HOP_MAC, owner.mac if owner else "fa:16:3e:ee:00:00", FAR[4], address, protocol, sport, dport)
    outs = trial.rack.from_outside(sent._replace(vlan=trial.site.vlan).frame())
    to = trial.model.reached(address, protocol, dport)
    answered = sent.answer()._replace(ttl=0, flags=0)
    if owner and any(address == way.address for way in trial.site.ways) and protocol == ICMP:
        assert (inside(outs), trial.outside(outs)) == ([], [(owner.host, 0, answered)])
        return
    assert trial.outside(outs) == []
    if to is None:
        assert inside(outs) == []
        return
    vm, port = to
    assert inside(outs) == [trial.heard(vm, FAR[4], protocol, sport, port)]
    assert owner is not None
    (frame,) = (out.frame for out in outs)
    got = parse(frame)
    assert got is not None
    back = trial.from_vm(vm, got.answer())
    assert (inside(back), trial.outside(back)) == ([], [(owner.host, 0, answered)])


def comes_in_by_inside_address(trial: Trial, vm: Vm, way: Way) -> None:
    """Only where the router does not translate, and only behind that router."""
    protocol, sport, dport = trial.protocol()
    version = trial.chance.choice((4, 4, 6))
    if version == 6:
        protocol, dport = UDP, 53
    target = vm.address(version)
    sent = Packet(NEXT_HOP_MAC, way.mac, FAR[version], target, protocol, sport, dport, vlan=trial.site.vlan)
    outs = trial.rack.from_outside(sent.frame())
    mine = [each for each in trial.vms if each.address(version) == target and each.net in way.gate.nets]
    open_to = version == 6 or not way.snat or any(each.net in trial.site.scoped for each in mine)
    reached = [each for each in mine if each.takes != CLOSED and open_to and way.gate.up and trial.model.active(way)]
    assert understood(outs) == [trial.heard(each, FAR[version], protocol, sport, dport) for each in reached]


def hairpin(trial: Trial, vm: Vm, address: str) -> None:
    """(d) From inside to an external address that is here: who is reached, who is seen there, and the way back."""
    protocol, sport, dport = trial.protocol()
    if trial.chance.random() < 0.6 and protocol != ICMP:
        dport = OUTSIDE_PORT
    sent = trial.sends(vm, address, protocol, sport, dport)
    outs = trial.from_vm(vm, sent)
    way_out, to = trial.model.exit(vm, protocol, sport), trial.model.reached(address, protocol, dport)
    got = inside(outs)
    if protocol == ICMP and (asked := next((way for way in trial.site.ways if way.address == address), None)):
        # Its own router answers at once; another one as it answers all that are outside.
        near = asked == trial.site.way(vm)
        answered = near or (way_out is not None and asked.gate.up and trial.model.active(asked) is not None)
        assert got == ([trial.heard(vm, address, ICMP, sport, ECHO_REPLY)] if answered else [])
        return
    if way_out is None or to is None:
        assert got == []
        return
    other, port = to
    ((host, number, packet),) = got
    assert (host, number, packet._replace(sport=sport)) == trial.heard(other, way_out.address, protocol, sport, port)
    assert {each[2].source for each in trial.outside(outs)} <= {way_out.address}
    if way_out.address == vm.address(4):
        return  # not translated: the answer goes straight back, and is not from whom it was sent to
    (frame,) = (out.frame for out in outs if out.port)
    real = parse(frame)
    assert real is not None
    back = trial.from_vm(other, real.answer())
    answer = sent.answer()
    assert inside(back) == [trial.heard(vm, address, protocol, answer.sport, answer.dport)]


def who_has(trial: Trial, address: str) -> None:
    """(e) Asked from outside: one host answers, or none."""
    asked = tagged(arp_request(NEXT_HOP_MAC, NEXT_HOP[4], address), trial.site.vlan)
    outs = trial.rack.from_outside(asked)
    owner = trial.model.answers(address)
    told = [(out.host, out.port, parse_arp(untagged(out.frame)[1])) for out in outs]
    if owner is None:
        assert told == []
        return
    answer = Arp(REPLY, owner.mac, address, NEXT_HOP_MAC, NEXT_HOP[4])
    assert told == [(owner.host, 0, answer)]
    assert {untagged(out.frame)[0] for out in outs} == {trial.site.vlan}
    assert {mac_text(out.frame[6:12]) for out in outs} == {owner.mac}


def external_addresses(site: Site) -> list[str]:
    known = [address for way in site.ways for address in (way.address, way.shared)]
    return [*known, *[floating_address(vm) for vm in site.tenancy.vms]]


@pytest.mark.timeout(360)
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(sites(), st.frozensets(st.sampled_from(sorted(HOSTS)), max_size=2), st.randoms(use_true_random=False))
def test_who_is_seen_and_who_is_reached(rack: Rack, site: Site, dead: frozenset[str], chance: random.Random) -> None:
    trial = Trial(rack, site, dead, chance)
    for router, hosts in trial.gateways.items():
        able = site.asking & site.uplinks or site.uplinks
        assert set(hosts) <= able, router
        assert len(hosts) == min(3, len(able)) == len(set(hosts))
    every = external_addresses(site)
    for address in [*every, "203.0.113.200", "10.0.0.101"]:
        who_has(trial, address)
    for vm in trial.vms:
        for _ in range(3):
            goes_out(trial, vm)
        for address in chance.sample(every, min(4, len(every))):
            hairpin(trial, vm, address)
        if vm in site.floating:
            hairpin(trial, vm, floating_address(vm))
        for way in site.ways:
            comes_in_by_inside_address(trial, vm, way)
    for address in every:
        comes_in(trial, address)
        comes_in(trial, address)


# ---- law 6
INNER = tuple(Net(0, n, True, 1450) for n in range(2))
GATE = Gate(0, 0, True, INNER)
VMS = tuple(Vm(n, INNER[n % 2], host, True, OPEN) for n, host in enumerate(("h1", "h1", "h2", "h3"), 1))
SITE = Site(
    Tenancy(INNER, (GATE,), VMS), 0, frozenset({"h1", "h2"}), frozenset({"h1"}), (Way(GATE, True, ()),),
    frozenset({VMS[1]}), frozenset(), True,
)  # fmt: skip


def test_budgets(rack: Rack) -> None:
    """On the gateway host, where the VMs are too: recirculations of real frames out and back; resubmits out."""
    trial = Trial(rack, SITE, frozenset(), random.Random(1))
    shared, own = VMS[:2]
    counts: dict[str, list[int]] = {}
    for what, vm, protocol in (("shared, TCP", shared, TCP), ("shared", shared, UDP), ("its own", own, TCP)):
        counts[what] = []
        frame, flags = trial.sends(vm, FAR[4], protocol, 1024, 53).frame(), "tcp_flags=syn" if protocol == TCP else ""
        for port in (vm.number, "uplink"):
            before = rack.hosts["h1"].lookups()
            rack.hosts["h1"].inject(port, frame)
            (out,) = (frame for name, frame in rack.hosts["h1"].outputs() if name != "cable")
            counts[what].append(rack.hosts["h1"].lookups() - before - 1)
            real = parse(out)
            assert real is not None
            frame = real.answer().frame()
        packet = f"{'tcp' if protocol == TCP else 'udp'},in_port={vm.number},dl_src={vm.mac},dl_dst={GATE.mac(vm.net)}"
        packet += f",nw_src={vm.address(4)},nw_dst={FAR[4]},nw_ttl=64,{flags}"
        counts[what].append(rack.hosts["h1"].ask("ofproto/trace", "br-int", packet).count("    resubmit(,"))
    assert counts == {"shared, TCP": [2, 2, 7], "shared": [1, 2, 6], "its own": [1, 1, 6]}
    # To the router's own address outside: it does not go round until its time is over.
    before = rack.hosts["h1"].lookups()
    assert trial.from_vm(shared, trial.sends(shared, SITE.ways[0].address, UDP, 1024, 53)) == []
    assert rack.hosts["h1"].lookups() - before == 2


def test_two_routers_with_their_gateways_on_one_host(rack: Rack) -> None:
    """One answers to the other's address: what conntrack has said of the question is not said of the answer."""
    nets = tuple(Net(project, 0, True, 1450) for project in (0, 1))
    gates = tuple(Gate(net.project, 0, True, (net,)) for net in nets)
    vm = Vm(1, nets[0], "h2", True, CLOSED)
    ways = tuple(Way(gate, True, ()) for gate in gates)
    site = Site(Tenancy(nets, gates, (vm,)), 0, frozenset({"h1"}), frozenset(), ways, frozenset(), frozenset(), True)
    trial = Trial(rack, site, frozenset(), random.Random(1))
    outs = trial.from_vm(vm, trial.sends(vm, ways[1].address, ICMP, 1024, ECHO))
    assert understood(outs) == [trial.heard(vm, ways[1].address, ICMP, 1024, ECHO_REPLY)]


def test_a_floating_ip_costs_few_flows(rack: Rack) -> None:
    """On the host of its port; where that has no way out, on the router's gateways. Others know whom to ask."""
    peers = {name: host.peers for name, host in rack.hosts.items()}
    for vm, expected in ((VMS[2], {"h1": 1, "h2": 6, "h3": 0}), (VMS[3], {"h1": 6, "h2": 1, "h3": 0})):
        desired = site_compiled(SITE, peers)
        assert more(desired, floating(SITE, vm)) == expected


def test_one_more_interface_has_no_floating_ip_compiled_again() -> None:
    desired = site_compiled(SITE, {host: {} for host in HOSTS})
    outcome = desired.turn([interface(GATE, Net(0, 2, True, 1450))]).outcome
    assert [key for unit, key in outcome.ran if unit is floating_ip] == []
    # It is, where its own port's interface changes.
    kind, id, port = interface(GATE, VMS[1].net)
    outcome = desired.turn([(kind, id, msgspec.structs.replace(port, mac_address="02:00:00:00:77:01"))]).outcome
    assert len({key for unit, key in outcome.ran if unit is floating_ip}) == 1


def test_an_error_by_the_controller_comes_through(rack: Rack) -> None:
    """It belongs to the connection of the packet that has come to its end, so a port that takes nothing takes it."""
    vm = Vm(1, INNER[0], "h1", True, CLOSED)
    trial = Trial(
        rack, SITE._replace(tenancy=Tenancy(INNER, (GATE,), (vm,)), floating=frozenset()), frozenset(), random.Random(1)
    )
    ending = trial.sends(vm, INNER[1].address(4, 102), UDP, 1024, 33434)._replace(ttl=1)
    assert trial.from_vm(vm, ending) == []
    said = error(EXPIRED, GATE.mac(vm.net), GATE.address(4, vm.net), vm.address(4), ending.frame())
    for unasked in (False, True):
        rack.hosts["h1"].say(said, Set(ROUTER, 0xFFFFFF00), Resubmit(ROUTE))
        heard = [(name, frame[34]) for name, frame in rack.hosts["h1"].outputs() if name != "cable"]
        assert heard == ([] if unasked else [(1, 11)])
        rack.forget()
