"""Pings: what ping said, and one that runs while something else happens."""

import re
import signal
import subprocess
import time
from dataclasses import dataclass

from tests.hosts import process
from tests.hosts.namespace import entering


@dataclass(frozen=True)
class Ping:
    sent: int
    received: int
    ms: float | None
    """Mean round trip; None where nothing came back."""

    @property
    def lost(self) -> int:
        return self.sent - self.received

    @classmethod
    def parse(cls, text: str) -> "Ping":
        counts = re.search(r"(\d+) packets transmitted, (\d+) (?:packets )?received", text)
        if not counts:
            raise ValueError(f"ping said: {text}")
        times = re.search(r"rtt min/avg/max/\w+ = [\d.]+/([\d.]+)/", text)
        return cls(int(counts[1]), int(counts[2]), float(times[1]) if times else None)


class RunningPing:
    """See Vm.pinging."""

    def __init__(self, namespace: str, address: str, interval: float) -> None:
        self._process = subprocess.Popen(
            [*entering(namespace), "ping", "-n", "-O", f"-i{interval}", "-W1", address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._lines = process.Lines(self._process, f"ping {address}")
        self._said: list[str] = []
        self.result: Ping | None = None

    def answered(self, timeout: float = 5.0) -> None:
        """Until the next answer."""
        end = time.monotonic() + timeout
        while "bytes from" not in self._line(end - time.monotonic()):
            pass

    def _line(self, timeout: float) -> str:
        self._said.append(self._lines.next(timeout))
        return self._said[-1]

    def stop(self) -> Ping:
        """Idempotent. The last request may still be under way: it does not count as sent."""
        if self.result is None:
            self._process.send_signal(signal.SIGINT)
            assert self._process.stdout
            try:
                while True:
                    self._line(5.0)
            except EOFError:
                pass
            self._process.wait(5.0)
            self._process.stdout.close()
            self.result = _without_last(Ping.parse("\n".join(self._said)), self._said)
        return self.result


def _without_last(ping: Ping, said: list[str]) -> Ping:
    answered = [int(found[1]) for line in said if (found := re.search(r"bytes from .*icmp_seq=(\d+)", line))]
    under_way = ping.lost and answered and max(answered) == ping.sent - 1
    return Ping(ping.sent - 1, ping.received, ping.ms) if under_way else ping
