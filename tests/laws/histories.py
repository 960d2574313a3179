"""Random networks and how they change, as puts into the desired state; and a switch in four lines."""

from typing import Any

from hypothesis import strategies as st

from controller.compile.compiler import Plan
from controller.compile.desired import Desired
from controller.compile.ledger import Entry, Slot
from controller.compile.tags import HostTags
from controller.model import FixedIP, Network, Port, Subnet
from controller.view.network import BINDING, HOST, NETWORK, PORT, SUBNET, Binding, Peer
from controller.view.view import Put

HOSTS = ("h1", "h2", "h3")
NETWORKS = tuple(f"n{i}" for i in range(3))
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


put = st.one_of(network_put(), subnet_put(), port_put(), port_put(), binding_put(), binding_put(), host_put())
history = st.lists(st.lists(put, min_size=1, max_size=6), min_size=1, max_size=25)


def start() -> Desired:
    desired = Desired()
    for host in HOSTS:
        desired.joined(host, HostTags({}))
    return desired


def removal(desired: Desired) -> list[Put]:
    """Puts that delete everything there is."""
    view = desired.view
    return [(kind, key, None) for kind in (BINDING, PORT, SUBNET, NETWORK, HOST) for key in list(view.all(kind))]


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
