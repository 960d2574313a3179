"""The outside wire: who sends what by which host's uplink."""

import ipaddress
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping

from tests.hosts import frame
from tests.hosts.namespace import open_socket


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
        self._heard: Counter[tuple[str, str]] = Counter()
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
                        self._heard[self._sockets[each], source] += 1

    def heard(self) -> Counter[tuple[str, str]]:
        """(host, source address) -> frames, since the beginning or the last ``clear``. A source of ARP counts too."""
        with self._lock:
            return Counter(self._heard)

    def clear(self) -> None:
        with self._lock:
            self._heard.clear()

    def inside(self, networks: Iterable[str]) -> set[tuple[str, str]]:
        """(host, source address) of frames whose source is in one of the networks."""
        inner = [ipaddress.ip_network(one) for one in networks]
        heard = ((host, source, ipaddress.ip_address(source)) for host, source in self.heard())
        return {(host, source) for host, source, address in heard if any(address in network for network in inner)}

    def hosts(self, source: str, seconds: float) -> set[str]:
        """By which hosts the address sends within a time from now."""
        before = self.heard()
        time.sleep(seconds)
        return {host for host, address in self.heard() - before if address == source}


def _source(data: bytes) -> str:
    """Of an IPv4, IPv6 or ARP frame, tagged or not; of others nothing. What has no address yet is nobody."""
    at = 16 if data[12:14] == struct.pack("!H", 0x8100) else 12
    if len(data) < at + 30:
        return ""
    (kind,) = struct.unpack_from("!H", data, at)
    if kind == frame.IPV6:
        return socket.inet_ntop(socket.AF_INET6, data[at + 10 : at + 26])
    offset = {frame.IPV4: 14, frame.ARP: 16}.get(kind)
    return socket.inet_ntoa(data[at + offset : at + offset + 4]) if offset else ""
