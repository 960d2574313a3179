"""BFD ports: one to each peer that is to be watched."""

import pytest

from controller.southbound.host import HostSession
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
    session.set_peers({60001: "h2", 64999: "h3"})
    await has(host, "bfd-60001", "bfd-64999")
    for port in ("bfd-60001", "bfd-64999"):
        far = port.replace("bfd", "peer")
        for end, other, bridge in ((port, far, "br-int"), (far, port, "br-tun")):
            assert await options(host, end) == {"peer": other}
            assert await get(host, "Interface", end, "type") == "patch"
            assert await get(host, "Interface", end, "ofport") == port.removeprefix("bfd-")
            assert await vsctl(host, "port-to-br", end) == bridge
        assert await get(host, "Interface", port, "bfd") == BFD
        assert await get(host, "Interface", far, "bfd") == "{}"
    assert await get(host, "Interface", "bfd-64999", "external_ids") == "{tunbridge-peer=h3}"
    row = await get(host, "Interface", "bfd-60001", "_uuid")
    session.set_peers({60001: "h5", 60007: "h4"})
    await has(host, "bfd-60001", "bfd-60007")
    assert await get(host, "Interface", "bfd-60001", "external_ids") == "{tunbridge-peer=h5}"
    assert await get(host, "Interface", "bfd-60001", "_uuid") == row, "changed in place"
    session.set_peers({60001: "h2", 60007: "h4"})
    # What somebody else does to them.
    await vsctl(host, "--no-wait", "del-port", "bfd-60007", "--", "set", "Interface", "bfd-60001", "bfd:min_tx=7")
    await has(host, "bfd-60001", "bfd-60007")
    await vsctl(host, "set", "Interface", "bfd-60001", "bfd:cpath_down=true", "external_ids:tunbridge-peer=x")
    await eventually(lambda: host.vsctl("get", "Interface", "bfd-60001", "bfd").strip() == BFD, "its settings are back")
    assert await get(host, "Interface", "bfd-60001", "external_ids") == "{tunbridge-peer=h2}"
    await vsctl(host, "--no-wait", "del-port", "peer-60001")
    await eventually(lambda: "peer-60001" in host.vsctl("list-ports", "br-tun"), "its far end is back")
    session.set_peers({})
    await has(host)
    assert "peer-" not in await vsctl(host, "list-ports", "br-tun")
    await control.quiet()
    facts = [new for _, _, new in control.told[told:] if new is not None]
    assert all(new.ready for new in facts), "none of it is vital"
    for wrong in (60000, 65000):
        with pytest.raises(ValueError, match=str(wrong)):
            session.set_peers({wrong: "h2"})


async def test_nothing_is_torn_down_before_the_peers_are_known(host: Vswitch, control: Control) -> None:
    session = await joined(host, control)
    session.set_peers({60001: "h2", 60002: "h3"})
    await has(host, "bfd-60001", "bfd-60002")
    # None of ours: other kinds, other names.
    await vsctl(
        host, "add-port", "br-int", "bfd-60003", "--", "set", "Interface", "bfd-60003", "type=dummy",
        "--", "add-port", "br-int", "bfd-60004", "--", "set", "Interface", "bfd-60004", "type=vxlan",
        "options:remote_ip=10.0.0.4", "--", "add-port", "br-int", "my-bfd-1", "--", "set", "Interface", "my-bfd-1",
        "type=patch", "options:peer=my-peer-1",
    )  # fmt: skip
    # Patches of such names: one that leads elsewhere, and a pair of a number that is no peer's.
    for port, peer, bridge in (
        ("bfd-60005", "elsewhere", "br-int"),
        ("peer-60005", "elsewhere", "br-tun"),
        ("bfd-7", "peer-7", "br-int"),
        ("peer-7", "bfd-7", "br-tun"),
    ):
        await vsctl(host, "--no-wait", "add-port", bridge, port, "--", "set", "Interface", port, "type=patch",
                    f"options:peer={peer}")  # fmt: skip
    others = ("bfd-60003", "bfd-60004", "my-bfd-1", "bfd-60005", "bfd-7")
    session.end("for this test")
    await control.until(lambda: "h1" not in control.facts)
    await control.ready("h1")
    # The new session sets other things right meanwhile.
    await vsctl(host, "del-port", "patch-tun")
    await control.quiet()
    await control.ready("h1")
    assert await bfd_ports(host) == {"bfd-60001", "bfd-60002", *others}
    control.hosts.sessions["h1"].set_peers({60002: "h3"})
    await has(host, "bfd-60002", *others)
    far = {port for port in (await vsctl(host, "list-ports", "br-tun")).split() if port.startswith("peer-")}
    assert far == {"peer-60002", "peer-60005", "peer-7"}


async def test_a_bfd_port_that_cannot_be_had_is_a_problem_of_a_ready_host(host: Vswitch, control: Control) -> None:
    session = await joined(host, control)
    await vsctl(host, "add-port", "br-ex", "bfd-60001", "--", "set", "Interface", "bfd-60001", "type=dummy")
    await vsctl(host, "add-port", "br-int", "squatter", "--", "set", "Interface", "squatter", "type=dummy",
                "ofport_request=60003")  # fmt: skip
    session.set_peers({60001: "h2"})
    await control.until(lambda: "bfd-60001 on br-ex has the name" in control.facts["h1"].problem)
    assert control.facts["h1"].ready
    session.set_peers({60002: "h2", 60003: "h3"})
    await control.until(lambda: "not 60003" in control.facts["h1"].problem)
    assert control.facts["h1"].ready
    await vsctl(host, "del-port", "squatter")
    await control.until(lambda: control.facts["h1"].problem == "")
    assert await vsctl(host, "port-to-br", "bfd-60001") == "br-ex"


async def test_many_changes_of_peers_are_no_fight(host: Vswitch, control: Control) -> None:
    session = await joined(host, control)
    for number in range(60001, 60031):
        session.set_peers({number: "h2"})
        await has(host, f"bfd-{number}")
    await vsctl(host, "del-port", "patch-tun")
    await control.quiet()
    assert control.facts["h1"].ready
    assert control.facts["h1"].problem == ""


async def test_live_peers(host: Vswitch, control: Control) -> None:
    """The switch's words are ours here, as its dummy ports reach nobody."""
    session = await joined(host, control)
    session.set_peers({60001: "h2", 60002: "h3"})
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
