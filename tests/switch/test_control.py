"""Control as a whole, between a real database and real switches: what is served, and what faults cost."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import msgspec
import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import PcapReader

from apps import APPS
from apps.contract import App, PacketIn, PacketOut, Wanted, on_host
from controller.model import FixedIP, Host, Port, Router, SecurityGroup, SecurityGroupRule
from controller.model.router import INTERFACE
from controller.store.step import Delete, Insert, Update
from controller.view.network import LOCATION
from controller.view.network import PORT as PORT_ROWS
from controller.view.network import ROUTER as ROUTER_ROWS
from controller.view.topology import HOSTS_OF_ROUTER
from controller.view.view import View
from flows.actions import Set, ToController
from flows.fields import ARP_OP, ETH_SRC, IN_PORT
from flows.flow import Flow
from flows.match import Match
from flows.tables import CLASSIFY
from tests.switch.cloud import Cloud

R = TypeVar("R", Port, Router)

pytestmark = pytest.mark.timeout(180)


def mischief(view: View, id: str) -> Iterator[Wanted]:
    """A port called "refused" wants a flow that no switch takes; one called "raises" raises."""
    where, port = view.row(LOCATION, id), view.row(PORT_ROWS, id)
    if where is None or port is None:
        return
    if port.name == "raises":
        raise RuntimeError("on purpose")
    if port.name == "punts":
        yield on_host(where.host), Flow(CLASSIFY, 99, Match({IN_PORT: where.ofport}), (ToController(),))
    if port.name == "refused":
        yield on_host(where.host), Flow(CLASSIFY, 1, Match({ETH_SRC: port.mac_address}), (Set(ARP_OP, 1),))


def router_mischief(view: View, id: str) -> Iterator[Wanted]:
    """The same for a router called "refused", on each host that has it."""
    router = view.row(ROUTER_ROWS, id)
    if router is not None and router.name == "refused":
        for host in view.members(HOSTS_OF_ROUTER, id):
            yield on_host(host), Flow(CLASSIFY, 2, Match({IN_PORT: router.number}), (Set(ARP_OP, 1),))


def no_answer(packet: PacketIn, view: View) -> Iterator[PacketOut]:
    raise RuntimeError("on purpose")
    yield


MISCHIEF = App(
    name="mischief", number=250, units={LOCATION: [mischief], ROUTER_ROWS: [router_mischief]}, answer=no_answer
)


def counting(runs: list[str]) -> App:
    """An app that wants nothing, and notes each run of its unit of a port that is on a host."""

    def count(view: View, id: str) -> Iterator[Wanted]:
        if view.row(LOCATION, id) is not None:
            runs.append(id)
        return iter(())

    return App(name="counting", number=251, units={LOCATION: [count]})


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    async with Cloud(tmp_path, [*APPS, MISCHIEF]) as cloud:
        yield cloud


async def test_a_port_comes_and_goes(cloud: Cloud) -> None:
    await cloud.join("h1")
    boot = await cloud.flows("h1")
    _, subnet = await cloud.network()
    port = await cloud.new_port(subnet, 5)
    assert (cloud.port(port.id).status, cloud.port(port.id).host_id) == ("DOWN", "")
    await cloud.plug("h1", port)
    await cloud.status(port, "ACTIVE", "h1")
    there = await cloud.flows("h1")
    assert len(there) > len(boot)
    assert any(port.mac_address in flow for flow in there)
    await cloud.unplug("h1", port)
    await cloud.status(port, "DOWN")
    assert await cloud.flows("h1") == boot
    await cloud.plug("h1", port)
    await cloud.status(port, "ACTIVE", "h1")
    assert len(await cloud.flows("h1")) == len(there)
    await cloud.store.commit(Delete(cloud.port(port.id)))
    probe = await cloud.new_port(subnet, 6)
    await cloud.plug("h1", probe)
    await cloud.status(probe, "ACTIVE", "h1")
    assert not any(port.mac_address in flow for flow in await cloud.flows("h1"))


async def test_an_interface_may_come_before_its_port(cloud: Cloud) -> None:
    await cloud.join("h1")
    _, subnet = await cloud.network()
    port = await cloud.new_port(subnet, 5)
    await cloud.plug("h1", port)
    await cloud.status(port, "ACTIVE", "h1")
    gone = cloud.port(port.id)
    await cloud.store.commit(Delete(gone))
    again = await cloud.new_port(subnet, 6)
    await cloud.vsctl("h1", "set", "Interface", f"tap{port.id[:11]}", f"external_ids:iface-id={again.id}")
    await cloud.status(again, "ACTIVE", "h1")


async def test_admin_state(cloud: Cloud) -> None:
    await cloud.join("h1")
    _, subnet = await cloud.network()
    port = await cloud.new_port(subnet, 5)
    await cloud.plug("h1", port)
    up = await cloud.status(port, "ACTIVE", "h1")
    down = _with(up, admin_state_up=False)
    await cloud.store.commit(Update(up, down))
    await cloud.status(port, "DOWN", "h1")
    await cloud.store.commit(Update(cloud.port(port.id), _with(cloud.port(port.id), admin_state_up=True)))
    await cloud.status(port, "ACTIVE", "h1")


def _with(row: R, **values: object) -> R:
    return msgspec.structs.replace(row, revision_number=row.revision_number + 1, **values)


async def test_a_restart_of_control_rewrites_no_flow(cloud: Cloud) -> None:
    await cloud.join("h1", "172.31.0.1")
    await cloud.join("h2", "172.31.0.2")
    ports = []
    for network in range(3):
        _, subnet = await cloud.network(100 + network)
        for number, host in enumerate(("h1", "h1", "h2"), 5):
            port = await cloud.new_port(subnet, number)
            await cloud.plug(host, port)
            await cloud.status(port, "ACTIVE", host)
            ports.append((port, host))
    # The second network leaves h1, so that its tag there stays free in the middle.
    for port, host in ports[3:5]:
        await cloud.unplug(host, port)
        await cloud.status(port, "DOWN")
    before = {(h, b): await cloud.flows(h, b) for h in ("h1", "h2") for b in ("br-int", "br-tun")}
    facts = {port.id: (cloud.port(port.id).status, cloud.port(port.id).host_id) for port, _ in ports}
    await cloud.restart_control()
    await cloud.adopted(4)
    assert {(h, b): await cloud.flows(h, b) for h, b in before} == before
    assert sum(bridge.written for bridge in cloud.control.switches.bridges.values()) == 0
    assert {port.id: (cloud.port(port.id).status, cloud.port(port.id).host_id) for port, _ in ports} == facts
    # What changed while nobody looked is found.
    port, host = ports[0]
    await cloud.restart_control(meanwhile=cloud.unplug(host, port))
    await cloud.status(port, "DOWN")


async def test_a_restart_of_control_compiles_a_port_once(tmp_path: Path) -> None:
    """From what the store knows of it, its OpenFlow port included; the host then says nothing new."""
    runs: list[str] = []
    async with Cloud(tmp_path, [*APPS, counting(runs)]) as cloud:
        await cloud.join("h1")
        _, subnet = await cloud.network()
        ports = [await cloud.new_port(subnet, number) for number in (5, 6, 7)]
        for port in ports:
            await cloud.plug("h1", port)
            await cloud.status(port, "ACTIVE", "h1")
        numbers = {port.id: cloud.port(port.id).ofport for port in ports}
        assert all(numbers.values())
        runs.clear()
        await cloud.restart_control()
        await cloud.adopted(2)
        assert sorted(runs) == sorted(port.id for port in ports)
        # One that had another number meanwhile is found, and the store hears of it.
        again = ports[0]

        async def replug() -> None:
            await cloud.unplug("h1", again)
            await cloud.plug("h1", again)

        runs.clear()
        await cloud.restart_control(meanwhile=replug())
        await cloud.until(lambda: cloud.port(again.id).ofport not in (0, numbers[again.id]), "the new number is kept")
        where = cloud.control.view.row(LOCATION, again.id)
        assert where is not None and where.ofport == cloud.port(again.id).ofport
        assert sorted(runs) == sorted([again.id, *(port.id for port in ports)])


async def test_switches_are_answered_while_control_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open vSwitch tries again a second after it has lost its controller, and hangs up after one without an answer."""
    monkeypatch.setattr("controller.control.PART", 1)
    slow = 0.0

    def takes_its_time(view: View, id: str) -> Iterator[Wanted]:
        time.sleep(slow)
        return iter(())

    async with Cloud(tmp_path, [*APPS, App(name="slow", number=251, units={LOCATION: [takes_its_time]})]) as cloud:
        await cloud.join("h1")
        _, subnet = await cloud.network()
        for number in range(5, 25):
            port = await cloud.new_port(subnet, number)
            await cloud.plug("h1", port)
            await cloud.status(port, "ACTIVE", "h1")
        slow = 0.15
        await cloud.restart_control()
        assert len(cloud.control.switches._unclaimed) == 2, "both bridges have shaken hands"
        await cloud.adopted(2)
        assert sum(bridge.written for bridge in cloud.control.switches.bridges.values()) == 0


