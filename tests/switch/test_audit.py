"""What somebody changes by hand on a host is found, mended and told; what the controller does itself is not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.observe.audit import audit
from controller.reconcile.mendings import Mending
from tests.switch.cloud import Cloud

LIMIT = 5.0
"""Seconds in which it must be mended."""


class Tampered:
    """One host with two ports of one network, in step."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.before: dict[str, list[str]] = {}

    async def start(self) -> None:
        cloud = self.cloud
        await cloud.join("h1")
        _, subnet = await cloud.network()
        for number in (5, 6):
            port = await cloud.new_port(subnet, number)
            await cloud.plug("h1", port)
            await cloud.status(port, "ACTIVE", "h1")
        self.before = await self.everything()

    async def everything(self) -> dict[str, list[str]]:
        """Flows, groups and meters of both bridges."""
        switch = self.cloud.switches["h1"]

        def dump(bridge: str) -> list[str]:
            flows = switch.ofctl("dump-flows", bridge, options=["--no-stats"]).splitlines()
            others = switch.ofctl("dump-groups", bridge) + switch.ofctl("dump-meters", bridge)
            # Each answer begins with its transaction id.
            return sorted(line.strip() for line in flows + others.splitlines() if "xid=" not in line)

        return {bridge: await asyncio.to_thread(dump, bridge) for bridge in ("br-int", "br-tun")}

    async def by_hand(self, command: str, bridge: str, *arguments: str) -> None:
        await asyncio.to_thread(self.cloud.switches["h1"].ofctl, command, bridge, *arguments)

    async def mended(self, count: int = 1) -> list[Mending]:
        """Waits until so much has been mended."""
        latest = self.cloud.control.mendings.latest
        async with asyncio.timeout(LIMIT):
            while len(latest) < count:
                await asyncio.sleep(0.01)  # a mending is told to nobody in this process
        return list(latest)


@pytest.fixture
async def tampered(tmp_path: Path) -> AsyncIterator[Tampered]:
    async with Cloud(tmp_path) as cloud:
        made = Tampered(cloud)
        await made.start()
        yield made


def of_network(flows: list[str]) -> str:
    """Some flow with a cookie and actions of ours, as ovs-ofctl shows it."""
    return next(flow for flow in flows if "cookie=0x1" in flow and "table=" in flow and "actions=" in flow)


@pytest.mark.parametrize("bridge", ["br-int", "br-tun"])
async def test_flows_deleted(tampered: Tampered, bridge: str) -> None:
    await tampered.by_hand("del-flows", bridge)
    mendings = await tampered.mended(sum("actions=" in line for line in tampered.before[bridge]))
    assert await tampered.everything() == tampered.before
    assert {(each.host, each.where) for each in mendings} == {("h1", bridge)}
    assert tampered.cloud.host("h1").alive


async def test_flow_added(tampered: Tampered) -> None:
    await tampered.by_hand("add-flow", "br-int", "table=3,priority=9,ip,actions=drop")
    (mending,) = await tampered.mended()
    assert (mending.kind, mending.where) == ("flow", "br-int")
    assert "nobody's" in mending.what and "priority=9" in mending.what
    assert await tampered.everything() == tampered.before


async def test_actions_changed_under_our_cookie(tampered: Tampered) -> None:
    await tampered.by_hand("mod-flows", "br-tun", "table=0,actions=drop")
    assert await tampered.everything() != tampered.before
    await tampered.mended()
    assert await tampered.everything() == tampered.before


async def test_another_flow_with_our_cookie(tampered: Tampered) -> None:
    cookie = of_network(tampered.before["br-int"]).split(",")[0]
    await tampered.by_hand("add-flow", "br-int", f"{cookie},table=3,priority=9,ip,actions=drop")
    await tampered.mended()
    assert await tampered.everything() == tampered.before


async def test_group_added(tampered: Tampered) -> None:
    await tampered.by_hand("add-group", "br-int", "group_id=7,type=all,bucket=output:1")
    (mending,) = await tampered.mended()
    assert (mending.kind, mending.what) == ("group", "group 7 is nobody's")
    assert await tampered.everything() == tampered.before


@pytest.mark.parametrize("command", ["add", "mod", "del"])
async def test_meters(tampered: Tampered, command: str) -> None:
    meter = next(line for line in tampered.before["br-int"] if line.startswith("meter="))
    changed = {
        "add": ("add-meter", "meter=77,pktps,band=type=drop,rate=1"),
        "mod": ("mod-meter", f"{meter.split()[0]},pktps,burst,band=type=drop,rate=1,burst_size=1"),
        "del": ("del-meters",),
    }[command]
    await tampered.by_hand(changed[0], "br-int", *changed[1:])
    assert await tampered.everything() != tampered.before
    await tampered.mended()
    assert await tampered.everything() == tampered.before


