"""Hosts' OVSDB sessions: a real ovsdb-server and vswitchd that dial in."""

import asyncio
import time

import pytest

from controller.ovsdb.connection import connect
from controller.southbound.kept import PEERS, TAGS, ZONES
from flows.tables import PATCH_EX, PATCH_INT, PATCH_TUN, VXLAN
from tests.switch.listeners import LIMIT, Control, eventually, get, join, spoilt, vsctl
from tests.switch.vswitch import Vswitch


# ---- bridges
async def test_an_empty_host_gets_its_bridges_and_both_channels(host: Vswitch, control: Control) -> None:
    started = time.monotonic()
    await join(host, control)
    facts = await control.ready("h1")
    await control.until(lambda: set(facts.bridges.values()) <= control.channels.keys())
    print(f"joined in {time.monotonic() - started:.2f} s")
    assert facts.hostname == "one.example"
    assert facts.tunnel_ip == "127.0.0.1"
    assert facts.bridge_mappings == (("external", "br-ex"),)
    assert set(facts.bridges) == {"br-int", "br-tun"}
    assert (facts.interfaces, facts.tags, facts.problem) == ({}, {}, "")
    for name, ofport in {
        "patch-tun": PATCH_TUN,
        "patch-ex": PATCH_EX,
        "patch-int": PATCH_INT,
        "vxlan": VXLAN,
    }.items():
        assert await get(host, "Interface", name, "ofport") == str(ofport)
    assert await get(host, "Interface", "vxlan", "options") == '{key=flow, local_ip="127.0.0.1", remote_ip=flow}'
    for bridge in ("br-int", "br-tun"):
        assert await vsctl(host, "get-fail-mode", bridge) == "secure"
        assert await vsctl(host, "get-controller", bridge) == f"tcp:127.0.0.1:{control.openflow.port}"
        assert await get(host, "Bridge", bridge, "protocols") == "[OpenFlow15]"
    assert await vsctl(host, "get-fail-mode", "br-ex") == "standalone"
    assert await vsctl(host, "get-controller", "br-ex") == ""
    assert await vsctl(host, "list-ports", "br-ex") == "patch-int-ex"
    assert len(control.hosts.sessions) == 1


async def test_what_is_taken_away_comes_back(host: Vswitch, control: Control) -> None:
    await join(host, control)
    facts = await control.ready("h1")
    for spoil in (
        ("del-port", "patch-tun"),
        ("del-port", "vxlan"),
        ("del-fail-mode", "br-int"),
        ("del-controller", "br-tun"),
        ("set-controller", "br-int", "tcp:127.0.0.1:1", "tcp:127.0.0.1:2"),
        ("set", "Interface", "patch-ex", "options:peer=elsewhere"),
        ("set", "Bridge", "br-int", "protocols=OpenFlow13", "other_config:disable-in-band=false"),
    ):
        assert (await spoilt(host, control, *spoil)).bridges == facts.bridges, spoil
    assert await get(host, "Interface", "patch-tun", "ofport") == str(PATCH_TUN)
    assert await get(host, "Bridge", "br-int", "protocols") == "[OpenFlow13, OpenFlow15]"
    assert await vsctl(host, "get-controller", "br-int") == f"tcp:127.0.0.1:{control.openflow.port}"


async def test_a_deleted_bridge_comes_back(host: Vswitch, control: Control) -> None:
    await join(host, control)
    first = await control.ready("h1")
    second = await spoilt(host, control, "del-br", "br-int")
    assert second.bridges.keys() == first.bridges.keys()
    assert second.bridges["br-tun"] == first.bridges["br-tun"]