async def test_a_refused_flow_shows_at_its_port_only(cloud: Cloud) -> None:
    await cloud.join("h1")
    _, subnet = await cloud.network()
    refused, good = await cloud.new_port(subnet, 5, "refused"), await cloud.new_port(subnet, 6)
    await cloud.plug("h1", refused)
    await cloud.plug("h1", good)
    await cloud.status(good, "ACTIVE", "h1")
    assert "OFPBAC_MATCH_INCONSISTENT" in (await cloud.status(refused, "ERROR", "h1")).fault
    # It is renamed: no such flow any more, no error.
    row = cloud.port(refused.id)
    await cloud.store.commit(Update(row, _with(row, name="fine")))
    assert (await cloud.status(refused, "ACTIVE", "h1")).fault == ""
    row = cloud.port(refused.id)
    await cloud.store.commit(Update(row, _with(row, name="refused")))
    assert (await cloud.status(refused, "ERROR", "h1")).fault


async def test_a_refused_flow_shows_at_its_router(cloud: Cloud) -> None:
    await cloud.join("h1")
    _, subnet = await cloud.network()
    port = await cloud.new_port(subnet, 5)
    await cloud.plug("h1", port)
    id = str(uuid4())
    address = FixedIP(id=str(uuid4()), subnet_id=subnet.id, ip_address="10.0.0.1")
    interface = Port(
        id=str(uuid4()), network_id=subnet.network_id, mac_address="fa:16:3e:00:00:01", fixed_ips=(address,),
        device_owner=INTERFACE, device_id=id,
    )  # fmt: skip
    router = Router(id=id, number=1, name="refused", interfaces=(interface.id,))
    await cloud.store.commit(Insert(interface), Insert(router))

    def now() -> Router:
        return cloud.store.rows(Router)[id]

    await cloud.until(lambda: "OFPBAC_MATCH_INCONSISTENT" in now().fault and now().status == "ERROR", "it is an error")
    await cloud.store.commit(Update(now(), _with(now(), name="fine")))
    await cloud.until(lambda: (now().fault, now().status) == ("", "ACTIVE"), "it is mended")
    await cloud.store.commit(Update(now(), _with(now(), name="refused")))
    await cloud.until(lambda: now().status == "ERROR", "it is an error again")


