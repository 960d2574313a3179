"""The outside wire: who sends what by which host's uplink."""

import ipaddress
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tests.hosts import frame
from tests.hosts.namespace import open_socket


class Sender(NamedTuple):
    host: str
    address: str
    """IPv4 or IPv6 source, or who ARP says that it is."""
    arp: bool


class Wire:
    """Listens at the rack's ends of the uplinks, so that it hears frames to anybody."""

    def __init__(self, rack: str, ports: Mapping[str, str]) -> None:
        """``ports``: the rack's device -> host."""
        every = socket.htons(3)  # ETH_P_ALL
        self._sockets: dict[socket.socket, str] = {}
        for device, host in ports.items():
            each = open_socket(rack, socket.AF_PACKET, socket.SOCK_RAW, every)
            each.bind((device, 3))
            self._sockets[each] = host
        self._heard: Counter[Sender] = Counter()
        self._lock = threading.Lock()
        self._end, self._ended = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.close()
        self._thread.join(5.0)
        for each in (*self._sockets, self._ended):
            each.close()

    def _run(self) -> None:
        while True:
            ready = select.select([*self._sockets, self._ended], [], [])[0]
            if self._ended in ready:
                return
            for each in ready:
                try:
                    data, (_, _, kind, *_) = each.recvfrom(65536)
                except OSError:  # the cable has gone
                    continue
                if kind != socket.PACKET_OUTGOING and (source := _source(data)):
                    with self._lock:
                        self._heard[Sender(self._sockets[each], *source)] += 1

    def heard(self) -> Counter[Sender]:
        """Frames of each sender, since the beginning."""
        with self._lock:
            return Counter(self._heard)

    def from_inside(self, networks: Iterable[str], since: Counter[Sender]) -> set[Sender]:
        """Senders with addresses of these networks, which should have stayed inside."""
        inner = [ipaddress.ip_network(one) for one in networks]
        senders = {sender: ipaddress.ip_address(sender.address) for sender in self.heard() - since}
        return {sender for sender, address in senders.items() if any(address in network for network in inner)}

    def hosts(self, address: str, since: Counter[Sender]) -> set[str]:
        """By whose uplinks the address has sent packets (not just ARP)."""
        return {sender.host for sender in self.heard() - since if sender.address == address and not sender.arp}


def _source(data: bytes) -> tuple[str, bool] | None:
    """Address of an IPv4, IPv6 or ARP frame, and whether it was ARP. The kernel has taken off any VLAN tag."""
    if len(data) < 42:
        return None
    (kind,) = struct.unpack_from("!H", data, 12)
    match kind:
        case frame.IPV4:
            return socket.inet_ntoa(data[26:30]), False
        case frame.ARP:
            return socket.inet_ntoa(data[28:32]), True
        case frame.IPV6:
            return socket.inet_ntop(socket.AF_INET6, data[22:38]), False
        case _:
            return None
