"""A namespace with one network card, and what somebody at its keyboard tries."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.hosts import frame
from tests.hosts.icmp import IcmpError, provoke
from tests.hosts.namespace import ip, run, settings
from tests.hosts.ping import Ping, RunningPing
from tests.hosts.sniffer import Sniffer
from tests.hosts.talk import PORT, SAW, Server, talk
from tests.hosts.until import until


class Machine:
    def __init__(self, name: str, namespace: str, mac: str, device: str = "eth0") -> None:
        self.name = name
        self.namespace = namespace
        self.mac = mac
        self.device = device

    def power_on(self) -> None:
        """The cable is there already."""
        settings(
            self.namespace,
            {
                # Nobody else can hold our addresses, so there is no duplicate to detect; and they come from the test.
                f"ipv6/conf/{self.device}/accept_dad": "0",
                f"ipv6/conf/{self.device}/accept_ra": "0",
                # A test that asks twice wants to be told twice.
                "ipv4/icmp_ratelimit": "0",
                "ipv6/icmp/ratelimit": "0",
            },
        )
        # The userspace data path reads frames whose checksum the card was to fill in: ping works, TCP does not.
        run(["ethtool", "-K", self.device, "tx", "off"], namespace=self.namespace)
        ip(["link set lo up", f"link set {self.device} up"], self.namespace)

    def give(self, *addresses: str) -> None:
        """Static addresses, each with its prefix length."""
        ip([f"addr add {one} dev {self.device}{' nodad' if ':' in one else ''}" for one in addresses], self.namespace)

    def take(self, *addresses: str) -> None:
        ip([f"addr del {one} dev {self.device}" for one in addresses], self.namespace)

    @contextmanager
    def route(self, destination: str, via: str, device: str = "") -> Iterator[None]:
        """A static route for a while."""
        what = f"{destination} via {via} dev {device or self.device}"
        ip([f"route add {what}"], self.namespace)
        try:
            yield
        finally:
            ip([f"route del {what}"], self.namespace)

    def ping(
        self,
        address: str,
        *,
        count: int = 2,
        interval: float = 0.2,
        wait: float = 1.0,
        size: int = 56,
        whole: bool = False,
        source: str = "",
    ) -> Ping:
        """``size``: bytes after the ICMP header; ``whole``: must not be fragmented."""
        options = ["-M", "do"] if whole else []
        options += ["-I", source] if source else []
        command = ["ping", "-n", f"-c{count}", f"-i{interval}", f"-W{wait}", f"-s{size}", *options, address]
        limit = count * interval + wait + 10
        return Ping.parse(run(command, namespace=self.namespace, check=False, timeout=limit))

    @contextmanager
    def pinging(self, address: str, *, interval: float = 0.01) -> Iterator[RunningPing]:
        """A ping that runs meanwhile, ``1 / interval`` a second."""
        running = RunningPing(self.namespace, address, interval)
        try:
            yield running
        finally:
            running.stop()

    def provoke(
        self, address: str, *, ttl: int = 64, size: int = 8, whole: bool = False, timeout: float = 3.0
    ) -> IcmpError | None:
        """The ICMP error that a datagram of ``size`` bytes to an unserved port comes to; None when there was none."""
        return provoke(self.namespace, address, ttl=ttl, size=size, whole=whole, timeout=timeout)

    def trace(self, address: str, hops: int) -> list[str]:
        """Who answers for each hop; empty text: nobody."""
        errors = [self.provoke(address, ttl=ttl) for ttl in range(1, hops + 1)]
        return [error.origin if error else "" for error in errors]

    def arp(self, target: str, *, sender: str, timeout: float = 1.0, probes: int = 3) -> list[frame.Arp]:
        """Every answer to a broadcast request for the address; waits a little for a second answer."""
        with self.sniffer() as heard:
            for _ in range(probes):
                heard.send(frame.arp_request(self.mac, sender, target))
                if answer := heard.wait(lambda data: _answers(data, target), timeout / probes):
                    more = heard.collect(lambda data: _answers(data, target), 0.1)
                    return [arp for data in (answer, *more) if (arp := frame.parse_arp(data))]
        return []

    def announce(self, address: str) -> None:
        """Gratuitous ARP (RFC 5227, section 3): the address is here now."""
        with self.sniffer() as wire:
            wire.send(frame.arp_request(self.mac, address, address))

    def neighbour(self, address: str) -> str:
        """The MAC that the machine holds for an address; empty when it has none."""
        found = re.search(
            r"lladdr ([0-9a-f:]{17})", run(["ip", "neigh", "show", "to", address], namespace=self.namespace)
        )
        return found[1] if found else ""

    def forget_neighbours(self) -> None:
        ip([f"neigh flush dev {self.device}"], self.namespace)

    def sniffer(self, *, own: bool = False) -> Sniffer:
        """Hears everything that arrives at its card from now on, until closed; with ``own`` also what it sends."""
        return Sniffer(self.namespace, own, self.device)

    @contextmanager
    def serve(self, port: int = PORT) -> Iterator[None]:
        """Answers TCP and UDP with its name and the address that it saw."""
        server = Server(self.namespace, self.name, port)
        try:
            yield
        finally:
            server.close()

    def talk(
        self, address: str, port: int = PORT, protocol: str = "tcp", *, source_port: int = 0, timeout: float = 3.0
    ) -> str:
        """What the server there says (``inet saw 203.0.113.10``), or what came instead: see ``talk``."""
        return talk(self.namespace, address, port, protocol, source_port=source_port, timeout=timeout)

    def reach(self, address: str, timeout: float = 10.0) -> None:
        """Until a ping there is answered."""
        until(lambda: self.ping(address, count=1, wait=0.5).lost, 0, timeout)

    def expect(self, says: str, address: str, port: int = PORT, protocol: str = "tcp", timeout: float = 10.0) -> None:
        """Until the server there says so; SILENCE: until nobody answers."""
        until(lambda: self.talk(address, port, protocol, timeout=1.0), says, timeout)

    def connect(self, address: str, port: int = PORT, timeout: float = 3.0) -> str:
        """Name of the machine that answers TCP there; empty when none did in time."""
        name, saw, _ = self.talk(address, port, timeout=timeout).partition(SAW)
        return name if saw else ""


def _answers(data: bytes, target: str) -> bool:
    arp = frame.parse_arp(data)
    return arp is not None and arp.operation == frame.REPLY and arp.sender == target
