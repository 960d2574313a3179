"""Random tenants with a way out: an external network, gateways, floating IPs, forwardings, address scopes."""

from typing import NamedTuple

from hypothesis import strategies as st

from controller.compile.desired import Desired
from controller.compile.numbers import PEERS
from controller.model import (
    FixedIP,
    FloatingIP,
    Network,
    Port,
    PortForwarding,
    Router,
    Segment,
    Subnet,
    SubnetPool,
)
from controller.model.router import FLOATING_IP as HOLDER
from controller.model.router import GATEWAY
from controller.view.network import (
    FLOATING_IP,
    FORWARDING,
    HOST,
    LEARNED,
    MET,
    NETWORK,
    PORT,
    ROUTER,
    SUBNET,
    SUBNET_POOL,
    Peer,
)
from controller.view.view import Put
from flows.tables import PATCH_EX
from tests.laws.tenancy import CLOSED, HOSTS, OPEN, PORTS, TRUSTED, Gate, Net, Tenancy, Vm, puts

PHYSICAL = "external"
NEXT_HOP, NEXT_HOP_MAC = {4: "203.0.113.1", 6: "2001:db8:ff::1"}, "0e:00:00:00:00:01"
NEARBY, NEARBY_MAC = "203.0.113.99", "0e:00:00:00:00:63"
FAR = {4: "198.51.100.7", 6: "2001:db8:7::7"}
_PREFIX = {4: "203.0.113.0/24", 6: "2001:db8:ff::/64"}
INSIDE_PORT, OUTSIDE_PORT = 80, 8080


class Way(NamedTuple):
    """A router's way out. Its forwardings use one more floating IP."""

    gate: Gate
    snat: bool
    forwardings: tuple[tuple[int, Vm], ...]
    """(protocol number, VM): INSIDE_PORT of it by OUTSIDE_PORT outside."""

    @property
    def address(self) -> str:
        return f"203.0.113.{10 + self.gate.project}"

    @property
    def address6(self) -> str:
        return f"2001:db8:ff::{10 + self.gate.project:x}"

    @property
    def mac(self) -> str:
        return f"fa:16:3e:ee:00:{self.gate.project:02x}"

    @property
    def shared(self) -> str:
        return f"203.0.113.{40 + self.gate.project}"

    @property
    def shared_mac(self) -> str:
        return f"fa:16:3e:ef:00:{self.gate.project:02x}"


class Site(NamedTuple):
    """``floating``: VMs with a floating IP. ``scoped``: networks of the same address scope as the external one."""

    tenancy: Tenancy
    vlan: int
    uplinks: frozenset[str]
    asking: frozenset[str]
    ways: tuple[Way, ...]
    floating: frozenset[Vm]
    scoped: frozenset[Net]
    met: bool
    """BFD has found all hosts."""

    def way(self, vm: Vm) -> Way | None:
        """Out of the VM's network: its router's, while that is up."""
        return next((way for way in self.ways if vm.net in way.gate.nets and way.gate.up), None)


def floating_address(vm: Vm) -> str:
    return f"203.0.113.{20 + vm.number}"


