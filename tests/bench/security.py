"""What a rule and a member cost, how often a packet is tracked, and whether conntrack stands a storm."""

import asyncio
import json
import time

from tests.bench.client import Client
from tests.bench.row import AT_MOST, BELOW, Row, bench, median, row
from tests.bench.site import GROUP, name, site
from tests.bench.whole import endpoint
from tests.hosts.storm import storm
from tests.laws.fabric import Fabric
from tests.laws.test_reach import Vm, compiled, ip
from tests.switch.vswitch import Vswitch

ROUNDS = 20


class Counter:
    """Flow messages that switches have accepted, by control's metrics over one connection."""

    def __init__(self, control: Client) -> None:
        self._control = control
        self.last = 0

    async def read(self) -> int:
        lines = (await self._control.ask("GET", "/metrics")).decode().splitlines()
        return int(float(next(line for line in lines if line.startswith("tunbridge_flows_written ")).split()[1]))

    async def more(self) -> int:
        """Waits until there are more, and says how many."""
        async with asyncio.timeout(30):
            while (now := await self.read()) == self.last:
                pass
        now, self.last = now - self.last, now
        return now


async def new_rule(client: Client, port: int) -> None:
    ports = {"port_range_min": port, "port_range_max": port}
    rule = {"security_group_id": GROUP, "direction": "ingress", "protocol": "tcp", **ports}
    await client.ask("POST", "/v2.0/security-group-rules", {"security_group_rule": rule})


@bench("rule")
async def rule() -> list[Row]:
    """A group of 1,000 ports, all on one switch."""
    async with site(1000, 1000) as made, Client(made.url) as client:
        await made.join("h1", "172.30.0.1", range(1000))
        async with Client(endpoint(made)) as control:
            counter = Counter(control)
            counter.last = await counter.read()
            times, flows = [], []
            for number in range(ROUNDS):
                await new_rule(client, 8000 + number)
                begun = time.perf_counter()
                flows.append(await counter.more())
                times.append((time.perf_counter() - begun) * 1e3)
            before = made.cpu("control")
            for number in range(ROUNDS):
                await new_rule(client, 9000 + number)
                await asyncio.sleep(0.05)
            cpu = (made.cpu("control") - before) / ROUNDS * 1e3
            counter.last = await counter.read()
            port = {"network_id": name("network", 0), "security_groups": [GROUP]}
            answer = json.loads(await client.ask("POST", "/v2.0/ports", {"port": port}))
            assert len(answer["port"]["fixed_ips"]) == 2
            members = await counter.more()
    how = f"POST of a rule for one TCP port; p50 of {ROUNDS}; 1,000 ports of the group on the switch"
    return [
        row("one more rule, flows on a host", 1000, max(flows), "flows", AT_MOST, 4, how),
        row("one more rule, control CPU", 1000, cpu, "ms", BELOW, 10, "/proc/PID/stat of control, as many rules again"),
        row("one more rule, to confirmed", 1000, median(times), "ms", BELOW, 15, how),
        row(
            "one more member, flows on a host", 1000, members, "flows", AT_MOST, 4,
            "a port with an address of each family, plugged nowhere, joins a remote group of 1,000",
        ),
    ]  # fmt: skip


@bench("tracked")
async def tracked() -> list[Row]:
    """By ofproto/trace, a new connection between two VMs of one network."""
    with Vswitch() as switch:
        fabric = Fabric(switch, {"h1": "172.31.0.1", "h2": "172.31.0.2", "h3": "172.31.0.3"}, 3)
        vms = [Vm(1, 0, "h1", True), Vm(2, 0, "h1", True), Vm(3, 0, "h2", True)]
        desired = compiled(vms)
        for host in ("h1", "h2"):
            fabric.install(host, desired.compiler.desired(host))
        near, far = (fabric.count(vms[0].at, ip(vms[0], vm.mac)) for vm in vms[1:])
    how = "ofproto/trace"
    return [
        row("recirculations, same host", 2, near["h1"], "", AT_MOST, 1, how),
        row("recirculations, two hosts, each side", 2, max(far.values()), "", AT_MOST, 1, how),
    ]


@bench("storm")
async def connections() -> list[Row]:
    """Real TCP connections between two VMs on one host, userspace data path."""
    result = await asyncio.to_thread(storm, 1000, 5.0)
    how = f"{result.rate:.0f} TCP connections a second for {result.seconds:.1f} s, each opened, answered and closed"
    return [
        row("connections lost at 1,000 a second", result.opened, result.lost, "lost", AT_MOST, 0, how),
        row("vswitchd died of it", result.opened, result.deaths, "times", AT_MOST, 0, "its pid before and after"),
    ]
