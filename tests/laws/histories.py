"""Random networks and how they change, as puts into the desired state; and a switch in four lines."""

from typing import Any

from hypothesis import strategies as st

from controller.compile.compiler import Plan
from controller.compile.desired import Desired
from controller.compile.ledger import Entry, Slot
from controller.model import (
    AddressGroup,
    AddressPair,
    FixedIP,
    FloatingIP,
    Network,
    Port,
    PortForwarding,
    Route,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Segment,
    Subnet,
    SubnetPool,
)
from controller.model.router import FLOATING_IP as HOLDER
from controller.model.router import GATEWAY, INTERFACE
from controller.view.network import (
    ADDRESS_GROUP,
    ALONE,
    BINDING,
    BUSY,
    EMPTY,
    FLOATING_IP,
    FORWARDING,
    GROUP,
    HOST,
    LEARNED,
    MET,
    NETWORK,
    PORT,
    ROUTER,
    RULE,
    SUBNET,
    SUBNET_POOL,
    TAKING,
    Binding,
    Peer,
)
from controller.view.source import Rows
from controller.view.view import Put

JOINED = ("h1", "h2", "h3")
"""Hosts that have said which numbers they keep."""
HOSTS = (*JOINED, "h4")
"""And one that is known of old, and has not come yet."""
NETWORKS = tuple(f"n{i}" for i in range(3))
GROUPS = ("g0", "g1", "g2")
PAIRS = (
    AddressPair("10.0.0.200", "fa:16:3e:00:00:77"), AddressPair("10.0.1.0/24", "fa:16:3e:00:00:78"),
    AddressPair("fd01::/64", "fa:16:3e:00:00:77"),
)  # fmt: skip
PORTS = tuple(f"p{i}" for i in range(8))
LIKELY = (0, 0, 0, 1, 2)
"""Numbers of networks: what belongs together should meet."""


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
def routed_subnet_put(draw: st.DrawFn) -> Put:
    """Those that routers join: no two overlap."""
    number, version = draw(st.integers(0, len(NETWORKS) - 1)), draw(st.sampled_from([4, 4, 6]))
    id = f"t{number}" if version == 4 else f"u{number}"
    if draw(st.integers(0, 5)) == 0:
        return SUBNET, id, None
    cidr, gateway = (f"10.1.{number}.0/24", f"10.1.{number}.1") if version == 4 else (f"fd1{number}::/64", None)
    return SUBNET, id, Subnet(
        id=id, network_id=NETWORKS[number], cidr=cidr, ip_version=version, gateway_ip=gateway,
        enable_dhcp=draw(st.booleans()), subnetpool_id=draw(st.sampled_from([None, "pool"])),
    )  # fmt: skip


@st.composite
def outer_put(draw: st.DrawFn, what: str = "") -> Put:
    """The external network and what is on it."""
    what = what or draw(st.sampled_from(["network", "subnet", "subnet", "pool", "gateway", "gateway", "holder"]))
    gone = draw(st.integers(0, 5)) == 0
    if what == "network":
        segment = Segment(id="seg", physical_network="external", vlan=draw(st.sampled_from([0, 5])))
        mtu = draw(st.sampled_from([1450, 1500]))
        return NETWORK, "ext", None if gone else Network(id="ext", vni=90, external=True, segments=(segment,), mtu=mtu)
    if what == "subnet":
        pool = draw(st.sampled_from([None, "pool"]))
        row = Subnet(
            id="sx", network_id="ext", cidr="203.0.113.0/24", ip_version=4, subnetpool_id=pool,
            gateway_ip=draw(st.sampled_from(["203.0.113.1", None])), enable_dhcp=False,
        )  # fmt: skip
        return SUBNET, "sx", None if gone else row
    if what == "pool":
        pool_row = SubnetPool(
            id="pool", prefixes=("10.0.0.0/8",), ip_version=4, min_prefixlen=8, max_prefixlen=32, default_prefixlen=24,
            address_scope_id=draw(st.sampled_from([None, "scope"])),
        )  # fmt: skip
        return SUBNET_POOL, "pool", None if gone else pool_row
    number = draw(st.integers(0, 1))
    id, owner = (f"g{number}", GATEWAY) if what == "gateway" else (f"h{number}", HOLDER)
    address = f"203.0.113.{10 + number + (0 if what == 'gateway' else 10)}"
    fixed = (FixedIP(id=f"{id}{address}", subnet_id="sx", ip_address=address),)
    return PORT, id, None if gone else Port(
        id=id, network_id="ext", mac_address=f"fa:16:3e:{number:02x}:{len(owner):02x}:01", fixed_ips=fixed,
        device_owner=owner, device_id=f"r{number}", port_security_enabled=False,
    )  # fmt: skip


@st.composite
def interface_put(draw: st.DrawFn) -> Put:
    router, number = draw(st.integers(0, 1)), draw(st.sampled_from(LIKELY))
    id = f"i{router}{number}"
    if draw(st.integers(0, 4)) == 0:
        return PORT, id, None
    v4 = FixedIP(id=f"{id}4", subnet_id=f"t{number}", ip_address=f"10.1.{number}.{router + 1}")
    v6 = FixedIP(id=f"{id}6", subnet_id=f"u{number}", ip_address=f"fd1{number}::{router + 1}")
    return PORT, id, Port(
        id=id, network_id=NETWORKS[number], mac_address=f"fa:16:3e:1{router}:0{number}:02", device_owner=INTERFACE,
        device_id=f"r{router}", fixed_ips=draw(st.sampled_from([(v4,), (v4, v6), (v6,)])), port_security_enabled=False,
    )  # fmt: skip


