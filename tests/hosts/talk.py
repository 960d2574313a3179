"""A server that says who it is and whom it sees, and its client."""

import errno
import selectors
import socket
import struct
import threading
import time
from contextlib import suppress

from tests.hosts.namespace import open_socket

PORT = 8080
SAW = " saw "
SILENCE, REFUSED, UNREACHABLE = "", "refused", "unreachable"
"""What a client gets where no server answers: nothing in time, RST or port unreachable, another ICMP unreachable."""
_PKTINFO = struct.Struct("=16si")  # struct in6_pktinfo: address, interface


class Server:
    """One port of a machine, TCP and UDP, IPv4 and IPv6. Each who comes is told ``NAME saw ADDRESS``."""

    def __init__(self, namespace: str, name: str, port: int) -> None:
        self._name = name
        self._tcp = open_socket(namespace, socket.AF_INET6, socket.SOCK_STREAM)
        self._udp = open_socket(namespace, socket.AF_INET6, socket.SOCK_DGRAM)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # The answer comes from the address that was asked, also where a machine has several.
        self._udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        for each in (self._tcp, self._udp):
            each.bind(("::", port))
        self._tcp.listen(128)
        self._end, self._ended = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.close()
        self._thread.join(5.0)
        for each in (self._tcp, self._udp, self._ended):
            each.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as wait:
            for each in (self._tcp, self._udp, self._ended):
                wait.register(each, selectors.EVENT_READ)
            while True:
                for key, _ in wait.select():
                    if key.fileobj is self._ended:
                        return
                    # The other side may be gone already.
                    with suppress(OSError):
                        (self._accept if key.fileobj is self._tcp else self._answer)()

    def _accept(self) -> None:
        connection, peer = self._tcp.accept()
        with connection:
            connection.sendall(self._words(peer[0]))

    def _answer(self) -> None:
        _, ancillary, _, peer = self._udp.recvmsg(2000, 100)
        asked = next(data for _, kind, data in ancillary if kind == socket.IPV6_PKTINFO)
        source = _PKTINFO.pack(_PKTINFO.unpack(asked)[0], 0)
        self._udp.sendmsg(
            [self._words(peer[0])], [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, source)], 0, peer
        )  # fmt: skip

    def _words(self, peer: str) -> bytes:
        return f"{self._name}{SAW}{peer.removeprefix('::ffff:')}".encode()


def talk(namespace: str, address: str, port: int, protocol: str, *, source_port: int = 0, timeout: float = 3.0) -> str:
    """What a ``Server`` says there, else SILENCE, REFUSED or UNREACHABLE. ``protocol``: ``tcp`` or ``udp``."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with open_socket(namespace, family, kind) as client:
        if source_port:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", source_port))
        client.settimeout(timeout)
        try:
            client.connect((address, port))
            return client.recv(200).decode() if protocol == "tcp" else _ask(client, timeout)
        except ConnectionRefusedError:
            return REFUSED
        except OSError as problem:
            return UNREACHABLE if problem.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH) else SILENCE


def _ask(client: socket.socket, timeout: float) -> str:
    """Nobody repeats a datagram for us: the first to a new neighbour may be lost."""
    end = time.monotonic() + timeout
    while (rest := end - time.monotonic()) > 0:
        client.settimeout(min(rest, 0.3))
        client.send(b"?")
        with suppress(TimeoutError):
            return client.recv(200).decode()
    return SILENCE