@pytest.mark.parametrize(
    "changed",
    [
        ("del-port", "patch-tun"),
        ("set", "Interface", "patch-tun", "options:peer=nowhere"),
        ("del-controller", "br-int"),
        ("set-controller", "br-int", "tcp:127.0.0.1:1"),
        ("set", "Bridge", "br-tun", "fail_mode=standalone"),
        ("del-br", "br-tun"),
        ("del-port", "vxlan"),
    ],
    ids=lambda changed: " ".join(changed[:2]),
)
async def test_database(tampered: Tampered, changed: tuple[str, ...]) -> None:
    await tampered.cloud.vsctl("h1", *changed)
    mendings = await tampered.mended()
    assert all((each.where, each.kind) == ("Open_vSwitch", "database") for each in mendings)
    await tampered.cloud.until(lambda: tampered.cloud.host("h1").alive, "the host is served")
    async with asyncio.timeout(LIMIT):
        while await tampered.everything() != tampered.before:
            await asyncio.sleep(0.05)  # a bridge that was made anew is filled by and by


async def test_numbers_that_a_host_keeps(tampered: Tampered) -> None:
    kept = await tampered.cloud.vsctl("h1", "get", "Bridge", "br-int", "external_ids")
    assert "tunbridge-tag-" in kept
    await tampered.cloud.vsctl("h1", "clear", "Bridge", "br-int", "external_ids")
    async with asyncio.timeout(LIMIT):
        while await tampered.cloud.vsctl("h1", "get", "Bridge", "br-int", "external_ids") != kept:
            await asyncio.sleep(0.05)  # the host's database tells its session alone


async def test_nothing_of_our_own_doing_is_mended(tampered: Tampered) -> None:
    cloud = tampered.cloud
    bridge = cloud.control.switches.bridges["h1", "br-int"]
    _, subnet = await cloud.network(vni=101)
    port = await cloud.new_port(subnet, 9)
    await cloud.plug("h1", port)
    await cloud.status(port, "ACTIVE", "h1")
    await cloud.unplug("h1", port)
    await cloud.status(port, "DOWN")
    assert bridge._look_at is None and not bridge._touched
    assert not cloud.control.mendings.latest


async def test_an_audit_tells_and_repairs(tampered: Tampered) -> None:
    control = tampered.cloud.control
    assert (await audit(control, "", repair=False)).found == []
    # As if the switch did not tell of changes.
    channel = control.switches.bridges["h1", "br-int"].channel
    assert channel is not None
    channel._on_touched = lambda: None
    await tampered.by_hand("mod-flows", "br-int", "table=0,actions=drop")
    told = await audit(control, "", repair=False)
    assert told.found and not any(finding.mended for finding in told.found)
    assert await tampered.everything() != tampered.before
    repaired = await audit(control, "h1", repair=True)
    assert len(repaired.found) == len(told.found) and all(finding.mended for finding in repaired.found)
    assert await tampered.everything() == tampered.before
    assert (await audit(control, "", repair=False)).found == []
    assert (await audit(control, "nobody", repair=False)).found == []
    metric = control.metrics.registry.get_sample_value("tunbridge_mended_total", {"kind": "flow"})
    assert metric == len(told.found)


async def test_an_audit_repairs_a_host_that_was_left_alone(tampered: Tampered) -> None:
    control, switch = tampered.cloud.control, tampered.cloud.switches["h1"]
    session = control.sessions["h1"]
    session._repaired.extend([asyncio.get_running_loop().time()] * 10)  # as if it had been changed back so often
    await asyncio.to_thread(switch.vsctl, "set", "Bridge", "br-int", "fail_mode=standalone")
    async with asyncio.timeout(LIMIT):
        while not (told := (await audit(control, "", repair=False)).found):
            await asyncio.sleep(0.01)  # that nothing is mended is told to nobody
    assert {(finding.where, finding.mended) for finding in told} == {("Open_vSwitch", False)}
    assert "standalone" in await asyncio.to_thread(switch.vsctl, "get", "Bridge", "br-int", "fail_mode")
    assert {finding.mended for finding in (await audit(control, "", repair=True)).found} == {True}
    assert "secure" in await asyncio.to_thread(switch.vsctl, "get", "Bridge", "br-int", "fail_mode")