async def test_bridges_that_are_there_keep_what_they_have(host: Vswitch, control: Control) -> None:
    await asyncio.to_thread(host.add_bridge, "br-int", 0x77, fail_mode="standalone", protocols="OpenFlow10")
    await asyncio.to_thread(host.add_port, "br-int", "vm1", 5, **{"external_ids:iface-id": "port-1"})
    await asyncio.to_thread(host.add_bridge, "br-ex", 0x78, fail_mode="standalone", protocols="OpenFlow13")
    await asyncio.to_thread(host.add_port, "br-ex", "nic", 1)
    await vsctl(host, "set-controller", "br-ex", "tcp:127.0.0.1:9")
    # A patch port of a predecessor, with another number, and a port of that number which has not asked for it.
    await vsctl(
        host, "add-port", "br-int", "patch-tun", "--", "set", "Interface", "patch-tun", "type=patch", "options:peer=x"
    )
    await join(host, control)
    facts = await control.ready("h1")
    assert facts.bridges["br-int"] == 0x77
    assert facts.interfaces == {"port-1": 5}
    assert await get(host, "Interface", "patch-tun", "ofport") == str(PATCH_TUN)
    assert set((await vsctl(host, "list-ports", "br-int")).split()) == {"vm1", "patch-tun", "patch-ex"}
    assert set((await vsctl(host, "list-ports", "br-ex")).split()) == {"nic", "patch-int-ex"}
    assert await vsctl(host, "get-controller", "br-ex") == "tcp:127.0.0.1:9"
    assert await get(host, "Bridge", "br-ex", "protocols") == "[OpenFlow13]"
    assert await get(host, "Bridge", "br-tun", "datapath_type") == "dummy", "patch ports need one kind of data path"


async def test_a_taken_number_is_a_problem_until_it_is_free(host: Vswitch, control: Control) -> None:
    await asyncio.to_thread(host.add_bridge, "br-tun", 0x79)
    await asyncio.to_thread(host.add_port, "br-tun", "squatter", VXLAN)
    await join(host, control)
    await control.until(lambda: "h1" in control.facts and f"not {VXLAN}" in control.facts["h1"].problem)
    assert not control.facts["h1"].ready
    await vsctl(host, "del-port", "squatter")
    await control.ready("h1")


async def test_a_name_that_is_taken_elsewhere_is_a_problem(host: Vswitch, control: Control) -> None:
    await asyncio.to_thread(host.add_bridge, "br-phys", 0x80)
    await asyncio.to_thread(host.add_port, "br-phys", "vxlan", 3)
    await join(host, control)
    await control.until(lambda: "h1" in control.facts and "rename it" in control.facts["h1"].problem)
    assert await vsctl(host, "list-ports", "br-phys") == "vxlan"
    await vsctl(host, "del-port", "vxlan")
    await control.ready("h1")
    assert await vsctl(host, "port-to-br", "vxlan") == "br-tun"


