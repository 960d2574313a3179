"""The OpenFlow channel against a real vswitchd, and against peers that mean no good."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from os_ken.ofproto import ofproto_v1_5

from controller.southbound import message as of
from controller.southbound.channel import Channel, Rejection
from controller.southbound.error import error_name
from controller.southbound.link import ChannelClosed, SwitchError
from controller.southbound.openflow import OpenFlowListener
from controller.southbound.packet import PacketIn
from flows.actions import Action, Goto, Output, Set, ToController
from flows.fields import ETH_DST, IN_PORT, NETWORK_KEY, Field
from flows.flow import Flow, MeterConfig
from flows.match import Match
from flows.table import Table
from flows.tables import BR_INT, CLASSIFY, L2
from flows.wire import ADD, METER_ADD, action_bytes, body, delete_cookie, flow_mod, meter_mod
from tests.switch.vswitch import Vswitch

LIMIT = 20.0
"""Seconds that any one thing may take."""
DATAPATH = 0x1234
FRAME = bytes.fromhex("ffffffffffff020000000001" + "0800") + bytes(46)


class Switches:
    """What a listener has told of, to be awaited."""

    def __init__(self) -> None:
        self.channels: asyncio.Queue[Channel] = asyncio.Queue()
        self.packets: asyncio.Queue[PacketIn] = asyncio.Queue()
        self.listener = OpenFlowListener(
            "127.0.0.1:0",
            on_channel=self.channels.put_nowait,
            on_packet_in=lambda _, packet: self.packets.put_nowait(packet),
        )

    async def channel(self) -> Channel:
        return await asyncio.wait_for(self.channels.get(), LIMIT)


@pytest.fixture(scope="module")
def switch() -> Iterator[Vswitch]:
    with Vswitch() as running:
        running.add_bridge("br", DATAPATH)
        running.add_port("br", "p1", 1)
        running.add_port("br", "p2", 2)
        yield running


@pytest.fixture
async def switches() -> AsyncIterator[Switches]:
    made = Switches()
    await made.listener.start()
    yield made
    await made.listener.close()


@pytest.fixture
async def channel(switch: Vswitch, switches: Switches) -> AsyncIterator[Channel]:
    await vsctl(switch, "set-controller", "br", f"tcp:127.0.0.1:{switches.listener.port}")
    channel = await switches.channel()
    await channel.send_fenced([delete_cookie(0xFF, 0, 0)])
    yield channel
    await vsctl(switch, "del-controller", "br")


async def vsctl(switch: Vswitch, *arguments: str) -> None:
    await asyncio.to_thread(switch.vsctl, *arguments)


def add(match: dict[Field, int | str], *actions: Action, table: Table = L2, cookie: int = 1) -> bytes:
    return flow_mod(ADD, table.number, 100, cookie, body(Flow(table, 100, Match(match), actions)))


EMPTY = struct.pack("!HH4x", 1, 4)
"""A match of everything."""


def applied(actions: bytes) -> bytes:
    """The instruction to do so."""
    return struct.pack("!HH4x", 4, 8 + len(actions)) + actions


def many(count: int) -> list[bytes]:
    return [add({NETWORK_KEY: n >> 12, ETH_DST: 0x020000000000 + n}, Output(1), cookie=n + 1) for n in range(count)]


# ---- with a real switch
async def test_20k_flows_in_one_bundle_do_not_hold_up_the_loop(channel: Channel) -> None:
    messages = many(20_000)
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        before = time.thread_time()  # processor time, so that a busy machine does not matter
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest = max(longest, now - before)
            before = now

    watching = asyncio.create_task(watch())
    started = time.monotonic()
    assert await channel.bundle(messages) == []
    bundled = time.monotonic()
    flows = await channel.flows()
    dumped = time.monotonic()
    watching.cancel()
    print(f"bundle {bundled - started:.3f} s, dump {dumped - bundled:.3f} s, longest turn {longest * 1000:.1f} ms")
    assert {flow.cookie for flow in flows} == set(range(1, 20_001))
    assert {flow.table for flow in flows} == {L2.number}
    assert longest < 0.04, "a turn of the event loop took too long"


async def test_a_rejected_message_changes_nothing(switch: Vswitch, channel: Channel) -> None:
    messages = many(10)
    unknown_port = struct.pack("!HHIH6x", 0, 16, 0xFFFFFFF0, 0)
    messages.insert(4, flow_mod(ADD, L2.number, 100, 5, EMPTY + applied(unknown_port)))
    to_table_0 = struct.pack("!HHB3x", 1, 8, 0)  # goto leads forward only
    messages.append(flow_mod(ADD, 0, 100, 6, EMPTY + to_table_0))
    assert await channel.bundle(messages) == [
        Rejection(4, "OFPBAC_BAD_OUT_PORT"),
        Rejection(11, "OFPBIC_BAD_TABLE_ID"),
    ]
    assert await channel.flows() == []
    assert await channel.bundle(many(3)) == []
    assert len(await channel.flows()) == 3


async def test_a_message_that_fails_only_at_commit_changes_nothing(switch: Vswitch, channel: Channel) -> None:
    # Whether a meter exists is looked up when the bundle is committed, not when the message is added.
    meter = struct.pack("!HHI", 29, 8, 77)
    rejected = await channel.bundle([*many(2), flow_mod(ADD, 0, 1, 3, EMPTY + applied(meter))])
    assert [rejection.index for rejection in rejected] == [2]
    assert rejected[0].error.startswith("OFP")
    assert await channel.flows() == []


async def test_a_message_that_is_too_long_is_rejected_unsent(channel: Channel) -> None:
    assert [r.index for r in await channel.bundle([many(1)[0], bytes(65_530)])] == [1]
    assert await channel.bundle([]) == []


async def test_bundles_of_several_tasks_follow_each_other(channel: Channel) -> None:
    answers = await asyncio.gather(*(channel.bundle(many(50)[n::5]) for n in range(5)))
    assert answers == [[]] * 5
    assert len(await channel.flows()) == 50


async def test_a_cancelled_bundle_leaves_the_channel_usable(channel: Channel) -> None:
    task = asyncio.create_task(channel.bundle(many(20_000)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await channel.bundle(many(5)) == []
    assert len(await channel.flows()) == 5


async def test_dump_tells_counters_and_what_ofctl_shows(switch: Vswitch, channel: Channel) -> None:
    sent = add({IN_PORT: 1}, Set(NETWORK_KEY, 7), Goto(L2), table=CLASSIFY, cookie=0xABCD)
    assert await channel.bundle([sent]) == []
    await asyncio.to_thread(switch.appctl, "revalidator/purge")  # what the data path keeps of earlier flows
    for _ in range(3):
        await asyncio.to_thread(switch.appctl, "netdev-dummy/receive", "p1", FRAME.hex())
    limit = time.monotonic() + LIMIT
    while (flow := (await channel.flows())[0]).packets < 3:  # counters follow the packets after up to half a second
        assert time.monotonic() < limit
        await asyncio.sleep(0.05)
    assert (flow.table, flow.priority, flow.cookie) == (0, 100, 0xABCD)
    assert (flow.packets, flow.octets) == (3, 3 * len(FRAME))
    assert flow.raw == sent[48:]
    shown = await asyncio.to_thread(switch.ofctl, "dump-flows", "br")
    assert "cookie=0xabcd" in shown and "n_packets=3" in shown


async def test_meters_outside_of_bundles(channel: Channel) -> None:
    meter = MeterConfig(BR_INT, 5, 100, 20)
    assert await channel.send_fenced([meter_mod(METER_ADD, meter)]) == []
    assert await channel.meters() == {5: (100, 20)}
    again = await channel.send_fenced([meter_mod(METER_ADD, meter)])
    assert again == [Rejection(0, "OFPMMFC_METER_EXISTS")]
    assert await channel.send_fenced([meter_mod(2, meter)]) == []
    assert await channel.meters() == {}
    await channel.barrier()


async def test_packets_in_with_registers_and_out(switch: Vswitch, switches: Switches, channel: Channel) -> None:
    assert (
        await channel.bundle(
            [
                add({IN_PORT: 1}, Set(NETWORK_KEY, 7), Goto(L2), table=CLASSIFY),
                add({NETWORK_KEY: 7, ETH_DST: 0xFFFFFFFFFFFF}, ToController(), cookie=0x99),
            ]
        )
        == []
    )
    await asyncio.to_thread(switch.appctl, "revalidator/purge")  # what the data path keeps of earlier flows
    await asyncio.to_thread(switch.appctl, "netdev-dummy/receive", "p1", FRAME.hex())
    packet = await asyncio.wait_for(switches.packets.get(), LIMIT)
    assert packet == PacketIn(DATAPATH, L2.number, 0x99, 1, {0: 7}, FRAME)

    # Out of port 2 of the bridge; the flow for port 1 sees it when it is sent "from" port 1 through the tables.
    before = int(await asyncio.to_thread(switch.vsctl, "get", "Interface", "p2", "statistics:tx_packets") or 0)
    channel.packet_out(0xFFFFFFFD, FRAME, action_bytes(Output(2)))
    limit = time.monotonic() + LIMIT
    while "tx pkts=0" in (shown := await asyncio.to_thread(switch.ofctl, "dump-ports", "br", "p2")):
        assert time.monotonic() < limit, shown
        await asyncio.sleep(0.02)
    assert before == 0 and "tx pkts=1" in shown


async def test_a_handler_that_raises_costs_only_its_packet(
    switch: Vswitch, switches: Switches, channel: Channel
) -> None:
    seen = asyncio.Event()

    def handler(_: Channel, packet: PacketIn) -> None:
        if packet.in_port == 1:
            raise RuntimeError("on purpose")
        seen.set()

    channel._on_packet_in = handler
    assert await channel.bundle([add({}, ToController(), table=CLASSIFY)]) == []
    await asyncio.to_thread(switch.appctl, "revalidator/purge")  # what the data path keeps of earlier flows
    for port in ("p1", "p2"):
        await asyncio.to_thread(switch.appctl, "netdev-dummy/receive", port, FRAME.hex())
    await asyncio.wait_for(seen.wait(), LIMIT)
    assert not channel.closed.done()


async def test_a_switch_that_goes_away_mid_bundle_fails_the_bundle(
    switch: Vswitch, switches: Switches, channel: Channel
) -> None:
    work = asyncio.create_task(channel.bundle(many(20_000) * 20))
    await asyncio.sleep(0)
    await vsctl(switch, "del-controller", "br")
    with pytest.raises(ChannelClosed):
        await work
    await asyncio.sleep(0)
    assert channel.closed.done() and DATAPATH not in switches.listener.channels
    with pytest.raises(ChannelClosed):
        await channel.flows()
    channel.packet_out(1, FRAME, b"")
    await vsctl(switch, "set-controller", "br", f"tcp:127.0.0.1:{switches.listener.port}")
    assert await (await switches.channel()).bundle(many(5)) == []


async def test_a_quiet_switch_is_kept_by_echoes(switch: Vswitch, switches: Switches, channel: Channel) -> None:
    switches.listener._probe = 0.3
    await asyncio.sleep(2.5)  # it takes up the new interval, and several of them pass
    assert not channel.closed.done()
    await channel.barrier()


async def test_a_switch_of_another_version_is_refused_by_name(
    switch: Vswitch, switches: Switches, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    await asyncio.to_thread(switch.add_bridge, "old", 0x13, protocols="OpenFlow13")
    try:
        await vsctl(switch, "set-controller", "old", f"tcp:127.0.0.1:{switches.listener.port}")
        said = ""
        limit = time.monotonic() + LIMIT
        while "the switch OpenFlow 1.3" not in said:
            assert time.monotonic() < limit
            await asyncio.sleep(0.05)
            said += capsys.readouterr().out
        assert switches.channels.empty()
    finally:
        await vsctl(switch, "del-br", "old")


def test_errors_have_the_names_of_the_specification() -> None:
    families = {
        name.split("_")[0]: kind
        for kind, name in ((kind, error_name(struct.pack("!HH", kind, 0))) for kind in range(18))
        if name.startswith("OFP")
    }
    named = [
        (name, code)
        for name, code in vars(ofproto_v1_5).items()
        if name.split("_")[0] in families and isinstance(code, int)
    ]
    assert len(families) == 17 and len(named) > 130
    for name, code in named:
        assert error_name(struct.pack("!HH", families[name.split("_")[0]], code)) == name
    assert error_name(struct.pack("!HHI", 0xFFFF, 15, 0x2320)) == "NXBAC_BAD_CONJUNCTION"
    assert error_name(struct.pack("!HHI", 0xFFFF, 15, 1)) == "error 15 of vendor 0x1"
    assert error_name(struct.pack("!HH", 99, 1)) == "error type 99 code 1"
    assert error_name(b"") == "an error message without a type"


# ---- with peers of our own making
class Peer:
    """A raw TCP client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def gone(self) -> None:
        """Waits until the controller has hung up."""
        try:
            async with asyncio.timeout(LIMIT):
                while await self.reader.read(65536):
                    pass
        except ConnectionError:
            pass

    def stop_reading(self) -> None:
        assert isinstance(self.writer.transport, asyncio.Transport)
        self.writer.transport.pause_reading()

    async def read(self) -> tuple[int, int, bytes]:
        """(type, xid, body) of the next message."""
        _, kind, length, xid = of.HEADER.unpack(await asyncio.wait_for(self.reader.readexactly(8), LIMIT))
        return kind, xid, await asyncio.wait_for(self.reader.readexactly(length - 8), LIMIT)

    async def expect(self, kind: int) -> tuple[int, bytes]:
        while True:
            got, xid, body = await self.read()
            if got == kind:
                return xid, body

    def say(self, kind: int, xid: int = 0, body: bytes = b"") -> None:
        self.writer.write(of.message(kind, xid, body))

    async def become(self, datapath: int) -> None:
        """Shakes hands as a switch would."""
        self.writer.write(of.hello(0))
        xid, _ = await self.expect(of.FEATURES_REQUEST)
        self.say(of.FEATURES_REPLY, xid, struct.pack("!QIBBxxII", datapath, 0, 254, 0, 0, 0))


