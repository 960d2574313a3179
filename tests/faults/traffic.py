"""Everything that runs meanwhile: pings at 100 a second and a TCP stream on each way, and DHCP renewals."""

import threading
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from tests.faults.fault import L2, WAYS
from tests.faults.stream import Echo, Stream
from tests.hosts.failover import FLOATING_HOST, ROUTED, SNAT, ends
from tests.hosts.lease import NoLease
from tests.hosts.machine import Machine
from tests.hosts.ping import RunningPing
from tests.hosts.routed import A2, Routed
from tests.hosts.vm import Vm

PORT = 9000
STREAMS = (L2, ROUTED, SNAT, FLOATING_HOST)
"""A connection that a gateway has translated by SNAT does not survive that gateway: see docs/operating.md."""


class Renewals:
    """A DHCP client that asks for more time again and again."""

    def __init__(self, vm: Vm) -> None:
        self.done = self.failed = 0
        self._vm = vm
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(1.0):
            try:
                self._vm.renew(60.0)
                self.done += 1
            except NoLease:
                self.failed += 1

    def close(self) -> None:
        self._over.set()
        self._thread.join(70.0)


class Traffic:
    """``with Traffic(routed) as traffic``. Losses are counted between two moments of ``time.time()``."""

    def __init__(self, routed: Routed) -> None:
        self.pings: dict[str, RunningPing] = {}
        self.streams: dict[str, Stream] = {}
        self._routed = routed
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        routed = self._routed
        for way in WAYS:
            machine, address = self._ends(way)
            self.pings[way] = self._stack.enter_context(machine.pinging(address))
        for machine in (routed.inet, routed.vm("a1"), routed.vm("a2"), routed.vm("b2")):
            self._stack.callback(Echo(machine, PORT).close)
        for way in STREAMS:
            self.connect(way)
        self.renewals = Renewals(routed.vm("b1"))
        self._stack.callback(self.renewals.close)
        self.flows(time.time())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in self.streams.values():
            stream.close()
        self._stack.close()

    def _ends(self, way: str) -> tuple[Machine, str]:
        return (self._routed.vm("a1"), A2.ipv4) if way == L2 else ends(self._routed, way)

    def connect(self, way: str) -> None:
        if way in self.streams:
            self.streams[way].close()
        machine, address = self._ends(way)
        self.streams[way] = Stream(machine, address, PORT)

    def flows(self, after: float, patience: float = 60.0) -> None:
        """Until each ping is answered that was sent after a moment. TimeoutError says which was not."""
        for ping in self.pings.values():
            ping.answered(patience, after=after)

    def lost(self, begin: float, end: float) -> dict[str, int]:
        """Way -> pings sent between two moments that nobody answered; ways without any are left out."""
        counts = {way: ping.lost_between(begin, end) for way, ping in self.pings.items()}
        return {way: count for way, count in counts.items() if count}

    def broken(self) -> dict[str, str]:
        """Streams that have ended, and how; each is begun anew."""
        found = {way: stream.broken for way, stream in self.streams.items() if stream.broken}
        for way in found:
            self.connect(way)
        return found
