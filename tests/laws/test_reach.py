"""Law 4 for L2: who can talk to whom, as real switches decide it, equals a model of the network in plain Python.

Law 6: recirculations and resubmits of every path stay in budget.
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.compile.desired import Desired
from controller.model import FixedIP, Network, Port, SecurityGroup, SecurityGroupRule, Subnet
from controller.view.network import BINDING, GROUP, HOST, NETWORK, PORT, RULE, SUBNET, Binding, Peer
from controller.view.view import Put
from tests.laws.fabric import Fabric
from tests.switch.vswitch import Vswitch

HOSTS = {"h1": "172.31.0.1", "h2": "172.31.0.2", "h3": "172.31.0.3"}
PORTS = 6
BROADCAST = "ff:ff:ff:ff:ff:ff"
RESUBMITS = 15 + len(HOSTS)
"""Budget of a flood here, the widest path: tag twice; service, rules and set for the sender and for the one set that
hears; hear, heard, chunks, chunk; and one a peer."""


class Vm(NamedTuple):
    """A port as the model sees it. All networks use the same addresses."""

    number: int
    network: int
    host: str
    up: bool

    @property
    def mac(self) -> str:
        return f"fa:16:3e:00:00:{self.number:02x}"

    @property
    def v4(self) -> str:
        return f"10.0.0.{self.number}"

    @property
    def v6(self) -> str:
        return f"fd00::{self.number:x}"

    @property
    def at(self) -> tuple[str, int]:
        return self.host, self.number


@pytest.fixture(scope="module")
def fabric() -> Iterator[Fabric]:
    with Vswitch() as switch:
        yield Fabric(switch, HOSTS, PORTS)


@st.composite
def tenants(draw: st.DrawFn) -> list[Vm]:
    count = draw(st.integers(2, PORTS))
    return [
        Vm(
            n,
            draw(st.integers(0, 1)),
            draw(st.sampled_from(sorted(HOSTS))),
            draw(st.sampled_from([True] * 5 + [False])),
        )
        for n in range(1, count + 1)
    ]


def compiled(vms: list[Vm]) -> Desired:
    desired = Desired()
    for host in HOSTS:
        desired.joined(host, {})
    puts: list[Put] = [(HOST, host, Peer(address)) for host, address in HOSTS.items()]
    for number in range(2):
        network = f"n{number}"
        # The widest keys that there are: all 24 bits must arrive.
        puts.append((NETWORK, network, Network(id=network, vni=0xFFFFFF - number)))
        puts.append(
            (SUBNET, f"s{number}", Subnet(id=f"s{number}", network_id=network, cidr="10.0.0.0/24", ip_version=4))
        )
    puts.append((GROUP, "open", SecurityGroup(id="open", number=1)))
    for number, (way, family) in enumerate(product(("ingress", "egress"), ("IPv4", "IPv6"))):
        rule = SecurityGroupRule(id=f"r{number}", security_group_id="open", direction=way, ethertype=family)
        puts.append((RULE, rule.id, rule))
    for vm in vms:
        fixed = tuple(FixedIP(id=f"{vm.number}-{a}", subnet_id="s", ip_address=a) for a in (vm.v4, vm.v6))
        port = Port(
            id=f"p{vm.number}", network_id=f"n{vm.network}", mac_address=vm.mac, fixed_ips=fixed, admin_state_up=vm.up,
            security_groups=("open",),
        )  # fmt: skip
        puts += [(PORT, port.id, port), (BINDING, port.id, Binding(vm.host, vm.number))]
    turn = desired.turn(puts)
    assert not turn.outcome.failed
    return desired


def peers(vms: list[Vm], sender: Vm) -> set[tuple[str, int]]:
    """The model: who hears a broadcast."""
    return {vm.at for vm in vms if vm.up and sender.up and vm.network == sender.network and vm is not sender}


def ip(sender: Vm, to_mac: str, source: str = "", to: str = "10.0.0.99") -> dict[str, str]:
    return {
        "udp": "",
        "dl_src": sender.mac,
        "dl_dst": to_mac,
        "nw_src": source or sender.v4,
        "nw_dst": to,
        "nw_ttl": "64",
    }


def arp(sender: Vm, wanted: str, source: str = "") -> dict[str, str]:
    return {
        "arp": "", "dl_src": sender.mac, "dl_dst": BROADCAST, "arp_op": "1", "arp_spa": source or sender.v4,
        "arp_tpa": wanted, "arp_sha": sender.mac,
    }  # fmt: skip


def solicit(sender: Vm, wanted: str, source: str = "") -> dict[str, str]:
    return {
        "icmp6": "", "dl_src": sender.mac, "dl_dst": "33:33:ff:00:00:01", "ipv6_src": source or sender.v6,
        "ipv6_dst": "ff02::1:ff00:1", "icmpv6_type": "135", "icmpv6_code": "0", "nd_target": wanted, "nw_ttl": "255",
    }  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tenants())
def test_who_reaches_whom(fabric: Fabric, vms: list[Vm]) -> None:
    desired = compiled(vms)
    for host in HOSTS:
        fabric.install(host, desired.compiler.desired(host))
    for sender in vms:
        hears = peers(vms, sender)
        assert fabric.deliver(sender.at, ip(sender, BROADCAST)) == dict.fromkeys(hears, 1), "broadcast"
        assert fabric.deliver(sender.at, ip(sender, BROADCAST, source="10.0.0.77")) == {}, "a foreign source address"
        assert fabric.deliver(sender.at, arp(sender, "10.0.0.99")) == dict.fromkeys(hears, 1), "ARP for nobody"
        assert fabric.deliver(sender.at, arp(sender, sender.v4, "0.0.0.0")) == dict.fromkeys(hears, 1), "ARP probe"
        assert fabric.deliver(sender.at, arp(sender, "10.0.0.99", "10.0.0.77")) == {}, "a foreign ARP sender"
        assert fabric.deliver(sender.at, solicit(sender, "fd00::99")) == dict.fromkeys(hears, 1), "ND for nobody"
        assert fabric.deliver(sender.at, solicit(sender, "fd00::99", "fd00::77")) == {}, "a foreign ND sender"
        for other in vms:
            if other is sender:
                continue
            only = {other.at: 1} if other.at in hears else {}
            assert fabric.deliver(sender.at, ip(sender, other.mac)) == only, "unicast"
            answered = {sender.at: 1} if only else dict.fromkeys(hears, 1)
            assert fabric.deliver(sender.at, arp(sender, other.v4)) == answered, "ARP"
            assert fabric.deliver(sender.at, solicit(sender, other.v6)) == (only or dict.fromkeys(hears, 1)), "ND"
            stolen = dict(ip(sender, BROADCAST)) | {"dl_src": other.mac}
            assert fabric.deliver(sender.at, stolen) == {}, "a foreign MAC"
        tagged = ip(sender, BROADCAST) | {"dl_vlan": "1", "dl_vlan_pcp": "0"}
        assert fabric.deliver(sender.at, tagged) == {}, "a VLAN tag of its own"


def test_budgets(fabric: Fabric) -> None:
    """Law 6: exact counts of flows a port, and the budget of resubmits and recirculations a packet."""
    vms = [Vm(n, 0, host, True) for n, host in enumerate(("h1", "h1", "h2", "h2", "h3"), 1)]
    desired = compiled(vms)
    for host in HOSTS:
        fabric.install(host, desired.compiler.desired(host))
    sender = vms[0]
    for packet in (ip(sender, BROADCAST), ip(sender, vms[1].mac), ip(sender, vms[2].mac), arp(sender, vms[2].v4)):
        trace = fabric.trace(sender.host, "i", {"in_port": "1"} | packet)
        # Tracked once, on the sender's side; what is not filtered is not tracked.
        assert trace.recirculations == (0 if "arp" in packet else 1)
        assert trace.resubmits <= RESUBMITS, trace.text
    one_more = compiled([*vms, Vm(6, 0, "h1", True)])
    added = {
        host: len(list(one_more.compiler.desired(host))) - len(list(desired.compiler.desired(host))) for host in HOSTS
    }
    # Of its own host's, one is a meter.
    assert added == {"h1": 11, "h2": 3, "h3": 3}


def test_one_change_writes_few_flows() -> None:
    """Law 6: what one more port writes, however many there are."""
    desired = compiled([Vm(n, 0, "h1" if n % 2 else "h2", True) for n in range(1, 251)])
    fixed = tuple(FixedIP(id=a, subnet_id="s", ip_address=a) for a in ("10.0.1.1", "fd00::1:1"))
    port = Port(id="new", network_id="n0", mac_address="fa:16:3e:00:01:01", fixed_ips=fixed, security_groups=("open",))
    plans = desired.turn([(PORT, "new", port), (BINDING, "new", Binding("h1", 251))]).outcome.plans
    assert {host: (len(plan.add), len(plan.delete)) for host, plan in plans.items()} == {"h1": (12, 0), "h2": (3, 0)}
    renamed = Port(
        id="new", network_id="n0", mac_address="fa:16:3e:00:01:01", fixed_ips=fixed, security_groups=("open",), name="x"
    )
    assert desired.turn([(PORT, "new", renamed)]).outcome.plans == {}


def test_what_a_port_may_not_say(fabric: Fabric) -> None:
    """Nothing of a DHCP server or a router, nothing in another's name; unless it is trusted."""
    one, other, far = (Vm(n, 0, host, True) for n, host in enumerate(("h1", "h1", "h2"), 1))
    desired = compiled([one, other, far])
    for host in HOSTS:
        fabric.install(host, desired.compiler.desired(host))
    hears = dict.fromkeys((other.at, far.at), 1)
    icmp6 = {
        "icmp6": "", "dl_src": one.mac, "dl_dst": "33:33:00:00:00:01", "ipv6_src": one.v6, "ipv6_dst": "ff02::1",
        "icmpv6_code": "0", "nw_ttl": "255",
    }  # fmt: skip
    advertisement = icmp6 | {"icmpv6_type": "136", "nd_tll": one.mac}
    server = {"udp": "", "dl_src": one.mac, "dl_dst": BROADCAST, "nw_src": one.v4, "nw_dst": "255.255.255.255"}
    refused = {
        "router advertisement": icmp6 | {"icmpv6_type": "134"},
        "redirect": icmp6 | {"icmpv6_type": "137"},
        "DHCP answer": server | {"udp_src": "67", "udp_dst": "68"},
        "DHCPv6 answer": {
            "udp6": "", "dl_src": one.mac, "dl_dst": other.mac, "ipv6_src": one.v6, "ipv6_dst": other.v6,
            "udp_src": "547", "udp_dst": "546",
        },
        "another's address": advertisement | {"nd_target": other.v6},
        "an echo from nowhere": icmp6 | {"icmpv6_type": "128", "ipv6_src": "::"},
    }  # fmt: skip
    for what, packet in refused.items():
        assert fabric.deliver(one.at, packet) == {}, what
    assert fabric.deliver(one.at, advertisement | {"nd_target": one.v6}) == hears
    # What it says of hardware addresses is put right on the way.
    lie = advertisement | {"nd_target": one.v6, "nd_tll": "fa:16:3e:00:00:99", "ipv6_src": "fd00::99"}
    assert fabric.deliver(one.at, lie) == hears
    told = fabric.trace("h1", "i", {"in_port": "1"} | lie).text
    assert f"NXM_NX_ND_TLL[] is now {one.mac}" in told
    assert f"NXM_NX_IPV6_SRC[] is now {one.v6}" in told
    asking = solicit(one, "fd00::99") | {"nd_sll": "fa:16:3e:00:00:99"}
    told = fabric.trace("h1", "i", {"in_port": "1"} | asking).text
    assert f"NXM_NX_ND_SLL[] is now {one.mac}" in told
    port = desired.view.all(PORT)["p1"]
    trusted = msgspec.structs.replace(port, port_security_enabled=False, security_groups=())
    desired.turn([(PORT, "p1", trusted)])
    fabric.install("h1", desired.compiler.desired("h1"))
    for what in ("router advertisement", "DHCP answer"):
        assert fabric.deliver(one.at, refused[what]) == hears, what
    assert fabric.deliver(one.at, ip(one, BROADCAST, source="10.0.0.77") | {"dl_src": "fa:16:3e:00:00:99"}) == hears