async def test_somebody_who_fights_back_is_left_alone_for_a_while(
    host: Vswitch, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.southbound.host.MINUTE", 4.0)
    monkeypatch.setattr("controller.southbound.host.REPAIRS_A_MINUTE", 4)
    await join(host, control)
    await control.ready("h1")
    fighter = await connect(host.database)
    while "keeps changing" not in control.facts["h1"].problem:
        await vsctl(host, "del-fail-mode", "br-tun")
    fighter.close()
    await control.ready("h1")
    assert await vsctl(host, "get-fail-mode", "br-tun") == "secure"


# ---- facts
async def test_what_a_host_says_of_itself(host: Vswitch, control: Control) -> None:
    await vsctl(
        host, "set", "Open_vSwitch", ".", "ovs_version=3.1.0",
        "external_ids:ovn-encap-ip=10.1.2.3", "external_ids:ovn-bridge-mappings=physnet1:br-phys",
        "external_ids:ovn-bridge-datapath-type=netdev",
    )  # fmt: skip
    await join(host, control)
    facts = await control.ready("h1")
    assert (facts.tunnel_ip, facts.version, facts.bridge_mappings) == ("10.1.2.3", "3.1.0", (("physnet1", "br-phys"),))
    assert await vsctl(host, "list-ports", "br-phys") == "patch-int-ex"
    assert await get(host, "Bridge", "br-tun", "datapath_type") == "netdev"

    await vsctl(host, "set", "Open_vSwitch", ".", "external_ids:ovn-encap-ip=10.1.2.4")
    await control.until(lambda: control.facts["h1"].tunnel_ip == "10.1.2.4" and control.facts["h1"].ready)
    assert '"10.1.2.4"' in await get(host, "Interface", "vxlan", "options")

    await vsctl(host, "remove", "Open_vSwitch", ".", "external_ids", "ovn-bridge-mappings")
    await control.until(lambda: control.facts["h1"].bridge_mappings == (("external", "br-ex"),))
    await control.ready("h1")
    assert await vsctl(host, "port-to-br", "patch-int-ex") == "br-ex"

    await vsctl(host, "set", "Open_vSwitch", ".", "external_ids:ovn-encap-ip=nonsense")
    await control.until(lambda: "ovn-encap-ip 'nonsense' is no IP address" in control.facts["h1"].problem)
    assert (await control.ready("h1")).tunnel_ip == "127.0.0.1"


async def test_interfaces_come_renumber_and_go(host: Vswitch, control: Control) -> None:
    await join(host, control)
    await control.ready("h1")
    # Named before it is there, as a hypervisor does it; the switch gives the number later.
    await vsctl(host, "--no-wait", "add-port", "br-int", "vm1", "--", "set", "Interface", "vm1", "type=dummy",
                "external_ids:iface-id=port-1", "ofport_request=9")  # fmt: skip
    await control.until(lambda: control.facts["h1"].interfaces == {"port-1": 9})
    assert all(port > 0 for _, _, new in control.told if new for port in new.interfaces.values())
    await vsctl(host, "set", "Interface", "vm1", "ofport_request=10")
    await control.until(lambda: control.facts["h1"].interfaces == {"port-1": 10})
    await vsctl(host, "set", "Interface", "vm1", "external_ids:iface-id=port-2")
    await control.until(lambda: control.facts["h1"].interfaces == {"port-2": 10})
    # Another interface with the same iface-id: the lower number, whatever the order; on another bridge: nothing.
    await vsctl(host, "add-port", "br-int", "vm2", "--", "set", "Interface", "vm2", "type=dummy",
                "external_ids:iface-id=port-2", "ofport_request=8")  # fmt: skip
    await control.until(lambda: control.facts["h1"].interfaces == {"port-2": 8})
    await vsctl(host, "add-port", "br-ex", "vm3", "--", "set", "Interface", "vm3", "type=dummy",
                "external_ids:iface-id=port-3")  # fmt: skip
    await vsctl(host, "del-port", "vm2", "--", "set", "Interface", "vm1", "external_ids:iface-id=port-1")
    await control.until(lambda: control.facts["h1"].interfaces == {"port-1": 10})
    await vsctl(host, "del-port", "vm1")
    await control.until(lambda: control.facts["h1"].interfaces == {})
    await vsctl(host, "del-port", "vm3")


async def test_an_interface_that_does_not_exist_yet_has_no_port(host: Vswitch, control: Control) -> None:
    await join(host, control)
    await control.ready("h1")
    # A name too long for a network device, so that the switch answers with ofport -1.
    await vsctl(host, "--no-wait", "add-port", "br-int", "vm1", "--", "set", "Interface", "vm1", "type=no-such-type",
                "external_ids:iface-id=port-1")  # fmt: skip
    limit = time.monotonic() + LIMIT
    while await get(host, "Interface", "vm1", "ofport") != "-1":
        assert time.monotonic() < limit
    assert control.facts["h1"].interfaces == {}
    await vsctl(host, "set", "Interface", "vm1", "type=dummy")
    await control.until(lambda: "port-1" in control.facts["h1"].interfaces)


async def test_numbers_are_kept_by_the_host(host: Vswitch, control: Control) -> None:
    await vsctl(host, "add-br", "br-int", "--", "br-set-external-id", "br-int", "mine", "stays")
    await join(host, control)
    await control.ready("h1")
    session = control.hosts.sessions["h1"]
    await session.keep(TAGS, {7: "net-a", 4094: "net-b"})
    assert control.facts["h1"].tags == {7: "net-a", 4094: "net-b"}
    tags = control.facts["h1"].tags
    await session.keep(ZONES, {4096: "router a", 65535: "10.0.0.1"})
    await session.keep(PEERS, {60001: "h2"})
    facts = control.facts["h1"]
    assert (facts.zones, facts.peers) == ({4096: "router a", 65535: "10.0.0.1"}, {60001: "h2"})
    assert facts.tags is tags, "what has not changed is the same object"
    await session.keep(TAGS, {7: "net-c", 4094: None, 5: None})
    await session.keep(ZONES, {65535: None})
    assert control.facts["h1"].tags == {7: "net-c"}
    await session.keep(TAGS, {})
    for kind, wrong in (
        (TAGS, 0), (TAGS, 4095), (ZONES, 4095), (ZONES, 65536), (PEERS, 60000), (PEERS, 65000),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=str(wrong)):
            await session.keep(kind, {wrong: "x"})
    kept = "{mine=stays, tunbridge-peer-60001=h2, tunbridge-tag-7=net-c, tunbridge-zone-4096="
    assert await get(host, "Bridge", "br-int", "external_ids") == kept + '"router a"}'
    # What others have written there, but no controller would: it counts for nothing.
    for nonsense in ("tag-0", "tag-x", "tag-", "zone-7", "peer-9"):
        await vsctl(host, "br-set-external-id", "br-int", f"tunbridge-{nonsense}", "x")

    session.end("for this test")
    await control.until(lambda: "h1" not in control.facts)
    facts = await control.ready("h1")  # it dials in again
    assert (facts.tags, facts.zones, facts.peers) == ({7: "net-c"}, {4096: "router a"}, {60001: "h2"})

    told = len(control.told)
    await vsctl(host, "del-br", "br-int")
    await control.until(lambda: any(new and new.ready for _, _, new in control.told[told:]))
    facts = control.facts["h1"]
    assert (facts.tags, facts.zones, facts.peers) == ({}, {}, {})


async def test_a_nameless_host_is_given_a_name(host: Vswitch, control: Control) -> None:
    await vsctl(host, "clear", "Open_vSwitch", ".", "external_ids")
    await join(host, control)
    await control.until(lambda: bool(control.facts))
    (name,) = control.facts
    await control.ready(name)
    assert await get(host, "Open_vSwitch", ".", "external_ids:system-id") == name
    await vsctl(host, "remove", "Open_vSwitch", ".", "external_ids", "system-id")
    await eventually(
        lambda: f'system-id="{name}"' in host.vsctl("get", "Open_vSwitch", ".", "external_ids"), "the same name again"
    )


async def test_a_host_that_changes_its_name_is_another_host(host: Vswitch, control: Control) -> None:
    await join(host, control)
    await control.ready("h1")
    await vsctl(host, "set", "Open_vSwitch", ".", "external_ids:system-id=h2")
    await control.ready("h2")
    assert set(control.facts) == {"h2"}


async def test_advertised_address(host: Vswitch) -> None:
    control = Control()
    await control.start(advertise="192.0.2.1")
    try:
        await join(host, control)
        await control.ready("h1")
        assert await vsctl(host, "get-controller", "br-int") == f"tcp:192.0.2.1:{control.openflow.port}"
    finally:
        await control.close()


async def test_a_restart_of_the_controller_finds_all_as_it_was(host: Vswitch) -> None:
    first = Control()
    await first.start()
    await join(host, first)
    before = await first.ready("h1")
    await first.close()
    second = Control()
    await second.start()
    try:
        await join(host, second)
        after = await second.ready("h1")
        assert after.bridges == before.bridges
    finally:
        await second.close()


# ---- sessions that end
async def test_a_handler_that_raises_costs_only_its_session(host: Vswitch, control: Control) -> None:
    control.fail = RuntimeError("on purpose")
    await join(host, control)
    await control.ready("h1")  # by the next session
    assert len(control.hosts.sessions) == 1


async def test_a_host_that_leaves_is_told(host: Vswitch, control: Control) -> None:
    await join(host, control)
    facts = await control.ready("h1")
    session = control.hosts.sessions["h1"]
    await vsctl(host, "del-manager")
    await control.until(lambda: "h1" not in control.facts)
    assert control.told[-1] == (session, facts, None)
    assert not control.hosts.sessions
    assert session.closed.done()
