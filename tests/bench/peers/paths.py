"""How often conntrack hands a packet back, on the ways that one switch has: counted alike for both.

Frames go in by dummy ports and are read off their captures, through the data path with its conntrack: an echo request
and its answer, made of what arrived. The data path counts its lookups: one for a packet, and one more for each
recirculation.
"""

import time
from collections.abc import Iterator

from tests.bench.peers.topology import A_NETWORK, Topology, address, mac
from tests.hosts.frame import ARP, REPLY, Arp, arp_request, ethernet, parse_arp
from tests.laws.packet import ECHO, ICMP, Packet, parse
from tests.laws.unixctl import ask, lookups
from tests.switch.capture import Capture
from tests.switch.vswitch import Vswitch

ROUNDS = 10
LIMIT = 20.0
TOPOLOGY = Topology(2 * A_NETWORK)
OUTSIDE, OUTSIDE_MAC = "203.0.200.1", "02:00:00:00:99:01"
FLOATING = 1
"""Number of the port that has a floating IP."""
OutAndBack = tuple[int, int]
"""Recirculations of one packet."""


class Station:
    """A machine behind a dummy port. ``gateway``: whom it asks for the way; "" for nobody."""

    def __init__(self, switch: Vswitch, port: str, mac: str, address: str, gateway: str = "") -> None:
        self._switch, self._port = switch, port
        self.mac, self.address, self.gateway = mac, address, gateway
        path = switch.directory / f"{port}.pcap"
        switch.vsctl("set", "Interface", port, f"options:tx_pcap={path}")
        self._capture = Capture(path)

    def send(self, frame: bytes) -> None:
        ask(self._switch.directory, "netdev-dummy/receive", self._port, frame.hex())

    def heard(self) -> Iterator[bytes]:
        """What has come since it was asked last; whoever asks it by ARP for its address is answered."""
        ask(self._switch.directory, "version")  # what was sent before is through
        for frame in self._capture.read():
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
    asked = Packet(client.mac, hop, client.address, server.address, ICMP, 77, ECHO)
    end = time.monotonic() + LIMIT
    for warm in (True, True, False):  # the first ones make the connection and the data path's flows
        out = back = 0
        for _ in range(ROUNDS):
            arrived, looked = _through(switch, client, server, asked, end if warm else 0)
            out += looked
            _, looked = _through(switch, server, client, arrived.answer(), 0)
            back += looked
    if (out + back) % ROUNDS:
        raise RuntimeError(f"not every packet went the same way: {out} and {back} lookups in {ROUNDS} rounds")
    return out // ROUNDS - 1, back // ROUNDS - 1


def _through(switch: Vswitch, sender: Station, receiver: Station, packet: Packet, end: float) -> tuple[Packet, int]:
    """The packet as it arrives, and the lookups that it took; until ``end`` it is sent again and again."""
    while True:
        list(receiver.heard())
        before = lookups(switch.directory)
        sender.send(packet.frame())
        for arrived in map(parse, receiver.heard()):
            if arrived is not None and (arrived.protocol, arrived.dport) == (ICMP, packet.dport):
                return arrived, lookups(switch.directory) - before
        if time.monotonic() > end:
            raise TimeoutError(f"nothing of {sender.address} has arrived at {receiver.address}")
        time.sleep(0.05)  # a neighbour may still be asked for


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
