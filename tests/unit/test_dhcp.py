"""The DHCP server as a function: what it says to each request, and that nothing a client sends can hurt it.

Replies are read with scapy, which shares no code with the encoder.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from apps.contract import PacketIn, PacketOut
from apps.dhcp import APP
from apps.dhcp.flows import ON_LINK, server_mac
from apps.dhcp.message import decode, decode_options
from controller.compile.desired import Desired
from controller.model import DhcpOption, FixedIP, Network, Port, Route, Subnet
from controller.view.network import BINDING, HOST, NETWORK, PORT, SUBNET, Binding, Peer
from controller.view.view import Put
from flows.actions import Output
from flows.tables import PUNT

MAC = "fa:16:3e:00:00:05"
NETWORK_ROW = Network(id="n", vni=7, mtu=1400)
SUBNET_ROW = Subnet(
    id="s", network_id="n", cidr="10.0.0.0/24", ip_version=4, gateway_ip="10.0.0.1",
    dns_nameservers=("9.9.9.9", "1.1.1.1"), host_routes=(Route("192.0.2.0/25", "10.0.0.9"),),
)  # fmt: skip
PORT_ROW = Port(
    id="p", network_id="n", mac_address=MAC,
    fixed_ips=(
        FixedIP(id="f", subnet_id="s", ip_address="10.0.0.5"), FixedIP(id="g", subnet_id="s6", ip_address="fd00::5"),
    ),
)  # fmt: skip


def ask(
    packet: Packet | bytes, *, port: Port = PORT_ROW, subnet: Subnet = SUBNET_ROW, in_port: int = 3
) -> list[Packet]:
    desired = Desired()
    rows: list[Put] = [(HOST, "h", Peer("172.31.0.1")), (NETWORK, "n", NETWORK_ROW), (SUBNET, "s", subnet)]
    desired.turn([*rows, (PORT, "p", port), (BINDING, "p", Binding("h", 3))])
    assert APP.answer is not None
    outs = list(APP.answer(PacketIn("h", PUNT.number, in_port, {}, bytes(packet)), desired.view))
    assert all(isinstance(out, PacketOut) and out.actions == (Output(in_port),) for out in outs)
    return [Ether(out.data) for out in outs if isinstance(out, PacketOut)]


def request(kind: str, *options: tuple[str, object], mac: str = MAC, **bootp: Any) -> Packet:
    head = Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
    body = BOOTP(chaddr=bytes.fromhex(mac.replace(":", "")), xid=0x1234, **bootp)
    return head / body / DHCP(options=[("message-type", kind), *options, "end"])


def options(reply: Packet) -> dict[str, object]:
    return {o[0]: o[1] if len(o) == 2 else list(o[1:]) for o in reply[DHCP].options if isinstance(o, tuple)}


def test_offer() -> None:
    (reply,) = ask(request("discover"))
    assert (reply.src, reply.dst) == (server_mac("n"), MAC)
    assert (reply[IP].src, reply[IP].dst, reply[UDP].sport, reply[UDP].dport) == ("10.0.0.1", "10.0.0.5", 67, 68)
    assert (reply[BOOTP].op, reply[BOOTP].xid, reply[BOOTP].yiaddr) == (2, 0x1234, "10.0.0.5")
    said = options(reply)
    assert said["message-type"] == 2
    assert said["server_id"] == said["router"] == "10.0.0.1"
    assert (said["subnet_mask"], said["lease_time"], said["interface-mtu"]) == ("255.255.255.0", 86400, 1400)
    assert (said["renewal_time"], said["rebinding_time"]) == (43200, 75600)
    assert said["name_server"] == ["9.9.9.9", "1.1.1.1"]
    assert len(bytes(reply[BOOTP])) >= 300
    assert Ether(bytes(reply))[UDP].chksum == _checksum(reply)


def _checksum(reply: Packet) -> int:
    fresh = reply.copy()
    del fresh[UDP].chksum
    return int(Ether(bytes(fresh))[UDP].chksum)


def test_static_routes_carry_the_default_route() -> None:
    (reply,) = ask(request("discover"))
    raw = bytes(reply[UDP].payload)[240:]
    assert decode_options(raw)[121] == bytes([25, 192, 0, 2, 0, 10, 0, 0, 9]) + bytes([0, 10, 0, 0, 1])


def test_no_gateway() -> None:
    subnet = Subnet(id="s", network_id="n", cidr="10.0.0.0/24", ip_version=4, gateway_ip=None)
    (reply,) = ask(request("discover"), subnet=subnet)
    assert "router" not in options(reply)
    assert options(reply)["server_id"] == ON_LINK
    assert decode_options(bytes(reply[UDP].payload)[240:])[121] == bytes([32, 169, 254, 169, 254, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("asked", "bootp", "answer"),
    [
        ([("server_id", "10.0.0.1"), ("requested_addr", "10.0.0.5")], {}, 5),  # selecting
        ([("server_id", "10.0.0.99"), ("requested_addr", "10.0.0.5")], {}, None),  # another server was chosen
        ([("requested_addr", "10.0.0.5")], {}, 5),  # init-reboot
        ([("requested_addr", "10.0.0.6")], {}, 6),  # init-reboot with an address that is not its own
        ([], {"ciaddr": "10.0.0.5"}, 5),  # renewing
        ([], {"ciaddr": "10.0.0.6"}, 6),
        ([], {}, 6),
    ],
)
def test_request(asked: list[tuple[str, object]], bootp: dict[str, Any], answer: int | None) -> None:
    replies = ask(request("request", *asked, **bootp))
    assert [options(reply)["message-type"] for reply in replies] == ([] if answer is None else [answer])
    if answer == 5:
        assert replies[0][BOOTP].yiaddr == "10.0.0.5"
    if answer == 6:
        assert (replies[0].dst, replies[0][BOOTP].yiaddr) == ("ff:ff:ff:ff:ff:ff", "0.0.0.0")


def test_broadcast_flag() -> None:
    (reply,) = ask(request("discover", flags=0x8000))
    assert (reply.dst, reply[IP].dst) == ("ff:ff:ff:ff:ff:ff", "255.255.255.255")


def test_inform_gives_no_lease() -> None:
    (reply,) = ask(request("inform", ciaddr="10.0.0.5"))
    assert options(reply)["message-type"] == 5
    assert "lease_time" not in options(reply)
    assert reply[BOOTP].yiaddr == "0.0.0.0"


@pytest.mark.parametrize("kind", ["decline", "release", "offer", "ack"])
def test_silence(kind: str) -> None:
    assert ask(request(kind)) == []


def test_another_hardware_address_gets_nothing() -> None:
    assert ask(request("discover", mac="fa:16:3e:00:00:06")) == []


def test_a_port_without_an_address_to_lease_gets_nothing() -> None:
    assert ask(request("discover"), port=Port(id="p", network_id="n", mac_address=MAC)) == []
    assert ask(request("discover"), in_port=4) == []


def test_extra_options() -> None:
    extra = (
        DhcpOption("tftp-server", "tftp.example"), DhcpOption("bootfile-name", "pxe.0"), DhcpOption("mtu", "1300"),
        DhcpOption("server-ip-address", "10.0.0.7"), DhcpOption("150", "10.0.0.8"), DhcpOption("no-such", "x"),
        DhcpOption("mtu", "not a number"), DhcpOption("domain-name", "v6", 6),
        DhcpOption("option:224", "x" * 300),
    )  # fmt: skip
    (reply,) = ask(
        request("discover"),
        port=Port(id="p", network_id="n", mac_address=MAC, fixed_ips=PORT_ROW.fixed_ips, extra_dhcp_opts=extra),
    )
    found = decode_options(bytes(reply[UDP].payload)[240:])
    assert found[66] == b"tftp.example"
    assert found[26] == (1300).to_bytes(2)
    assert found[150] == bytes([10, 0, 0, 8])
    assert found[224] == b"x" * 300, "parts are joined (RFC 3396)"
    assert 15 not in found
    assert reply[BOOTP].siaddr == "10.0.0.7"
    assert reply[BOOTP].file.rstrip(b"\0") == b"pxe.0"


good = bytes(request("discover", ("hostname", "x" * 20)))


@given(st.integers(0, len(good)))
def test_truncated(length: int) -> None:
    assert len(ask(good[:length])) <= 1


@given(st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), max_size=30))
def test_corrupted(changes: list[tuple[int, int]]) -> None:
    frame = bytearray(good)
    for at, value in changes:
        frame[at] = value
    ask(bytes(frame))


@given(st.binary(max_size=600))
def test_garbage(data: bytes) -> None:
    ask(data)
    ask(good[:42] + data)
    ask(good[:282] + data)


@given(st.binary(max_size=400))
def test_decode_says_what_is_wrong(data: bytes) -> None:
    try:
        decode(good[:282] + data)
    except ValueError as error:
        assert str(error)


def test_pads_between_options_are_skipped() -> None:
    assert decode_options(bytes([0, 0, 53, 1, 1, 0, 12, 2]) + b"ab" + bytes([255, 9])) == {53: b"\x01", 12: b"ab"}


def test_scapy_reads_our_padding_as_padding() -> None:
    (reply,) = ask(request("discover"))
    assert Raw not in reply or not reply[Raw].load.strip(b"\0")
