"""What a router interface and a floating IP cost, and how often conntrack sees a packet on its way."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from controller.model import FloatingIP, Port
from tests.bench.change import one_more_is_everywhere
from tests.bench.client import Client
from tests.bench.row import AT_MOST, BELOW, Row, bench, median, row
from tests.bench.site import A_HOST, Site, name, site
from tests.hosts.failover import FLOATING, FLOATING_HOST, ROUTED, SNAT, ends
from tests.hosts.outside import INTERNET
from tests.hosts.routed import B1, B2, Routed, routed_lab

ROUNDS = 20
PINGS = 40


class Edge:
    """A router with a gateway, and network 0 of the site behind it."""

    def __init__(self, made: Site, client: Client) -> None:
        self.made, self.client = made, client

    async def ask(self, method: str, path: str, kind: str, **body: Any) -> dict[str, Any]:
        answer = json.loads(await self.client.ask(method, f"/v2.0/{path}", {kind: body}))
        return answer[kind]  # type: ignore[no-any-return]

    async def start(self) -> None:
        provider = {"provider:network_type": "flat", "provider:physical_network": "external", "router:external": True}
        self.external = await self.ask("POST", "networks", "network", **provider)
        outer = {"cidr": "203.0.0.0/16", "ip_version": 4, "enable_dhcp": False}
        await self.ask("POST", "subnets", "subnet", network_id=self.external["id"], **outer)
        self.router = await self.ask(
            "POST", "routers", "router", external_gateway_info={"network_id": self.external["id"]}
        )
        await self.attach(name("subnet", 0, 4))

    async def attach(self, subnet: str) -> float:
        """Milliseconds from the request until the interface's port is ACTIVE."""
        begun = time.perf_counter()
        path = f"/v2.0/routers/{self.router['id']}/add_router_interface"
        port = json.loads(await self.client.ask("PUT", path, {"subnet_id": subnet}))["port_id"]
        rows = self.made.store.rows(Port)
        await self.made.until(lambda: port in rows and rows[port].status == "ACTIVE", f"interface {port} is ACTIVE")
        return (time.perf_counter() - begun) * 1e3

    async def float(self, port: str) -> float:
        """Milliseconds from the request until the floating IP is ACTIVE."""
        begun = time.perf_counter()
        fixed = next(a.ip_address for a in self.made.rows()[port].fixed_ips if "." in a.ip_address)
        asked = {"floating_network_id": self.external["id"], "port_id": port, "fixed_ip_address": fixed}
        id = (await self.ask("POST", "floatingips", "floatingip", **asked))["id"]
        rows = self.made.store.rows(FloatingIP)
        await self.made.until(lambda: id in rows and rows[id].status == "ACTIVE", f"floating IP {id} is ACTIVE")
        return (time.perf_counter() - begun) * 1e3

    async def subnet(self, number: int) -> tuple[str, str]:
        """Another network, and its subnet."""
        network = str((await self.ask("POST", "networks", "network"))["id"])
        made = {"network_id": network, "cidr": f"10.{200 + number // 250}.{number % 250}.0/24", "ip_version": 4}
        return network, str((await self.ask("POST", "subnets", "subnet", **made))["id"])

    async def flows(self, host: str) -> int:
        switch = self.made.hosts[host]
        dumps = [await asyncio.to_thread(switch.ofctl, "dump-aggregate", bridge) for bridge in ("br-int", "br-tun")]
        return sum(int(dump.rpartition("flow_count=")[2]) for dump in dumps)


@asynccontextmanager
async def edge(made: Site) -> AsyncIterator[Edge]:
    async with Client(made.url) as client:
        for switch in made.hosts.values():
            # A network card on br-ex: the host reaches the physical network.
            nic = ["add-port", "br-ex", "nic", "--", "set", "Interface", "nic", "type=dummy"]
            await asyncio.to_thread(switch.vsctl, *nic)
        there = Edge(made, client)
        await there.start()
        yield there