async def test_a_unit_that_raises_shows_at_its_port_only(cloud: Cloud) -> None:
    await cloud.join("h1")
    _, subnet = await cloud.network()
    raises, good = await cloud.new_port(subnet, 5, "raises"), await cloud.new_port(subnet, 6)
    await cloud.plug("h1", raises)
    await cloud.plug("h1", good)
    await cloud.status(good, "ACTIVE", "h1")
    assert (await cloud.status(raises, "ERROR", "h1")).fault == "mischief: on purpose"
    row = cloud.port(raises.id)
    await cloud.store.commit(Update(row, _with(row, name="fine")))
    assert (await cloud.status(raises, "ACTIVE", "h1")).fault == ""


async def test_a_host_that_vanishes(cloud: Cloud) -> None:
    switch = await cloud.join("h1", "172.31.0.1")
    await cloud.join("h2", "172.31.0.2")
    _, subnet = await cloud.network()
    near, far = await cloud.new_port(subnet, 5), await cloud.new_port(subnet, 6)
    await cloud.plug("h1", near)
    await cloud.plug("h2", far)
    await cloud.status(near, "ACTIVE", "h1")
    await cloud.status(far, "ACTIVE", "h2")
    known = await cloud.flows("h2", "br-tun")
    vswitchd, database = switch._processes[1], switch._processes[0]
    os.kill(vswitchd.pid, signal.SIGKILL)
    os.kill(database.pid, signal.SIGKILL)
    await cloud.until(lambda: not cloud.host("h1").alive, "h1 is known to be away")
    assert await cloud.flows("h2", "br-tun") == known, "its peers keep what they know of it"
    assert cloud.port(near.id).host_id == "h1"
    # The others go on.
    late = await cloud.new_port(subnet, 7)
    await cloud.plug("h2", late)
    await cloud.status(late, "ACTIVE", "h2")


