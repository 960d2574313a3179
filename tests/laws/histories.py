"""Random networks and how they change, as puts into the desired state; and a switch in four lines."""

from typing import Any

from hypothesis import strategies as st

from controller.compile.compiler import Plan
from controller.compile.desired import Desired
from controller.compile.ledger import Entry, Slot
from controller.compile.numbers import HostNumbers
from controller.model import (
    AddressGroup,
    AddressPair,
    FixedIP,
    Network,
    Port,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
)
from controller.view.network import (
    ADDRESS_GROUP,
    BINDING,
    GROUP,
    HOST,
    NETWORK,
    PORT,
    RULE,
    SUBNET,
    Binding,
    Peer,
)
from controller.view.view import Put

HOSTS = ("h1", "h2", "h3")
NETWORKS = tuple(f"n{i}" for i in range(3))
GROUPS = ("g0", "g1", "g2")
PAIRS = (
    AddressPair("10.0.0.200", "fa:16:3e:00:00:77"), AddressPair("10.0.1.0/24", "fa:16:3e:00:00:78"),
    AddressPair("fd01::/64", "fa:16:3e:00:00:77"),
)  # fmt: skip
PORTS = tuple(f"p{i}" for i in range(8))


def mac(number: int) -> str:
    return f"fa:16:3e:00:00:{number:02x}"


@st.composite
def network_put(draw: st.DrawFn) -> Put:
    number = draw(st.integers(0, len(NETWORKS) - 1))
    if draw(st.integers(0, 5)) == 0:
        return NETWORK, NETWORKS[number], None
    up = draw(st.sampled_from([True, True, False]))
    # Each network draws from a few keys of its own: two networks never share one, as in the store.
    vni = draw(st.sampled_from([1, 2])) * 10 + number
    return NETWORK, NETWORKS[number], Network(id=NETWORKS[number], vni=vni, admin_state_up=up)


@st.composite
def subnet_put(draw: st.DrawFn) -> Put:
    number = draw(st.integers(0, len(NETWORKS) - 1))
    if draw(st.integers(0, 5)) == 0:
        return SUBNET, f"s{number}", None
    gateway = draw(st.sampled_from(["10.0.0.1", "10.0.0.2", None]))
    return SUBNET, f"s{number}", Subnet(
        id=f"s{number}", network_id=NETWORKS[number], cidr="10.0.0.0/24", ip_version=4, gateway_ip=gateway,
        enable_dhcp=draw(st.booleans()),
    )  # fmt: skip


@st.composite
def port_put(draw: st.DrawFn) -> Put:
    number = draw(st.integers(0, len(PORTS) - 1))
    id = PORTS[number]
    if draw(st.integers(0, 4)) == 0:
        return PORT, id, None
    # All tenants use the same addresses, but on one network each port has its own.
    network = draw(st.integers(0, len(NETWORKS) - 1))
    v4, v6 = f"10.0.0.{number + 1}", f"fd00::{number + 1}"
    kept = draw(st.sampled_from([[v4], [v4, v6], [v6], []]))
    fixed = tuple(FixedIP(id=f"{id}{a}", subnet_id=f"s{network}", ip_address=a) for a in kept)
    return PORT, id, Port(
        id=id, network_id=NETWORKS[network], mac_address=mac(number), fixed_ips=fixed,
        admin_state_up=draw(st.sampled_from([True, True, True, False])), name=draw(st.sampled_from(["a", "b"])),
        port_security_enabled=draw(st.sampled_from([True, True, True, False])),
        security_groups=tuple(sorted(draw(st.sets(st.sampled_from(GROUPS), max_size=2)))),
        allowed_address_pairs=tuple(draw(st.lists(st.sampled_from(PAIRS), max_size=2, unique=True))),
    )  # fmt: skip


@st.composite
def binding_put(draw: st.DrawFn) -> Put:
    number = draw(st.integers(0, len(PORTS) - 1))
    if draw(st.integers(0, 4)) == 0:
        return BINDING, PORTS[number], None
    ofport = draw(st.sampled_from([number + 10, number + 70, 0]))
    return BINDING, PORTS[number], Binding(draw(st.sampled_from(HOSTS)), ofport)


@st.composite
def host_put(draw: st.DrawFn) -> Put:
    number = draw(st.integers(0, len(HOSTS) - 1))
    if draw(st.integers(0, 5)) == 0:
        return HOST, HOSTS[number], None
    address = draw(st.sampled_from([f"172.31.0.{number}", f"172.31.1.{number}", f"fd99::{number + 1}"]))
    return HOST, HOSTS[number], Peer(address)


