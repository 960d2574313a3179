"""How often conntrack hands a packet back, on the ways that one switch has: counted alike for both.

Frames go in by dummy ports and are read off their captures, through the data path with its conntrack: an echo request
and its answer, made of what arrived. The data path counts its lookups: one for a packet, and one more for each
recirculation.
"""

import re
import socket
import struct
import time
from collections.abc import Iterator

from tests.bench.peers.topology import A_NETWORK, Topology, address, mac
from tests.hosts.frame import ARP, IPV4, REPLY, Arp, arp_request, checksum, ethernet, parse_arp
from tests.switch.vswitch import Vswitch

ROUNDS = 10
LIMIT = 20.0
TOPOLOGY = Topology(2 * A_NETWORK)
OUTSIDE, OUTSIDE_MAC = "203.0.200.1", "02:00:00:00:99:01"
FLOATING = 1
"""Number of the port that has a floating IP."""
REQUESTED, ANSWERED = 8, 0
"""ICMP types (RFC 792)."""
OutAndBack = tuple[int, int]
"""Recirculations of one packet."""


class Station:
    """A machine behind a dummy port. ``gateway``: whom it asks for the way; "" for nobody."""

    def __init__(self, switch: Vswitch, port: str, mac: str, address: str, gateway: str = "") -> None:
        self._switch, self._port = switch, port
        self.mac, self.address, self.gateway = mac, address, gateway
        path = switch.directory / f"{port}.pcap"
        switch.vsctl("set", "Interface", port, f"options:tx_pcap={path}")
        self._capture = path.open("rb")
        self._capture.seek(24)

    def send(self, frame: bytes) -> None:
        self._switch.appctl("netdev-dummy/receive", self._port, frame.hex())

    def heard(self) -> Iterator[bytes]:
        """What has come since it was asked last; whoever asks it by ARP for its address is answered."""
        self._switch.appctl("version")  # what was sent before is through
        while len(head := self._capture.read(16)) == 16:
            frame = self._capture.read(int.from_bytes(head[8:12], "little"))
            asked = parse_arp(frame)
            if asked is not None and asked.operation != REPLY and asked.target == self.address:
                answer = Arp(REPLY, self.mac, self.address, asked.sender_mac, asked.sender)
                self.send(ethernet(asked.sender_mac, self.mac, ARP, answer.payload()))
            yield frame

    def mac_of(self, address: str) -> str:
        """As ARP says."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            self.send(arp_request(self.mac, self.address, address))
            for answer in map(parse_arp, self.heard()):
                if answer is not None and answer.operation == REPLY and answer.sender == address:
                    return answer.sender_mac
            time.sleep(0.05)  # flows that answer may still be on their way
        raise TimeoutError(f"nobody has answered for {address} within {LIMIT:.0f} s")


def count(switch: Vswitch, client: Station, server: Station) -> OutAndBack:
    """The client, which has a gateway, asks the server."""
    hop = client.mac_of(client.gateway)
    asked = ethernet(hop, client.mac, IPV4, _echo(REQUESTED, client.address, server.address))
    end = time.monotonic() + LIMIT
    for warm in (True, True, False):  # the first ones make the connection and the data path's flows
        out = back = 0
        for _ in range(ROUNDS):
            there, lookups = _through(switch, client, server, asked, REQUESTED, end if warm else 0)
            out += lookups
            _, lookups = _through(switch, server, client, _answer(there), ANSWERED, 0)
            back += lookups
    if (out + back) % ROUNDS:
        raise RuntimeError(f"not every packet went the same way: {out} and {back} lookups in {ROUNDS} rounds")
    return out // ROUNDS - 1, back // ROUNDS - 1


def _through(
    switch: Vswitch, sender: Station, receiver: Station, frame: bytes, kind: int, end: float
) -> tuple[bytes, int]:
    """The frame as it arrives, and the lookups that it took; until ``end`` it is sent again and again."""
    while True:
        list(receiver.heard())
        before = _lookups(switch)
        sender.send(frame)
        for arrived in receiver.heard():
            if arrived[12:14] == struct.pack("!H", IPV4) and arrived[23] == socket.IPPROTO_ICMP and arrived[34] == kind:
                return arrived, _lookups(switch) - before
        if time.monotonic() > end:
            raise TimeoutError(f"nothing of {sender.address} has arrived at {receiver.address}")
        time.sleep(0.05)  # a neighbour may still be asked for


def _lookups(switch: Vswitch) -> int:
    (counted,) = re.findall(r"hit:(\d+) missed:(\d+)", switch.appctl("dpif/show"))
    return sum(map(int, counted))


def _echo(kind: int, source: str, destination: str) -> bytes:
    """An IPv4 packet (RFC 791) with an ICMP echo (RFC 792)."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, 36, 0, 0, 64, socket.IPPROTO_ICMP, 0)
    head += socket.inet_aton(source) + socket.inet_aton(destination)
    said = struct.pack("!BBHHHQ", kind, 0, 0, 77, 1, 0)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + _checked(said)


def _checked(icmp: bytes) -> bytes:
    return icmp[:2] + struct.pack("!H", checksum(icmp[:2] + b"\0\0" + icmp[4:])) + icmp[4:]


def _answer(frame: bytes) -> bytes:
    """To an echo request, by whoever it has reached."""
    icmp = bytes([ANSWERED]) + frame[35:50]
    addresses = frame[30:34] + frame[26:30]  # their sum, and so the header's, stays
    return frame[6:12] + frame[:6] + frame[12:26] + addresses + _checked(icmp)


def paths(switch: Vswitch) -> dict[str, OutAndBack]:
    """Of a switch that carries TOPOLOGY, with a dummy port "nic" to the external network, and a floating IP."""
    inside, other = _port(switch, 0), _port(switch, A_NETWORK)
    outside = Station(switch, "nic", OUTSIDE_MAC, OUTSIDE)
    return {
        "routed, same host": count(switch, inside, other),
        "SNAT": count(switch, inside, outside),
        "floating IP": count(switch, _port(switch, FLOATING), outside),
    }


def _port(switch: Vswitch, number: int) -> Station:
    return Station(switch, f"t{number}", mac(number), address(number, 4), f"10.{number // A_NETWORK}.0.1")