async def test_a_removed_host_is_forgotten(cloud: Cloud) -> None:
    switch = await cloud.join("h1", "172.31.0.1")
    await cloud.join("h2", "172.31.0.2")
    _, subnet = await cloud.network()
    near, far = await cloud.new_port(subnet, 5), await cloud.new_port(subnet, 6)
    for host, port in (("h1", near), ("h2", far)):
        await cloud.plug(host, port)
        await cloud.status(port, "ACTIVE", host)
    await asyncio.to_thread(switch.stop)
    await cloud.until(lambda: not cloud.host("h1").alive, "h1 is known to be away")
    row = next(row for row in cloud.store.rows(Host).values() if row.name == "h1")
    await cloud.store.commit(Delete(row))
    await cloud.status(near, "DOWN")
    assert not any(near.mac_address in flow for flow in await cloud.flows("h2", "br-tun"))


async def test_a_killed_database_costs_nothing(cloud: Cloud) -> None:
    await cloud.join("h1")
    _, subnet = await cloud.network()
    assert cloud.database.pid is not None
    os.kill(cloud.database.pid, signal.SIGKILL)
    port = await cloud.new_port(subnet, 5)
    await cloud.plug("h1", port)
    await cloud.status(port, "ACTIVE", "h1")


async def test_a_port_on_two_hosts_belongs_to_the_newer(cloud: Cloud) -> None:
    await cloud.join("h1", "172.31.0.1")
    await cloud.join("h2", "172.31.0.2")
    _, subnet = await cloud.network()
    port = await cloud.new_port(subnet, 5)
    await cloud.plug("h1", port)
    await cloud.status(port, "ACTIVE", "h1")
    await cloud.plug("h2", port)
    await cloud.status(port, "ACTIVE", "h2")
    assert not any(port.mac_address in flow for flow in await cloud.flows("h1"))
    await cloud.unplug("h2", port)
    await cloud.status(port, "ACTIVE", "h1")


async def test_strangers_are_refused(cloud: Cloud) -> None:
    """A bridge whose host has not joined, by a direct connection, gets nothing."""
    switch = await cloud.join("h1")
    await asyncio.to_thread(switch.add_bridge, "stray", 0xABCD)
    await cloud.vsctl("h1", "set-controller", "stray", f"tcp:127.0.0.1:{cloud.control.ports[0]}")
    async with asyncio.timeout(20):
        while 0xABCD not in cloud.control.switches._unclaimed:
            await asyncio.sleep(0.02)  # the listener tells nobody but control
    cloud.control.switches._refuse(cloud.control.switches._unclaimed[0xABCD])
    assert 0xABCD not in cloud.control.switches._unclaimed
    assert await cloud.flows("h1", "stray") == []


