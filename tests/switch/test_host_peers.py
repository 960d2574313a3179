"""BFD ports: one to each peer that is to be watched."""

import pytest

from controller.southbound.host import HostSession
from controller.southbound.own import BFD_KEY
from tests.switch.listeners import Control, eventually, get, join, vsctl
from tests.switch.vswitch import Vswitch

BFD = "{enable=true, min_rx=100, min_tx=100}".replace("100", '"100"').replace("=true", '="true"')


async def joined(host: Vswitch, control: Control) -> HostSession:
    await join(host, control)
    await control.ready("h1")
    return control.hosts.sessions["h1"]


async def bfd_ports(host: Vswitch) -> set[str]:
    return {port for port in (await vsctl(host, "list-ports", "br-int")).split() if not port.startswith("patch-")}


async def has(host: Vswitch, *ports: str) -> None:
    await eventually(
        lambda: {p for p in host.vsctl("list-ports", "br-int").split() if not p.startswith("patch-")} == set(ports),
        f"just {ports}",
    )


async def options(host: Vswitch, port: str) -> dict[str, str]:
    text = await get(host, "Interface", port, "options")
    return {key: value.strip('"') for key, _, value in (pair.partition("=") for pair in text.strip("{}").split(", "))}


async def test_peers_come_change_and_go(host: Vswitch, control: Control) -> None:
    session = await joined(host, control)
    told = len(control.told)
    session.set_peers({60001: ("h2", "10.0.0.2"), 64999: ("h3", "fd00::3")})
    await has(host, "bfd-60001", "bfd-64999")
    for port, address in (("bfd-60001", "10.0.0.2"), ("bfd-64999", "fd00::3")):
        assert await options(host, port) == {"remote_ip": address, "local_ip": "127.0.0.1", "key": BFD_KEY}
        assert await get(host, "Interface", port, "type") == "vxlan"
        assert await get(host, "Interface", port, "ofport") == port.removeprefix("bfd-")
        assert await get(host, "Interface", port, "bfd") == BFD
    assert await get(host, "Interface", "bfd-64999", "external_ids") == "{tunbridge-peer=h3}"
    row = await get(host, "Interface", "bfd-60001", "_uuid")
    session.set_peers({60001: ("h2", "10.0.0.22"), 60007: ("h4", "10.0.0.4")})
    await has(host, "bfd-60001", "bfd-60007")
    assert (await options(host, "bfd-60001"))["remote_ip"] == "10.0.0.22"
    assert await get(host, "Interface", "bfd-60001", "_uuid") == row, "changed in place"
    # What somebody else does to them.
    await vsctl(host, "--no-wait", "del-port", "bfd-60007", "--", "set", "Interface", "bfd-60001", "bfd:min_tx=7")
    await has(host, "bfd-60001", "bfd-60007")
    await vsctl(host, "set", "Interface", "bfd-60001", "bfd:cpath_down=true", "external_ids:tunbridge-peer=x")
    await eventually(lambda: host.vsctl("get", "Interface", "bfd-60001", "bfd").strip() == BFD, "its settings are back")
    assert await get(host, "Interface", "bfd-60001", "external_ids") == "{tunbridge-peer=h2}"
    await vsctl(host, "set", "Open_vSwitch", ".", "external_ids:ovn-encap-ip=10.9.9.9")
    await eventually(lambda: "10.9.9.9" in host.vsctl("get", "Interface", "bfd-60001", "options"), "another local_ip")
    session.set_peers({})
    await has(host)
    await control.quiet()
    facts = [new for _, _, new in control.told[told:] if new is not None]
    assert [new.tunnel_ip for new in facts if not new.ready] == ["10.9.9.9"], "only the tunnel's address was vital"
    for wrong in (60000, 65000):
        with pytest.raises(ValueError, match=str(wrong)):
            session.set_peers({wrong: ("h2", "10.0.0.2")})