@bench("floating")
async def one_more() -> list[Row]:
    """At 1,000 ports, 50 of them on the measured switch."""
    async with site(1000, A_HOST) as made:
        await made.join("h1", "172.30.0.1", range(A_HOST))
        async with edge(made) as there:
            subnets = [(await there.subnet(number))[1] for number in range(2 * ROUNDS)]
            attached = [await there.attach(subnet) for subnet in subnets[:ROUNDS]]
            before = made.cpu("control")
            attached += [await there.attach(subnet) for subnet in subnets[ROUNDS:]]
            attaching = (made.cpu("control") - before) / ROUNDS * 1e3
            ports = [name("port", number) for number in range(2 * ROUNDS)]
            floated = [await there.float(port) for port in ports[:ROUNDS]]
            before = made.cpu("control")
            floated += [await there.float(port) for port in ports[ROUNDS:]]
            floating = (made.cpu("control") - before) / ROUNDS * 1e3
    cpu = f"/proc/PID/stat of control over {ROUNDS}; OVN 25.03 on the same kind of machine: "
    how = f"from the REST request until its status is ACTIVE: the switches have answered; p50 of {2 * ROUNDS}"
    return [
        row("one more floating IP, control CPU", 1000, floating, "ms", BELOW, 10, cpu + "312 ms"),
        row("one more floating IP, to confirmed", 1000, median(floated), "ms", BELOW, 20, how),
        row("one more router interface, control CPU", 1000, attaching, "ms", BELOW, 10, cpu + "391 ms"),
        row("one more router interface, to confirmed", 1000, median(attached), "ms", BELOW, 20, how),
    ]


@bench("routed-flows")
async def flows() -> list[Row]:
    """Counted on the switches, by ovs-ofctl dump-aggregate before and after."""
    async with site(4, 4) as made:
        await made.join("h1", "172.30.0.1", range(2))
        await made.join("h2", "172.30.0.2", range(2, 4))
        async with edge(made) as there:

            async def change(what: Any) -> dict[str, int]:
                await one_more_is_everywhere(made)
                before = {host: await there.flows(host) for host in made.hosts}
                await what
                await one_more_is_everywhere(made)
                return {host: await there.flows(host) - before[host] for host in made.hosts}

            floating = await change(there.float(name("port", 0)))
            network, subnet = await there.subnet(0)
            port = (await there.client.new_port(network, security_groups=[]))["id"]
            await made.plug("h1", [(20_000, port)])
            await made.until(lambda: port in made.rows() and made.rows()[port].status == "ACTIVE", "its port is ACTIVE")
            interface = await change(there.attach(subnet))
            third = (await there.client.new_port(name("network", 0), security_groups=[name("group")]))["id"]

            async def plug() -> None:
                await made.plug("h1", [(20_001, third)])
                await made.until(lambda: made.rows()[third].status == "ACTIVE", "one more port is ACTIVE")

            one_port = await change(plug())
    how = "ovs-ofctl dump-aggregate before and after"
    return [
        row("flows of a port behind a router, its own host", 5, one_port["h1"], "flows", AT_MOST, 14, how),
        row("flows of a floating IP, its host", 1, floating["h1"], "flows", AT_MOST, 8, how),
        row("flows of a floating IP, each other host outside", 1, floating["h2"], "flows", AT_MOST, 8, how),
        row("flows of a router interface, a host with its network", 1, interface["h1"], "flows", AT_MOST, 8, how),
    ]


@bench("recirculations")
async def recirculations() -> list[Row]:
    return await asyncio.to_thread(_recirculations)


def _recirculations() -> list[Row]:
    """Real pings between namespaces, established; counted from the data path's flows on all hosts."""
    with routed_lab() as routed:
        routed.settle()
        routed.steady()
        a1 = routed.vm("a1")
        paths = [
            ("routed, same host", *(a1, B1.ipv4), 4, ""),
            ("routed, two hosts", *(a1, B2.ipv4), 4, ""),
            ("SNAT at a gateway host", *ends(routed, SNAT), 3, ""),
            ("floating IP on its own host", *ends(routed, FLOATING_HOST), 2, "; OVN 25.03: 6"),
            ("floating IP at a gateway host", *ends(routed, FLOATING), 2, ""),
        ]
        assert ends(routed, SNAT)[1] == INTERNET and ends(routed, ROUTED)
        how = f"{PINGS} pings, ovs-appctl dpctl/dump-flows on every host"
        return [
            row(f"recirculations, out and back: {what}", 1, count(routed, one, to), "", AT_MOST, reach, how + more)
            for what, one, to, reach, more in paths
        ]


def count(routed: Routed, machine: Any, address: str) -> float:
    """Recirculations of a ping and its answer, all hosts together."""
    machine.reach(address)
    for host in routed.lab.hosts.values():
        host.appctl("revalidator/purge")
    assert machine.ping(address, count=PINGS, interval=0.05).lost == 0
    total = 0.0
    for host in routed.lab.hosts.values():
        for line in host.appctl("dpctl/dump-flows").splitlines():
            found = re.search(r"recirc_id\((\w+)\).*?packets:(\d+)", line)
            # What passed in the other direction, or once, is not of this ping.
            if found and "proto=1" in line and int(found[2]) >= PINGS // 2 and int(found[1], 16):
                total += round(int(found[2]) / (PINGS - 1))
    return total
