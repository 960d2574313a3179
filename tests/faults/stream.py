"""A TCP connection that is kept busy: ten words a second, each answered."""

import socket
import threading
import time

from tests.hosts.machine import Machine
from tests.hosts.namespace import open_socket

PAUSE = 0.1
PATIENCE = 60.0
"""Seconds without an answer after which a connection is given up."""


class Echo:
    """Sends back what it is sent, on one port of a machine."""

    def __init__(self, machine: Machine, port: int) -> None:
        self._listener = open_socket(machine.namespace, socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("0.0.0.0", port))
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(4096):
                    connection.sendall(data)
            except OSError:
                return


class Stream:
    """``broken`` says how it has ended; "" while it lives. ``longest``: seconds without an answer, at the worst."""

    def __init__(self, machine: Machine, address: str, port: int) -> None:
        self.broken = ""
        self.longest = 0.0
        self._socket = open_socket(machine.namespace, socket.AF_INET, socket.SOCK_STREAM)
        self._socket.settimeout(PATIENCE)
        self._socket.connect((address, port))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        answered = time.monotonic()
        try:
            while not self._over.wait(PAUSE):
                self._socket.sendall(b"tunbridge")
                if not self._socket.recv(4096):
                    self.broken = "closed by the other side"
                    return
                self.longest = max(self.longest, time.monotonic() - answered)
                answered = time.monotonic()
        except OSError as error:
            self.broken = self.broken or str(error)

    def close(self) -> None:
        self._over.set()
        self._thread.join(PATIENCE)
        self._socket.close()
