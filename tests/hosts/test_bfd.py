"""BFD between the switches of two hosts, whose sessions are held here: no other part of the controller runs."""

import asyncio
import os
import time
from collections.abc import AsyncIterator

import pytest

from tests.hosts.host import Host
from tests.hosts.lab import Lab
from tests.hosts.namespace import ip, settings
from tests.switch.listeners import Control

V6 = ("fd00:31::1", "fd00:31::2")


@pytest.fixture
async def meeting() -> AsyncIterator[tuple[Control, Host, Host]]:
    if os.geteuid() != 0:
        pytest.fail("network namespaces and switches need root", pytrace=False)
    with Lab() as lab:
        one, two = lab.add_host("h1"), lab.add_host("h2")
        control = Control(lab.address)
        await control.start()
        yield control, one, two
        await control.close()


def connect(host: Host, port: int, address: str) -> None:
    """As flows of br-tun connect a patch to another host."""
    v6 = "ipv6_" if ":" in address else ""
    host.wait_bridge("br-tun")
    for flow in (
        f"in_port={port},actions=set_field:{address}->tun_{v6}dst,set_field:0->tun_id,output:2",
        f"in_port=2,tun_id=0,tun_{v6}src={address},actions=output:{port}",
    ):
        host.ofctl("add-flow", "br-tun", flow)


@pytest.mark.parametrize("family", [4, 6])
async def test_a_peer_that_dies_is_told_at_once(meeting: tuple[Control, Host, Host], family: int) -> None:
    control, one, two = meeting
    addresses = (one.address, two.address)
    if family == 6:
        addresses = V6
        for host, address in zip((one, two), V6, strict=True):
            settings(host.namespace, {"ipv6/conf/all/disable_ipv6": "0", "ipv6/conf/br-phy/disable_ipv6": "0"})
            ip([f"addr replace {address}/64 dev br-phy nodad"], host.namespace)
            host.vsctl("set", "Open_vSwitch", ".", f'external_ids:ovn-encap-ip="{address}"')
    for host in (one, two):
        await asyncio.to_thread(host.join, f"{control.address}:{control.hosts.port}")
        await control.ready(host.name)
    assert (control.facts["h1"].tunnel_ip, control.facts["h2"].tunnel_ip) == addresses

    control.hosts.sessions["h1"].set_peers({60001: "h2"})
    control.hosts.sessions["h2"].set_peers({60007: "h1"})
    connect(one, 60001, addresses[1])
    await control.quiet(3.0)
    assert control.facts["h1"].live == control.facts["h2"].live == frozenset(), "one of them has no flows"
    began = time.monotonic()
    connect(two, 60007, addresses[0])
    await control.until(lambda: control.facts["h1"].live == {"h2"} and control.facts["h2"].live == {"h1"})
    print(f"both live after {time.monotonic() - began:.2f} s")
    told = len(control.told)
    await control.quiet(2.0)
    assert len(control.told) == told, "nothing is told while both live"

    began = time.monotonic()
    two.crash("ovs-vswitchd")
    await control.until(lambda: control.facts["h1"].live == frozenset())
    print(f"death told after {time.monotonic() - began:.2f} s")
    assert control.facts["h1"].ready
    assert len(control.told) == told + 1
    await asyncio.to_thread(two.start_switch)
    if family == 6:
        ip([f"addr replace {addresses[1]}/64 dev br-phy nodad"], two.namespace)
    await control.ready("h2")
    await control.quiet(3.0)
    assert control.facts["h1"].live == frozenset(), "it is there again, without flows"
    began = time.monotonic()
    connect(two, 60007, addresses[0])
    await control.until(lambda: control.facts["h1"].live == {"h2"} and control.facts["h2"].live == {"h1"})
    print(f"back after {time.monotonic() - began:.2f} s")