ROUTES = (
    Route("10.9.0.0/16", "10.1.0.200"), Route("10.9.0.0/16", "10.1.1.200"), Route("0.0.0.0/0", "10.1.2.2"),
    Route("192.0.2.0/24", "203.0.113.77"), Route("fd99::/64", "fd00::77"), Route("10.1.0.0/24", "10.1.1.9"),
)  # fmt: skip


@st.composite
def router_put(draw: st.DrawFn) -> Put:
    number = draw(st.integers(0, 1))
    id = f"r{number}"
    if draw(st.integers(0, 5)) == 0:
        return ROUTER, id, None
    return ROUTER, id, Router(
        id=id, number=number + 1, admin_state_up=draw(st.sampled_from([True, True, True, False])),
        gateway_port_id=draw(st.sampled_from([f"g{number}", f"g{number}", None])), enable_snat=draw(st.booleans()),
        routes=tuple(draw(st.lists(st.sampled_from(ROUTES), max_size=3, unique=True))),
    )  # fmt: skip


@st.composite
def floating_put(draw: st.DrawFn, what: str = "") -> Put:
    number = draw(st.integers(0, 1))
    what = what or draw(st.sampled_from(["floating", "floating", "forwarding", "learned", "busy", "met"]))
    gone = draw(st.integers(0, 5)) == 0
    if what == "busy":
        return BUSY, draw(st.sampled_from(HOSTS)), draw(st.sampled_from([None, None, None, EMPTY, ALONE, TAKING]))
    if what == "met":
        key = draw(st.sampled_from([(one, other) for one in HOSTS for other in HOSTS if one != other]))
        return MET, key, None if gone else True
    if what == "learned":
        key = draw(st.sampled_from([("ext", "203.0.113.1"), ("n0", "10.1.0.200"), ("n1", "fd00::77")]))
        return LEARNED, key, None if gone else draw(st.sampled_from([mac(0x81), mac(0x82)]))
    # Each stands for ports of its own: the API gives a port's address one floating IP.
    at = draw(st.integers(0, len(PORTS) // 2 - 1)) * 2 + number
    inner = f"10.1.{draw(st.sampled_from(LIKELY))}.{at + 11}"
    if what == "forwarding":
        return FORWARDING, f"w{number}", None if gone else PortForwarding(
            id=f"w{number}", floatingip_id=f"f{number}", protocol=draw(st.sampled_from(["tcp", "udp"])),
            external_port=8080, internal_port_id=PORTS[at], internal_ip_address=inner, internal_port=80,
        )  # fmt: skip
    free = draw(st.integers(0, 3)) == 0
    return FLOATING_IP, f"f{number}", None if gone else FloatingIP(
        id=f"f{number}", floating_network_id="ext", holder_id=f"h{number}", router_id=f"r{number}",
        floating_ip_address=f"203.0.113.{20 + number}", port_id=None if free else PORTS[at],
        fixed_ip_address=None if free else inner,
    )  # fmt: skip


@st.composite
def port_put(draw: st.DrawFn) -> Put:
    number = draw(st.integers(0, len(PORTS) - 1))
    id = PORTS[number]
    if draw(st.integers(0, 4)) == 0:
        return PORT, id, None
    # All tenants use the same addresses, but on one network each port has its own.
    network = draw(st.sampled_from(LIKELY))
    v4, v6 = f"10.0.0.{number + 1}", f"fd00::{number + 1}"
    kept = draw(st.sampled_from([[v4], [v4, v6], [v6], []]))
    fixed = tuple(FixedIP(id=f"{id}{a}", subnet_id=f"s{network}", ip_address=a) for a in kept)
    if draw(st.booleans()):
        fixed += (FixedIP(id=f"{id}r", subnet_id=f"t{network}", ip_address=f"10.1.{network}.{number + 11}"),)
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
    uplinks = draw(st.sampled_from([(), (("external", 65002),), (("external", 65003), ("other", 65002))]))
    return HOST, HOSTS[number], Peer(address, uplinks, draw(st.sampled_from([False, False, True])))


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
    address_group_put(), rule_put(), rule_put(), routed_subnet_put(), outer_put(), outer_put(), interface_put(),
    interface_put(), router_put(), floating_put(), floating_put(),
)  # fmt: skip
KINDS: tuple[Rows[Any, Any], ...] = (
    HOST, NETWORK, SUBNET_POOL, SUBNET, GROUP, ADDRESS_GROUP, RULE, PORT, BINDING, ROUTER, FLOATING_IP, FORWARDING,
    LEARNED, BUSY, MET,
)  # fmt: skip
"""Every kind of row that is put; those that others rest on first."""


@st.composite
def basis(draw: st.DrawFn) -> list[Put]:
    """Enough of everything that routers and floating IPs have something to do."""
    outer = [outer_put(what) for what in ("network", "subnet", "gateway", "gateway", "gateway", "holder", "holder")]
    kinds = [
        *[network_put()] * 6, *[host_put()] * 6, *outer, *[routed_subnet_put()] * 8, *[interface_put()] * 9,
        *[router_put()] * 4, *[port_put()] * 12, *[binding_put()] * 16, *[floating_put("floating")] * 4,
        floating_put("forwarding"), floating_put(),
    ]  # fmt: skip
    return [draw(kind) for kind in kinds]


_changes = st.lists(st.lists(put, min_size=1, max_size=6), min_size=1, max_size=25)
history = st.one_of(_changes, st.builds(lambda first, rest: [first, *rest], basis(), _changes))


def start() -> Desired:
    desired = Desired()
    for host in JOINED:
        desired.joined(host, {})
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
