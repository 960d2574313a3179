"""Writes docs/pipeline.md: the tables as declared, and in each the flows that a small example compiles to.

``python -m controller.observe.pipeline`` in the project's folder.
"""

from collections import defaultdict
from pathlib import Path

from controller.compile.desired import Desired
from controller.model import (
    FixedIP,
    FloatingIP,
    Network,
    Port,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Segment,
    Subnet,
)
from controller.model.router import FLOATING_IP as HOLDER
from controller.model.router import GATEWAY, INTERFACE
from controller.view.network import (
    BINDING,
    FLOATING_IP,
    GROUP,
    HOST,
    NETWORK,
    PORT,
    ROUTER,
    RULE,
    SUBNET,
    Binding,
    Peer,
)
from controller.view.view import Put
from flows.flow import Flow
from flows.pipeline import page
from flows.table import Table

PAGE = Path("docs/pipeline.md")
HERE = "host-1"
EXAMPLE = """\
## The example

host-1 (tunnels at 172.31.0.1) has the port with MAC fa:16:3e:00:00:05 and the addresses 10.0.0.5 and fd00::5, at
OpenFlow port 3; host-2 (172.31.0.2) has the one with fa:16:3e:00:00:06, 10.0.0.6 and fd00::6. Their network has VNI
100, the local VLAN tag 1 on host-1, and DHCP with the gateway 10.0.0.1. Both are in the security group 9, which lets
everything out, everything in from its own members, and TCP to ports 80 to 83 in from anywhere; IPv4 only.
Router 1 has the interface 10.0.0.1 (fa:16:3e:00:01:01) there and a gateway, 203.0.113.10 (fa:16:3e:00:01:02), on a flat
external network (key 200, next hop 203.0.113.1); its gateway hosts are host-1 and host-2. The port on host-1 has the
floating IP 203.0.113.20 (fa:16:3e:00:01:03).
"""


def example() -> dict[Table, list[Flow]]:
    """The flows of host-1, by table."""
    desired = Desired()
    uplinks = (("external", 65002),)
    puts: list[Put] = [(HOST, host, Peer(f"172.31.0.{n}", uplinks)) for n, host in enumerate((HERE, "host-2"), 1)]
    for _, host, _ in puts:
        desired.joined(str(host), {})
    puts.append((NETWORK, "n", Network(id="n", vni=100)))
    subnet = Subnet(id="s", network_id="n", cidr="10.0.0.0/24", ip_version=4, gateway_ip="10.0.0.1")
    puts.append((SUBNET, "s", subnet))
    segment = Segment(id="segment", physical_network="external", vlan=0)
    puts.append((NETWORK, "x", Network(id="x", vni=200, external=True, segments=(segment,), mtu=1500)))
    outer = Subnet(id="sx", network_id="x", cidr="203.0.113.0/24", ip_version=4, gateway_ip="203.0.113.1")
    puts.append((SUBNET, "sx", outer))
    for id, owner, network, address, mac in (
        ("i", INTERFACE, "n", "10.0.0.1", "01"),
        ("gw", GATEWAY, "x", "203.0.113.10", "02"),
        ("holder", HOLDER, "x", "203.0.113.20", "03"),
    ):
        holds = (FixedIP(id=address, subnet_id="s" if network == "n" else "sx", ip_address=address),)
        whose = "f" if owner == HOLDER else "r"
        own = Port(
            id=id,
            network_id=network,
            mac_address=f"fa:16:3e:00:01:{mac}",
            fixed_ips=holds,
            device_owner=owner,
            device_id=whose,
        )
        puts.append((PORT, id, own))
    puts.append((ROUTER, "r", Router(id="r", number=1, gateway_port_id="gw")))
    floating = FloatingIP(
        id="f",
        floating_network_id="x",
        holder_id="holder",
        floating_ip_address="203.0.113.20",
        port_id="p5",
        fixed_ip_address="10.0.0.5",
        router_id="r",
    )
    puts.append((FLOATING_IP, "f", floating))
    puts.append((GROUP, "g", SecurityGroup(id="g", number=9)))
    for id, direction, protocol, ports, remote in (
        ("out", "egress", None, (None, None), None),
        ("in", "ingress", None, (None, None), "g"),
        ("web", "ingress", "tcp", (80, 83), None),
    ):
        rule = SecurityGroupRule(
            id=id,
            security_group_id="g",
            direction=direction,
            protocol=protocol,
            port_range_min=ports[0],
            port_range_max=ports[1],
            remote_group_id=remote,
        )
        puts.append((RULE, id, rule))
    for number, ofport, host in ((5, 3, HERE), (6, 4, "host-2")):
        addresses = (f"10.0.0.{number}", f"fd00::{number}")
        fixed = tuple(FixedIP(id=address, subnet_id="s", ip_address=address) for address in addresses)
        port = Port(
            id=f"p{number}",
            network_id="n",
            mac_address=f"fa:16:3e:00:00:{number:02x}",
            fixed_ips=fixed,
            security_groups=("g",),
        )
        puts += [(PORT, port.id, port), (BINDING, port.id, Binding(host, ofport))]
    desired.turn(puts)
    flows: dict[Table, list[Flow]] = defaultdict(list)
    for e in desired.compiler.desired(HERE):
        if isinstance(e.item, Flow):
            flows[e.item.table].append(e.item)
    return flows


def text() -> str:
    return page(example(), EXAMPLE)


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
