"""A project behind a router, and the outside.

    network 1: a1 on h1, a2 on h2 ┐
                                  ├ router ── external network ── inet
    network 2: b1 on h1, b2 on h2 ┘

h1 has an uplink, h2 has none. a1 and a2 have floating IPs: that of a1 is on its own host, that of a2 at the router's
gateway host. b1 and b2 are known outside by the router's address.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.hosts.lab import Lab
from tests.hosts.outside import GATEWAY, INTERNET, NETWORK
from tests.hosts.project import Project, Seat
from tests.hosts.serve import Serve, free_port
from tests.hosts.tenant import Row, Tenant
from tests.hosts.until import until
from tests.hosts.vm import Vm

A1, A2 = Seat("a1", "h1", 1, 11), Seat("a2", "h2", 1, 12)
B1, B2 = Seat("b1", "h1", 2, 11), Seat("b2", "h2", 2, 12)
SEATS = (A1, A2, B1, B2)
GATEWAYS = ("g1", "g2")
INSIDE = ("10.0.0.0/8",)
"""Nothing that has such a source may be heard outside."""
PHYSICAL = "external"
"""The physical network that br-ex is, where a host says nothing else."""


class Routed:
    def __init__(self, lab: Lab, serve: Serve) -> None:
        """The hosts have joined, and the lab has an outside."""
        assert lab.outside
        self.lab = lab
        self.serve = serve
        self.inet = lab.outside
        self.wire = lab.wire()
        self.operator = Tenant(serve.url, "operator")
        self.red = Project(lab, serve.url, "routed")
        self.floating: dict[str, str] = {}
        """Machine -> its external address."""

    def close(self) -> None:
        self.wire.close()
        self.operator.close()
        self.red.close()

    def make_networks(self) -> None:
        self.external = self.external_network("outside", NETWORK, GATEWAY)
        for number in (1, 2):
            self.red.network(number)
        self.red.let_in()
        self.router = self.red.router("router", 1, 2, outside=self.external)
        self.snat = gateway_address(self.router)

    def external_network(self, name: str, cidr: str, gateway: str, tag: int | None = None) -> Row:
        """Flat, or VLAN with a tag. Addresses from .10 to .99 are given out."""
        kind = {"provider:network_type": "flat"} if tag is None else {"provider:network_type": "vlan"}
        segment = {} if tag is None else {"provider:segmentation_id": tag}
        physical = {"provider:physical_network": PHYSICAL, "router:external": True}
        made = self.operator.network(name, **kind, **segment, **physical)
        begin = gateway.rpartition(".")[0]
        pools = [{"start": f"{begin}.10", "end": f"{begin}.99"}]
        self.operator.subnet(made, cidr, gateway_ip=gateway, enable_dhcp=False, allocation_pools=pools)
        return made

    def boot(self) -> None:
        for seat in SEATS:
            self.red.boot(seat)
        for name in ("a1", "a2"):
            self.floating[name] = self.red.floating_ip(self.external, self.vm(name))["floating_ip_address"]

    def settle(self, timeout: float = 20.0) -> None:
        """Until each kind of path works: neighbours are known, and gateways are heard of."""
        self.vm("a1").reach(B2.ipv4, timeout)
        self.vm("b2").reach(INTERNET, timeout)
        for address in self.floating.values():
            self.inet.reach(address, timeout)

    def steady(self) -> None:
        """Until all BFD sessions are up: only then is a death noticed as fast as it will be."""

        def waited_for() -> list[tuple[str, str]]:
            live = {host.name: host.live() for host in self.lab.hosts.values()}
            return [(name, port) for name, ports in live.items() for port, up in ports.items() if not up]

        until(waited_for, [], 20.0)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Meanwhile the outside and every machine say whom they see."""
        with ExitStack() as servers:
            for machine in (self.inet, *(self.vm(seat.name) for seat in SEATS)):
                servers.enter_context(machine.serve())
            yield

    def vm(self, name: str) -> Vm:
        return self.lab.vms[name]

    def router_now(self) -> Row:
        return self.red.tenant.show("router", self.router["id"])

    def forget_flows(self) -> None:
        """Have every data path ask anew what to do with packets.

        Open vSwitch 3.1.0 may change the wrong one of two overlapping flows of its userspace data path; the other goes
        on dropping what it no longer should, for as long as packets come (docs/field-notes.md). A change that brings
        back what was taken away under traffic can meet that.
        """
        for host in self.lab.hosts.values():
            host.appctl("revalidator/purge")

    def carriers(self) -> set[str]:
        """By whose uplinks pings leave that the router translates: of one gateway host, unless it is just changing."""
        before = self.wire.heard()
        self.vm("b2").ping(INTERNET, count=3, interval=0.1)
        return self.wire.hosts(self.snat, before)

    def active(self) -> str:
        """The host that is the router's gateway now."""
        carriers = self.carriers()
        assert len(carriers) == 1, f"the router's packets leave by {carriers or 'no host'}"
        return carriers.pop()

    def repair(self) -> None:
        """Whatever a test has killed runs again."""
        if not self.serve.running:
            self.serve.start()
        for host in self.lab.hosts.values():
            if not host.runs("ovsdb-server"):
                host.start()
            elif not host.runs("ovs-vswitchd"):
                host.start_switch()
        self.serve.wait()
        self.serve.wait_hosts(self.lab.hosts, 30.0)


def gateway_address(router: Row) -> str:
    """Its IPv4 address outside."""
    fixed = router["external_gateway_info"]["external_fixed_ips"]
    return next(str(each["ip_address"]) for each in fixed if "." in each["ip_address"])


@contextmanager
def routed_lab() -> Iterator[Routed]:
    """A lab of its own: h1 with an uplink, h2 without, and two gateway hosts. Every machine has its lease."""
    with Lab() as lab, ExitStack() as stack:
        lab.add_outside()
        lab.add_host("h1", uplink=True)
        lab.add_host("h2")
        for name in GATEWAYS:
            lab.add_host(name, uplink=True, gateway=True)
        lab.warm()
        controller, openflow = (f"{lab.address}:{free_port(lab.address)}" for _ in range(2))
        serve = Serve(lab.directory, listen=f"127.0.0.1:{free_port('127.0.0.1')}", openflow=openflow, ovsdb=controller)
        stack.callback(serve.stop)
        serve.start()
        for host in lab.hosts.values():
            host.join(controller)
        serve.wait_hosts(lab.hosts)
        made = Routed(lab, serve)
        stack.callback(made.close)
        made.make_networks()
        made.boot()
        yield made