def floating_mac(vm: Vm) -> str:
    return f"fa:16:3e:f1:00:{vm.number:02x}"


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Two projects with the same addresses, each with one router of its own."""
    mostly = st.sampled_from([True] * 9 + [False])
    nets = [Net(project, number, True, 1450) for project in (0, 1) for number in (0, 1)]
    gates = [Gate(project, 0, draw(mostly), tuple(net for net in nets if net.project == project)) for project in (0, 1)]
    hosts = st.sampled_from(sorted(HOSTS))
    vms = tuple(
        Vm(
            n,
            draw(st.sampled_from(nets)),
            draw(hosts),
            True,
            draw(st.sampled_from([OPEN, OPEN, OPEN, TRUSTED, CLOSED])),
        )
        for n in range(1, draw(st.integers(3, PORTS)) + 1)
    )
    ways: list[Way] = []
    floating: set[Vm] = set()
    for gate in gates:
        behind = [vm for vm in vms if vm.net in gate.nets]
        if not draw(mostly):
            continue
        have = {vm for vm in behind if draw(st.booleans())}
        floating |= have
        # As the API sees to: a port has a floating IP of its own, or forwardings.
        rest = [vm for vm in behind if vm not in have]
        lead = [(protocol, draw(st.sampled_from(rest))) for protocol in (6, 17) if bool(rest) and draw(st.booleans())]
        ways.append(Way(gate, draw(st.sampled_from([True, True, False])), tuple(lead)))
    scoped = draw(st.sampled_from([frozenset(), frozenset(), frozenset(nets[::2])]))
    uplinks = draw(st.frozensets(hosts, min_size=1))
    asking = draw(st.sampled_from([frozenset(), draw(st.frozensets(hosts))]))
    vlan = draw(st.sampled_from([0, 5]))
    tenancy = Tenancy(tuple(nets), tuple(gates), vms)
    met = draw(mostly)
    return Site(tenancy, vlan, uplinks, asking, tuple(ways), frozenset(floating), scoped, met)


def site_puts(site: Site) -> list[Put]:
    segments = (Segment(id="seg", physical_network=PHYSICAL, vlan=site.vlan),)
    rows = puts(site.tenancy)
    for host, address in HOSTS.items():
        uplinks = ((PHYSICAL, PATCH_EX),) if host in site.uplinks else ()
        rows.append((HOST, host, Peer(address, uplinks, host in site.asking)))
        rows += [(MET, (host, other), True) for other in HOSTS if site.met and other != host]
    rows.append((NETWORK, "ext", Network(id="ext", vni=0xABCDEF, external=True, segments=segments, mtu=1450)))
    pool = SubnetPool(
        id="pool", prefixes=("10.0.0.0/8",), ip_version=4, min_prefixlen=8, max_prefixlen=32, default_prefixlen=24,
        address_scope_id="scope",
    )  # fmt: skip
    rows.append((SUBNET_POOL, "pool", pool))
    for version, prefix in _PREFIX.items():
        subnet = Subnet(
            id=f"sx{version}", network_id="ext", cidr=prefix, ip_version=version, gateway_ip=NEXT_HOP[version],
            enable_dhcp=False, subnetpool_id="pool" if version == 4 else None,
        )  # fmt: skip
        rows += [(SUBNET, subnet.id, subnet), (LEARNED, ("ext", NEXT_HOP[version]), NEXT_HOP_MAC)]
    rows.append((LEARNED, ("ext", NEARBY), NEARBY_MAC))
    for net in site.scoped:
        id = f"s{net.id}4"
        rows.append((SUBNET, id, Subnet(
            id=id, network_id=net.id, cidr=net.prefixes[4], ip_version=4, enable_dhcp=False, subnetpool_id="pool"
        )))  # fmt: skip
    for way in site.ways:
        rows += _way(way)
    for vm in site.floating:
        rows += floating(site, vm)
    return rows


def _way(way: Way) -> list[Put]:
    router, id = way.gate.id, f"g{way.gate.id}"
    number = 0xFFFFFF00 + way.gate.project * 16 + way.gate.number
    row = Router(
        id=router, number=number, admin_state_up=way.gate.up, gateway_port_id=id, enable_snat=way.snat
    )  # fmt: skip
    rows: list[Put] = [(PORT, id, _outer_port(id, GATEWAY, router, way.mac, way.address, way.address6))]
    rows.append((ROUTER, router, row))
    if way.forwardings:
        rows += _floating_rows(f"F{router}", router, way.shared, way.shared_mac)
    for protocol, vm in way.forwardings:
        id = f"w{router}{protocol}"
        rows.append((FORWARDING, id, PortForwarding(
            id=id, floatingip_id=f"F{router}", protocol="tcp" if protocol == 6 else "udp", external_port=OUTSIDE_PORT,
            internal_port_id=f"p{vm.number}", internal_ip_address=vm.address(4), internal_port=INSIDE_PORT,
        )))  # fmt: skip
    return rows


def floating(site: Site, vm: Vm) -> list[Put]:
    way = next(way for way in site.ways if vm.net in way.gate.nets)
    return _floating_rows(f"f{vm.number}", way.gate.id, floating_address(vm), floating_mac(vm), vm)


def _floating_rows(id: str, router: str, address: str, mac: str, vm: Vm | None = None) -> list[Put]:
    row = FloatingIP(
        id=id, floating_network_id="ext", holder_id=f"H{id}", router_id=router, floating_ip_address=address,
        port_id=f"p{vm.number}" if vm else None, fixed_ip_address=vm.address(4) if vm else None,
    )  # fmt: skip
    return [(PORT, f"H{id}", _outer_port(f"H{id}", HOLDER, id, mac, address)), (FLOATING_IP, id, row)]


def _outer_port(id: str, owner: str, of: str, mac: str, *addresses: str) -> Port:
    fixed = tuple(
        FixedIP(id=f"x{address}", subnet_id="sx6" if ":" in address else "sx4", ip_address=address)
        for address in addresses
    )
    return Port(
        id=id, network_id="ext", mac_address=mac, fixed_ips=fixed, device_owner=owner, device_id=of,
        port_security_enabled=False,
    )  # fmt: skip


def site_compiled(site: Site, peers: dict[str, dict[str, int]]) -> Desired:
    """``peers``: host -> other host -> OpenFlow port of the BFD session."""
    desired = Desired()
    rows = site_puts(site)
    for host, numbers in peers.items():
        rows += desired.joined(host, {PEERS: {number: other for other, number in numbers.items()}})
    turn = desired.turn(rows)
    assert not turn.outcome.failed
    return desired
