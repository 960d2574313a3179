"""Hosts' OVSDB sessions: real ovsdb-server and vswitchd that dial in, and peers that are no hosts."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import orjson
import pytest

from controller.ovsdb.connection import connect
from controller.southbound.channel import Channel
from controller.southbound.facts import HostFacts
from controller.southbound.host import HostSession
from controller.southbound.hosts import HostListener
from controller.southbound.kept import TAGS
from controller.southbound.openflow import OpenFlowListener
from flows.tables import PATCH_EX, PATCH_INT, PATCH_TUN, VXLAN
from tests.switch.vswitch import Vswitch

LIMIT = 20.0
"""Seconds that any one thing may take."""
OURS = ("br-int", "br-tun", "br-ex", "br-phys")


class Control:
    """Both listeners, and what they have told."""

    def __init__(self) -> None:
        self.openflow = OpenFlowListener("127.0.0.1:0", on_channel=self._channel, on_packet_in=lambda _, __: None)
        self.channels: dict[int, Channel] = {}
        self.facts: dict[str, HostFacts] = {}
        self.told: list[tuple[HostSession, HostFacts | None, HostFacts | None]] = []
        self.fail: Exception | None = None
        self._news = asyncio.Event()

    async def start(self, advertise: str | None = None, probe: float = 5.0) -> None:
        await self.openflow.start()
        self.hosts = HostListener(
            "127.0.0.1:0",
            openflow_port=self.openflow.port,
            on_facts=self._facts,
            advertise=advertise,
            probe=probe,
        )
        await self.hosts.start()

    async def close(self) -> None:
        await self.hosts.close()
        await self.openflow.close()

    def _channel(self, channel: Channel) -> None:
        self.channels[channel.datapath_id] = channel
        self._news.set()

    def _facts(self, session: HostSession, old: HostFacts | None, new: HostFacts | None) -> None:
        if self.fail is not None:
            failure, self.fail = self.fail, None
            raise failure
        self.told.append((session, old, new))
        if new is not None:
            self.facts[new.name] = new
        elif old is not None:
            del self.facts[old.name]
        self._news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits until so much has been told that it is true."""
        async with asyncio.timeout(LIMIT):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def ready(self, name: str) -> HostFacts:
        try:
            await self.until(lambda: name in self.facts and self.facts[name].ready)
        except TimeoutError:
            raise AssertionError(f"not ready: {self.facts.get(name)}") from None
        return self.facts[name]


@pytest.fixture(scope="module")
def switch() -> Iterator[Vswitch]:
    with Vswitch() as running:
        yield running


@pytest.fixture
async def control() -> AsyncIterator[Control]:
    made = Control()
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def host(switch: Vswitch) -> AsyncIterator[Vswitch]:
    """A vswitchd that has joined nothing yet and has no bridge."""
    await vsctl(switch, "set", "Open_vSwitch", ".", "external_ids:system-id=h1", "external_ids:hostname=one.example")
    yield switch
    await vsctl(switch, "del-manager")
    for bridge in OURS:
        await vsctl(switch, "--if-exists", "del-br", bridge)
    await vsctl(switch, "clear", "Open_vSwitch", ".", "external_ids")


async def vsctl(switch: Vswitch, *arguments: str) -> str:
    return (await asyncio.to_thread(switch.vsctl, *arguments)).strip()


async def join(switch: Vswitch, control: Control) -> None:
    await vsctl(switch, "set-manager", f"tcp:127.0.0.1:{control.hosts.port}")


async def spoilt(switch: Vswitch, control: Control, *command: str) -> HostFacts:
    """Does harm by ovs-vsctl; gives the facts when it has been made good."""
    before = len(control.told)
    await vsctl(switch, *command)
    await control.until(lambda: any(new and not new.ready for _, _, new in control.told[before:]))
    return await control.ready("h1")


async def get(switch: Vswitch, table: str, row: str, column: str) -> str:
    return (await vsctl(switch, "get", table, row, column)).strip('"')


async def eventually(true: Callable[[], object], what: str) -> None:
    """For what a switch does and tells nobody."""
    limit = time.monotonic() + LIMIT
    while not await asyncio.to_thread(true):
        assert time.monotonic() < limit, f"never: {what}"
        await asyncio.sleep(0.05)


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