@st.composite
def group_put(draw: st.DrawFn) -> Put:
    number = draw(st.integers(0, len(GROUPS) - 1))
    if draw(st.integers(0, 5)) == 0:
        return GROUP, GROUPS[number], None
    return GROUP, GROUPS[number], SecurityGroup(id=GROUPS[number], number=number + 1, stateful=draw(st.booleans()))


@st.composite
def address_group_put(draw: st.DrawFn) -> Put:
    if draw(st.integers(0, 5)) == 0:
        return ADDRESS_GROUP, "a0", None
    prefixes = st.sampled_from(["10.0.0.0/30", "10.0.0.3/32", "fd00::/126", "0.0.0.0/0"])
    addresses = tuple(draw(st.lists(prefixes, max_size=3, unique=True)))
    return ADDRESS_GROUP, "a0", AddressGroup(id="a0", number=1 << 31, addresses=addresses)


@st.composite
def rule(draw: st.DrawFn, id: str) -> SecurityGroupRule:
    """Any that the API lets through."""
    ethertype = draw(st.sampled_from(["IPv4", "IPv6"]))
    protocol = draw(st.sampled_from([None, "tcp", "udp", "icmp", "132", "47"]))
    low = high = None
    if protocol in ("tcp", "udp", "132") and draw(st.booleans()):
        low = draw(st.integers(1, 90))
        high = draw(st.integers(low, 99))
    elif protocol == "icmp" and draw(st.booleans()):
        low, high = draw(st.sampled_from([(8, None), (8, 0), (3, 1)]))
    remote = draw(st.sampled_from(["none", "none", "prefix", "group", "address group"]))
    prefixes = {"IPv4": ["10.0.0.0/30", "10.0.0.2/32", "0.0.0.0/0"], "IPv6": ["fd00::/126", "::/0"]}[ethertype]
    return SecurityGroupRule(
        id=id, security_group_id=draw(st.sampled_from(GROUPS)), direction=draw(st.sampled_from(["ingress", "egress"])),
        ethertype=ethertype, protocol=protocol, port_range_min=low, port_range_max=high,
        remote_ip_prefix=draw(st.sampled_from(prefixes)) if remote == "prefix" else None,
        remote_group_id=draw(st.sampled_from(GROUPS)) if remote == "group" else None,
        remote_address_group_id="a0" if remote == "address group" else None,
    )  # fmt: skip


@st.composite
def rule_put(draw: st.DrawFn) -> Put:
    id = f"r{draw(st.integers(0, 7))}"
    return RULE, id, None if draw(st.integers(0, 3)) == 0 else draw(rule(id))


put = st.one_of(
    network_put(), subnet_put(), port_put(), port_put(), binding_put(), binding_put(), host_put(), group_put(),
    address_group_put(), rule_put(), rule_put(),
)  # fmt: skip
KINDS = (HOST, NETWORK, SUBNET, GROUP, ADDRESS_GROUP, RULE, PORT, BINDING)
"""Every kind of row that is put; those that others rest on first."""
history = st.lists(st.lists(put, min_size=1, max_size=6), min_size=1, max_size=25)


def start() -> Desired:
    desired = Desired()
    for host in HOSTS:
        desired.joined(host, HostNumbers({}, 1, 4094, "local VLAN tags"))
    return desired


def removal(desired: Desired) -> list[Put]:
    """Puts that delete everything there is."""
    view = desired.view
    return [(kind, key, None) for kind in reversed(KINDS) for key in list(view.all(kind))]


class Switches:
    """What is installed on each host, by slot."""

    def __init__(self) -> None:
        self.installed: dict[str, dict[Slot, Entry]] = {host: {} for host in HOSTS}

    def apply(self, plans: dict[str, Plan]) -> None:
        for host, plan in plans.items():
            for slot in plan.delete:
                del self.installed[host][slot]
            self.installed[host] |= plan.add

    def cookies(self, host: str) -> dict[Slot, Any]:
        return {slot: e.cookie or e.item for slot, e in self.installed[host].items()}


def wanted(desired: Desired, host: str) -> dict[Slot, Any]:
    return {e.slot: e.cookie or e.item for e in desired.compiler.desired(host)}