async def test_nothing_is_torn_down_before_the_peers_are_known(host: Vswitch, control: Control) -> None:
    session = await joined(host, control)
    session.set_peers({60001: ("h2", "10.0.0.2"), 60002: ("h3", "10.0.0.3")})
    await has(host, "bfd-60001", "bfd-60002")
    # None of ours: other kinds, other names.
    await vsctl(
        host, "add-port", "br-int", "bfd-60003", "--", "set", "Interface", "bfd-60003", "type=dummy",
        "--", "add-port", "br-int", "bfd-60004", "--", "set", "Interface", "bfd-60004", "type=vxlan",
        "options:remote_ip=10.0.0.4", "--", "add-port", "br-int", "my-bfd-1", "--", "set", "Interface", "my-bfd-1",
        "type=vxlan", "options:remote_ip=10.0.0.5", f"options:key={BFD_KEY}",
    )  # fmt: skip
    others = ("bfd-60003", "bfd-60004", "my-bfd-1")
    session.end("for this test")
    await control.until(lambda: "h1" not in control.facts)
    await control.ready("h1")
    # The new session sets other things right meanwhile.
    await vsctl(host, "del-port", "patch-tun")
    await control.quiet()
    await control.ready("h1")
    assert await bfd_ports(host) == {"bfd-60001", "bfd-60002", *others}
    control.hosts.sessions["h1"].set_peers({60002: ("h3", "10.0.0.3")})
    await has(host, "bfd-60002", *others)


async def test_a_bfd_port_that_cannot_be_had_is_a_problem_of_a_ready_host(host: Vswitch, control: Control) -> None:
    session = await joined(host, control)
    await vsctl(host, "add-port", "br-ex", "bfd-60001", "--", "set", "Interface", "bfd-60001", "type=dummy")
    await vsctl(host, "add-port", "br-int", "squatter", "--", "set", "Interface", "squatter", "type=dummy",
                "ofport_request=60003")  # fmt: skip
    session.set_peers({60001: ("h2", "10.0.0.2")})
    await control.until(lambda: "bfd-60001 on br-ex has the name" in control.facts["h1"].problem)
    assert control.facts["h1"].ready
    session.set_peers({60002: ("h2", "10.0.0.2"), 60003: ("h3", "10.0.0.3")})
    await control.until(lambda: "not 60003" in control.facts["h1"].problem)
    assert control.facts["h1"].ready
    await vsctl(host, "del-port", "squatter")
    await control.until(lambda: control.facts["h1"].problem == "")
    assert await vsctl(host, "port-to-br", "bfd-60001") == "br-ex"


async def test_many_changes_of_peers_are_no_fight(host: Vswitch, control: Control) -> None:
    session = await joined(host, control)
    for number in range(60001, 60031):
        session.set_peers({number: ("h2", "10.0.0.2")})
        await has(host, f"bfd-{number}")
    await vsctl(host, "del-port", "patch-tun")
    await control.quiet()
    assert control.facts["h1"].ready
    assert control.facts["h1"].problem == ""


async def test_live_peers(host: Vswitch, control: Control) -> None:
    """The switch's words are ours here, as its dummy ports reach nobody."""
    session = await joined(host, control)
    session.set_peers({60001: ("h2", "10.0.0.2"), 60002: ("h3", "10.0.0.3")})
    await has(host, "bfd-60001", "bfd-60002")
    await control.quiet()
    assert control.facts["h1"].live == frozenset()

    async def status(port: str, *words: str) -> None:
        await vsctl(host, "--no-wait", "set", "Interface", port, *(f"bfd_status:{word}" for word in words))

    with host.paused():
        await status("bfd-60001", "forwarding=true", "state=up")
        await control.until(lambda: control.facts["h1"].live == {"h2"})
        told, live = len(control.told), control.facts["h1"].live
        await status("bfd-60001", "flap_count=3", 'diagnostic="No Diagnostic"')
        await status("bfd-60002", "forwarding=false", "state=down", "remote_state=init")
        await status("patch-ex", "forwarding=true")
        await control.quiet()
        assert len(control.told) == told
        assert control.facts["h1"].live is live
        await status("bfd-60002", "forwarding=true")
        await control.until(lambda: control.facts["h1"].live == {"h2", "h3"})
        await status("bfd-60001", "forwarding=false")
        await control.until(lambda: control.facts["h1"].live == {"h3"})
        assert len(control.told) == told + 2
