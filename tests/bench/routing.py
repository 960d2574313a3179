"""What a router interface and a floating IP cost: time, and flows."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from controller.model import FloatingIP, Port
from tests.bench.change import one_more_is_everywhere
from tests.bench.client import Client
from tests.bench.row import AT_MOST, BELOW, Row, bench, median, row
from tests.bench.site import A_HOST, GROUP, Site, name, site
from tests.bench.whole import total

ROUNDS = 20


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

    async def network(self) -> str:
        return str((await self.ask("POST", "networks", "network"))["id"])

    async def subnet(self, network: str, cidr: str) -> str:
        asked = {"network_id": network, "cidr": cidr, "ip_version": 6 if ":" in cidr else 4}
        return str((await self.ask("POST", "subnets", "subnet", **asked))["id"])

    async def plug(self, host: str, number: int, port: str) -> None:
        """Returns when the port is ACTIVE there."""
        await self.made.plug(host, [(number, port)])
        await self.made.until(lambda: self.made.rows()[port].status == "ACTIVE", f"port {port} is ACTIVE")

    async def more(self, change: Awaitable[object]) -> dict[str, int]:
        """By how many flows each host has more afterwards."""
        before = await self._flows()
        await change
        return {host: now - before[host] for host, now in (await self._flows()).items()}

    async def _flows(self) -> dict[str, int]:
        await one_more_is_everywhere(self.made)
        return {host: await total(switch) for host, switch in self.made.hosts.items()}


@asynccontextmanager
async def edge(made: Site, *uplinks: str) -> AsyncIterator[Edge]:
    """These hosts reach the physical network."""
    async with Client(made.url) as client:
        for host in uplinks:
            # A network card on br-ex.
            nic = ["add-port", "br-ex", "nic", "--", "set", "Interface", "nic", "type=dummy"]
            await asyncio.to_thread(made.hosts[host].vsctl, *nic)
        there = Edge(made, client)
        await there.start()
        yield there


@bench("floating")
async def one_more() -> list[Row]:
    """At 1,000 ports, 50 of them on the measured switch."""
    async with site(1000, A_HOST) as made:
        await made.join("h1", "172.30.0.1", range(A_HOST))
        async with edge(made, "h1") as there:
            subnets = [await there.subnet(await there.network(), f"10.200.{n}.0/24") for n in range(2 * ROUNDS)]
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
    """Counted on the switches. h1 and h2 reach the outside, h3 does not; network 0 is on all of them, and routed."""
    async with site(6, 6) as made:
        for number, host in enumerate(("h1", "h2", "h3")):
            await made.join(host, f"172.30.0.{number + 1}", range(2 * number, 2 * number + 2))
        async with edge(made, "h1", "h2") as there:
            await there.attach(name("subnet", 0, 6))
            near = await there.more(there.float(name("port", 0)))
            far = await there.more(there.float(name("port", 4)))
            network = await there.network()
            subnets = [await there.subnet(network, cidr) for cidr in ("10.200.0.0/24", "fd00:200::/64")]
            for number, host in enumerate(made.hosts):
                port = await there.client.new_port(network, security_groups=[])
                await there.plug(host, 20_000 + number, port["id"])
            interfaces = [await there.more(there.attach(subnet)) for subnet in subnets]

            async def one_port() -> None:
                made_port = await there.client.new_port(name("network", 0), security_groups=[GROUP])
                await there.plug("h1", 20_100, made_port["id"])

            port = await there.more(one_port())
    how = "ovs-ofctl dump-aggregate before and after"
    everything = "IPv4 and IPv6, in a group that is its own remote group; its network on a router with a gateway"
    floating = f"the port's host has an uplink; {how}"
    gateways = f"the port's host has none; a second gateway host stands by with as many; {how}"
    each = "of IPv4 or of IPv6, whichever has more; the neighbours of three ports on the network are among them"
    interface = [max(count.values()) for count in interfaces]
    return [
        row("flows of a port behind a router, its own host", 7, port["h1"], "flows", AT_MOST, 14, everything),
        row("flows of a floating IP, its own host", 1, near["h1"], "flows", AT_MOST, 8, floating),
        row("flows of a floating IP, each other host", 1, max(near["h2"], near["h3"]), "flows", AT_MOST, 8, floating),
        row("flows of a floating IP, a gateway host", 1, max(far["h1"], far["h2"]), "flows", AT_MOST, 8, gateways),
        row("flows of a router interface, each host", 1, max(interface), "flows", AT_MOST, 8, f"{each}; {how}"),
    ]