@pytest.fixture
async def peer(switches: Switches) -> AsyncIterator[Peer]:
    made = Peer(*await asyncio.open_connection("127.0.0.1", switches.listener.port))
    yield made
    made.writer.transport.abort()


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "tls": bytes.fromhex("160301020001"),
    "short length": b"\x06\x00\x00\x07\x00\x00\x00\x01",
    "request before hello": of.message(of.BARRIER_REPLY, 1),
}


@pytest.mark.parametrize("bytes_", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_costs_only_its_own_channel(switches: Switches, peer: Peer, bytes_: bytes) -> None:
    good = Peer(*await asyncio.open_connection("127.0.0.1", switches.listener.port))
    await good.become(1)
    channel = await switches.channel()
    peer.writer.write(bytes_)
    peer.writer.write_eof()
    await peer.gone()
    assert switches.channels.empty()
    barrier = asyncio.create_task(channel.barrier())
    xid, _ = await good.expect(of.BARRIER_REQUEST)
    good.say(of.BARRIER_REPLY, xid)
    await barrier
    good.writer.close()


LATER = {
    "another version": b"\x01" + of.message(of.ECHO_REQUEST, 1)[1:],
    "unknown type": of.message(99, 1),
    "packet-in without a body": of.message(of.PACKET_IN, 1),
    "packet-in whose match is too long": of.message(of.PACKET_IN, 1, bytes(16) + struct.pack("!HH", 1, 999)),
    "packet-in whose field is too long": of.message(
        of.PACKET_IN, 1, bytes(16) + struct.pack("!HHIxxxx", 1, 8, 0x80000004) + bytes(10)
    ),
}


@pytest.mark.parametrize("bytes_", LATER.values(), ids=LATER.keys())
async def test_a_switch_that_breaks_the_protocol_is_closed(switches: Switches, peer: Peer, bytes_: bytes) -> None:
    await peer.become(2)
    channel = await switches.channel()
    peer.writer.write(bytes_)
    assert "sent" in await asyncio.wait_for(channel.closed, LIMIT)
    await peer.gone()


async def test_broken_multipart_reply(switches: Switches, peer: Peer) -> None:
    await peer.become(2)
    channel = await switches.channel()
    dump = asyncio.create_task(channel.flows())
    xid, _ = await peer.expect(of.MULTIPART_REQUEST)
    peer.say(of.MULTIPART_REPLY, xid, struct.pack("!HH4x", 1, 0) + bytes(40))
    with pytest.raises(ChannelClosed, match="malformed"):
        await dump


async def test_unasked_answers_are_ignored(switches: Switches, peer: Peer) -> None:
    await peer.become(2)
    channel = await switches.channel()
    for kind in (of.BARRIER_REPLY, of.MULTIPART_REPLY, of.BUNDLE_CONTROL, of.ERROR, of.FEATURES_REPLY, of.HELLO, 12):
        peer.say(kind, 0xFFFF, bytes(8))
    peer.say(of.ECHO_REQUEST, 7, b"ping")
    assert await peer.expect(of.ECHO_REPLY) == (7, b"ping")
    assert not channel.closed.done()


async def test_messages_cut_anywhere_are_put_together(switches: Switches, peer: Peer) -> None:
    peer.writer.transport.get_extra_info("socket").setsockopt(6, 1, 1)
    for byte in of.hello(0):
        peer.writer.write(bytes((byte,)))
        await asyncio.sleep(0)
    xid, _ = await peer.expect(of.FEATURES_REQUEST)
    for byte in of.message(of.FEATURES_REPLY, xid, struct.pack("!Q16x", 3)):
        peer.writer.write(bytes((byte,)))
        await asyncio.sleep(0)
    assert (await switches.channel()).datapath_id == 3


async def test_silence_is_noticed(switches: Switches, peer: Peer) -> None:
    await peer.become(2)
    channel = await switches.channel()
    switches.listener._probe = 0.2
    assert "echo" in await asyncio.wait_for(channel.closed, LIMIT)


async def test_a_peer_that_never_greets_is_given_up(
    switches: Switches, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.southbound.link.HANDSHAKE", 0.3)
    await peer.gone()


async def test_a_peer_that_does_not_read_fails_the_bundle_in_time(switches: Switches, peer: Peer) -> None:
    await peer.become(2)
    channel = await switches.channel()
    peer.stop_reading()
    with pytest.raises(ChannelClosed, match=r"(did not finish a bundle of 40000 messages|no answer to an echo)"):
        await channel.bundle(many(20_000) * 2, timeout=2.0)


async def test_packet_outs_to_a_peer_that_does_not_read_are_dropped(switches: Switches, peer: Peer) -> None:
    await peer.become(2)
    channel = await switches.channel()
    peer.stop_reading()
    for _ in range(1000):
        channel.packet_out(1, bytes(60_000), b"")
    assert channel.packet_outs_dropped > 500


async def test_echo_requests_of_a_peer_that_does_not_read_are_bounded(
    switches: Switches, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.southbound.link.MOST_UNREAD", 100_000)
    await peer.become(2)
    channel = await switches.channel()
    peer.stop_reading()
    sending = asyncio.create_task(_send_forever(peer))
    assert "unread" in await asyncio.wait_for(channel.closed, LIMIT)
    sending.cancel()


async def _send_forever(peer: Peer) -> None:
    while True:
        peer.say(of.ECHO_REQUEST, 1, bytes(60_000))
        await peer.writer.drain()


async def test_a_flood_of_packets_is_cut(switches: Switches, peer: Peer) -> None:
    await peer.become(2)
    channel = await switches.channel()
    packet = bytes(16) + struct.pack("!HH4x", 1, 4) + bytes(2) + FRAME
    peer.writer.write(of.message(of.PACKET_IN, 0, packet) * 5000)
    peer.say(of.ECHO_REQUEST, 9)
    await peer.expect(of.ECHO_REPLY)
    assert channel.packet_ins_dropped > 0 and channel.pauses > 0
    assert switches.packets.qsize() + channel.packet_ins_dropped == 5000


async def test_connections_without_room_are_hung_up_on(
    switches: Switches, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await peer.become(2)
    channel = await switches.channel()
    monkeypatch.setattr("controller.southbound.openflow.MOST", 1)
    extra = Peer(*await asyncio.open_connection("127.0.0.1", switches.listener.port))
    await extra.gone()
    assert switches.listener.refused == 1
    await channel_works(peer, channel)
    channel.close("makes room")
    monkeypatch.undo()
    again = Peer(*await asyncio.open_connection("127.0.0.1", switches.listener.port))
    await again.become(3)
    await switches.channel()
    for each in (extra, again):
        each.writer.close()


async def channel_works(peer: Peer, channel: Channel) -> None:
    asked = asyncio.create_task(channel.barrier())
    xid, _ = await peer.expect(of.BARRIER_REQUEST)
    peer.say(of.BARRIER_REPLY, xid)
    await asyncio.wait_for(asked, LIMIT)


async def test_the_same_switch_again_replaces_its_old_channel(switches: Switches, peer: Peer) -> None:
    await peer.become(4)
    first = await switches.channel()
    again = Peer(*await asyncio.open_connection("127.0.0.1", switches.listener.port))
    await again.become(4)
    second = await switches.channel()
    assert "anew" in await asyncio.wait_for(first.closed, LIMIT)
    assert switches.listener.channels == {4: second}
    again.writer.close()


async def test_an_error_to_the_whole_bundle_is_raised(switches: Switches, peer: Peer) -> None:
    await peer.become(5)
    channel = await switches.channel()
    work = asyncio.create_task(channel.bundle(many(1)))
    opening, _ = await peer.expect(of.BUNDLE_CONTROL)
    peer.say(of.ERROR, opening, struct.pack("!HH", 17, 5))
    fence, _ = await peer.expect(of.BARRIER_REQUEST)
    peer.say(of.BARRIER_REPLY, fence)
    with pytest.raises(SwitchError, match="OFPBFC_OUT_OF_BUNDLES"):
        await work
