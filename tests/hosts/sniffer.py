"""Frames on an interface of a namespace, without a process of its own."""

import select
import socket
import time
from collections.abc import Callable

from tests.hosts.namespace import open_socket


class Sniffer:
    """Frames that arrive at the interface are heard, any can be sent."""

    def __init__(self, namespace: str, own: bool, device: str) -> None:
        self._own = own
        every = socket.htons(3)  # ETH_P_ALL
        self._socket = open_socket(namespace, socket.AF_PACKET, socket.SOCK_RAW, every)
        self._socket.bind((device, 3))

    def __enter__(self) -> "Sniffer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.send(data)

    def wait(self, wanted: Callable[[bytes], bool], timeout: float = 2.0) -> bytes | None:
        """The next frame that is wanted; None when there was none in time. Others are passed over."""
        end = time.monotonic() + timeout
        while (rest := end - time.monotonic()) > 0 and select.select([self._socket], [], [], rest)[0]:
            data, (_, _, kind, *_) = self._socket.recvfrom(65536)
            if (self._own or kind != socket.PACKET_OUTGOING) and wanted(data):
                return data
        return None

    def collect(self, wanted: Callable[[bytes], bool], seconds: float) -> list[bytes]:
        """All that are wanted within the time; with 0 seconds, those that have arrived."""
        found = []
        end = time.monotonic() + seconds
        while (data := self.wait(wanted, max(end - time.monotonic(), 0.001))) is not None:
            found.append(data)
        return found
