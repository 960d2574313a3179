"""Pings: what ping said, and one that runs while something else happens."""

import itertools
import re
import signal
import subprocess
import time
from dataclasses import dataclass

from tests.hosts import process
from tests.hosts.namespace import entering
from tests.hosts.until import PATIENCE


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
    """See Machine.pinging."""

    def __init__(self, namespace: str, address: str, interval: float) -> None:
        self._process = subprocess.Popen(
            [*entering(namespace), "ping", "-n", "-D", "-O", f"-i{interval}", "-W1", address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Room for minutes: while nobody reads, a full pipe would stop it.
            pipesize=1 << 20,
        )
        self._lines = process.Lines(self._process, f"ping {address}")
        self._said: list[str] = []
        self._interval = interval
        self._answers: dict[int, float] = {}
        self._missed: dict[int, float] = {}
        """Sequence number -> when: the answer came; it had not come when the next request was sent."""
        self.result: Ping | None = None

    def answered(self, timeout: float = 5.0, *, after: float = 0.0) -> None:
        """Until the next answer, or the first that comes after a moment of ``time.time()``."""
        timeout *= PATIENCE
        end = time.monotonic() + timeout
        try:
            while (came := self._line(end - time.monotonic())) is None or came <= after:
                pass
        except TimeoutError:
            raise TimeoutError(f"{self._lines.what}: no answer within {timeout:g} s") from None

    def told(self, timeout: float = 5.0, *, after: float) -> None:
        """Until it has said anything that happened after a moment of ``time.time()``."""
        timeout *= PATIENCE
        end = time.monotonic() + timeout
        while max(*self._answers.values(), *self._missed.values(), 0.0, 0.0) <= after:
            self._line(end - time.monotonic())

    def _line(self, timeout: float) -> float | None:
        """When the answer came that the next line tells of; None for other lines."""
        line = self._lines.next(max(timeout, 0.0))
        self._said.append(line)
        if found := re.match(r"\[([\d.]+)\] (\d+ bytes from|no answer yet) .*icmp_seq=(\d+)", line):
            when, number = float(found[1]), int(found[3])
            (self._missed if found[2] == "no answer yet" else self._answers)[number] = when
            return self._answers.get(number)
        return None

    def lost_between(self, begin: float, end: float) -> int:
        """How many of the requests sent between two moments were never answered; both have passed, and been told."""
        return sum(
            number not in self._answers and begin < when - self._interval <= end
            for number, when in self._missed.items()
        )

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
            self.result = self._without_last(Ping.parse("\n".join(self._said)))
        return self.result

    def _without_last(self, ping: Ping) -> Ping:
        under_way = ping.lost and self._answers and max(self._answers) == ping.sent - 1
        return Ping(ping.sent - 1, ping.received, ping.ms) if under_way else ping

    # Once it has stopped:

    @property
    def silence(self) -> float:
        """The longest time between two answers, in seconds."""
        times = sorted(self._answers.values())
        return max((later - sooner for sooner, later in itertools.pairwise(times)), default=0.0)

    def lost_after(self, moment: float) -> int:
        """How many of the requests sent after a moment of ``time.time()`` were never answered."""
        return sum(
            number not in self._answers and when - self._interval > moment for number, when in self._missed.items()
        )