async def test_tags_are_kept_by_the_host(host: Vswitch, control: Control) -> None:
    await vsctl(host, "add-br", "br-int", "--", "br-set-external-id", "br-int", "mine", "stays")
    await join(host, control)
    await control.ready("h1")
    session = control.hosts.sessions["h1"]
    await session.keep(TAGS, {7: "net-a", 4094: "net-b"})
    assert control.facts["h1"].tags == {7: "net-a", 4094: "net-b"}
    await session.keep(TAGS, {7: "net-c", 4094: None, 5: None})
    assert control.facts["h1"].tags == {7: "net-c"}
    await session.keep(TAGS, {})
    with pytest.raises(ValueError, match="4095"):
        await session.keep(TAGS, {4095: "x"})
    assert await get(host, "Bridge", "br-int", "external_ids") == "{mine=stays, tunbridge-tag-7=net-c}"

    session.end("for this test")
    await control.until(lambda: "h1" not in control.facts)
    await control.ready("h1")  # it dials in again
    assert control.facts["h1"].tags == {7: "net-c"}


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


# ---- peers of our own making
class Fake:
    """A host made by hand: answers what a host's ovsdb-server is asked."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def dial(cls, control: Control, address: str = "127.0.0.1") -> AsyncIterator["Fake"]:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", control.hosts.port, local_addr=(address, 0), limit=1 << 20
        )
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()

    async def serve(self, schema: object, name: str) -> None:
        """Until the controller hangs up."""
        decoder, text = orjson, ""
        while data := await self._reader.read(65536):
            text += data.decode()
            for line in text.replace("}{", "}\n{").split("\n"):
                try:
                    request = decoder.loads(line)
                except ValueError:
                    break
                text = text[len(line) :].lstrip("\n")
                if "method" in request:
                    self.say(id=request["id"], result=self._answer(request, schema, name), error=None)

    def _answer(self, request: dict[str, object], schema: object, name: str) -> object:
        if request["method"] == "get_schema":
            return schema
        if request["method"] == "monitor_cond_since":
            row = {"external_ids": ["map", [["system-id", name]]]}
            return [False, "0", {"Open_vSwitch": {"c3d8a4e4-92b2-4a0b-8f0e-000000000001": {"initial": row}}}]
        return [{}] * 99 if request["method"] == "transact" else []

    def say(self, **message: object) -> None:
        self._writer.write(orjson.dumps(message))

    async def gone(self) -> None:
        try:
            async with asyncio.timeout(LIMIT):
                while await self._reader.read(65536):
                    pass
        except ConnectionError:
            pass


@pytest.fixture
async def schema(switch: Vswitch) -> object:
    connection = await connect(switch.database)
    answer = await connection.call("get_schema", "Open_vSwitch")
    connection.close()
    return answer


@pytest.mark.parametrize(
    "answer",
    [
        {"id": 1, "result": None, "error": {"error": "unknown database"}},
        {"id": 1, "result": {"tables": {}}, "error": None},
        {"id": 1, "result": 7, "error": None},
        {"id": 1, "result": {"tables": {"Open_vSwitch": {"columns": "no"}}}, "error": None},
    ],
)
async def test_what_is_no_host_is_closed(control: Control, answer: dict[str, object]) -> None:
    async with Fake.dial(control) as peer:
        peer.say(**answer)
        await peer.gone()
    assert control.told == []


async def test_garbage_is_closed(control: Control) -> None:
    async with Fake.dial(control) as peer:
        peer._writer.write(b"SSH-2.0-OpenSSH\r\n")
        await peer.gone()
    assert control.told == []


async def test_silence_is_noticed() -> None:
    control = Control()
    await control.start(probe=0.2)
    async with Fake.dial(control) as peer:
        await peer.gone()
    await control.close()


async def test_two_hosts_with_one_name(control: Control, schema: object) -> None:
    async with Fake.dial(control) as first, Fake.dial(control, "127.0.0.2") as second:
        serving = asyncio.create_task(first.serve(schema, "twin"))
        await control.until(lambda: "twin" in control.facts)
        session = control.hosts.sessions["twin"]
        await asyncio.wait_for(second.serve(schema, "twin"), LIMIT)  # refused: it returns
        assert control.hosts.sessions["twin"] is session
        assert len({id(told[0]) for told in control.told}) == 1
        serving.cancel()


async def test_the_same_host_again_takes_over_without_a_gap(control: Control, schema: object) -> None:
    async with Fake.dial(control) as first, Fake.dial(control) as second:
        dead = asyncio.create_task(first.serve(schema, "twin"))
        await control.until(lambda: "twin" in control.facts)
        old = control.facts["twin"]
        alive = asyncio.create_task(second.serve(schema, "twin"))
        await asyncio.wait_for(dead, LIMIT)
        assert [told[2] is None for told in control.told] == [False] * len(control.told)
        assert control.told[-1][1] == old
        alive.cancel()