async def test_a_packet_that_cannot_be_answered_costs_no_other(cloud: Cloud, tmp_path: Path) -> None:
    """And DHCP by real packets: a request goes in by one port of a real switch, the offer comes out of it."""
    await cloud.join("h1")
    _, subnet = await cloud.network()
    trouble, asks = await cloud.new_port(subnet, 5, "punts"), await cloud.new_port(subnet, 6)
    for port in (trouble, asks):
        await cloud.plug("h1", port)
        await cloud.status(port, "ACTIVE", "h1")
    tap = f"tap{asks.id[:11]}"
    await cloud.vsctl("h1", "set", "Interface", tap, f"options:tx_pcap={tmp_path}/tx.pcap")
    request = dhcp_discover(asks.mac_address)
    head = Ether(request)
    cut = bytes(Ether(src=head.src, dst=head.dst) / IP(src="0.0.0.0") / UDP(sport=68, dport=67) / request[42:100])
    punts = cloud.control.metrics.punts
    for name, frame in ((f"tap{trouble.id[:11]}", request), (tap, cut), (tap, request)):
        await asyncio.to_thread(cloud.switches["h1"].appctl, "netdev-dummy/receive", name, frame.hex())
    async with asyncio.timeout(20):
        while punts.labels("mischief", "failed")._value.get() < 1 or punts.labels("dhcp", "done")._value.get() < 2:
            await asyncio.sleep(0.01)  # counters tell nobody
        while (tmp_path / "tx.pcap").stat().st_size < 24 + 16 + 300:  # the file's head, the packet's, BOOTP
            await asyncio.sleep(0.01)  # nor does a file
    (offer,) = PcapReader(str(tmp_path / "tx.pcap"))
    assert (offer.dst, offer[BOOTP].yiaddr) == (asks.mac_address, "10.0.0.6")


def dhcp_discover(mac: str) -> bytes:
    head = Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
    return bytes(head / BOOTP(chaddr=bytes.fromhex(mac.replace(":", ""))) / DHCP(options=[("message-type", 1), "end"]))


async def test_a_set_of_rules_too_large_for_a_switch(cloud: Cloud) -> None:
    """It shows at the ports that have it; what they had before stays; other ports go on."""
    await cloud.join("h1")
    _, subnet = await cloud.network()
    groups = [SecurityGroup(id=str(uuid4()), number=number) for number in range(1, 2102)]
    rules = [
        SecurityGroupRule(
            id=str(uuid4()), security_group_id=groups[0].id, direction="ingress", remote_group_id=group.id
        )
        for group in groups[1:]
    ]  # fmt: skip
    await cloud.store.commit(*map(Insert, groups), *map(Insert, rules[:3]))
    port = await cloud.new_port(subnet, 5, groups=(groups[0].id,))
    other = await cloud.new_port(subnet, 6, groups=(groups[1].id,))
    await cloud.plug("h1", port)
    await cloud.plug("h1", other)
    await cloud.status(port, "ACTIVE", "h1")
    await cloud.status(other, "ACTIVE", "h1")
    before = [flow for flow in await cloud.flows("h1") if "table=33" in flow or "table=34" in flow]
    assert len(before) > 4
    await cloud.store.commit(*map(Insert, rules[3:]))
    assert "exceed an OpenFlow message" in (await cloud.status(port, "ERROR", "h1")).fault
    assert cloud.port(other.id).status == "ACTIVE"
    assert [flow for flow in await cloud.flows("h1") if "table=33" in flow or "table=34" in flow] == before
    await cloud.store.commit(*map(Delete, rules[10:]))
    await cloud.status(port, "ACTIVE", "h1")
