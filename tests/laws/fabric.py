"""Several hosts' bridges in one vswitchd with a dummy data path, and what it decides for a packet (ofproto/trace)."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from controller.compile.ledger import Entry
from flows.flow import Flow, MeterConfig
from flows.tables import PATCH_INT, PATCH_TUN, VXLAN
from flows.text import text
from tests.laws.trace import Headers, Trace
from tests.laws.unixctl import ask
from tests.switch.vswitch import Vswitch

Port = tuple[str, int]
"""(host, OpenFlow port of its br-int)."""


class Arrival(NamedTuple):
    """A copy of a packet at a VM's port."""

    port: Port
    headers: Headers


class Fate(NamedTuple):
    """What becomes of a packet, over all hosts."""

    arrived: list[Arrival]
    punted: list[str]
    """Hosts whose controller gets it."""
    traces: dict[str, Trace]

    @property
    def ports(self) -> dict[Port, int]:
        """Port -> how many copies."""
        return dict(Counter(each.port for each in self.arrived))


class Fabric:
    """Hosts ``h1`` …: bridges i-HOST and t-HOST, ``ports`` dummy ports on each br-int, and a tunnel port that is a
    dummy too, so that what would go into the tunnel can be read off."""

    def __init__(self, switch: Vswitch, addresses: Mapping[str, str], ports: int) -> None:
        self._switch, self._addresses = switch, addresses
        for number, host in enumerate(addresses, 1):
            switch.add_bridge(f"i-{host}", number * 2)
            switch.add_bridge(f"t-{host}", number * 2 + 1)
            peer = {"type": "patch", "options:peer": f"pi-{host}"}
            switch.add_port(f"i-{host}", f"pt-{host}", PATCH_TUN, **peer)
            switch.add_port(f"t-{host}", f"pi-{host}", PATCH_INT, **peer | {"options:peer": f"pt-{host}"})
            switch.add_port(f"t-{host}", f"vx-{host}", VXLAN)
            for port in range(1, ports + 1):
                switch.add_port(f"i-{host}", f"p{port}-{host}", port)
        self._meters: set[tuple[str, int]] = set()
        self._numbers: dict[int, tuple[str, int]] = {}
        bridge = ""
        for line in switch.appctl("dpif/show").splitlines():
            if found := re.match(r"  (\S+):$", line):
                bridge = found[1]
            elif found := re.match(r"    \S+ (\d+)/(\d+):", line):
                self._numbers[int(found[2])] = bridge, int(found[1])

    def install(self, host: str, entries: Iterable[Entry]) -> None:
        """Exactly these flows."""
        lines: dict[str, list[str]] = {"i": [], "t": []}
        for e in entries:
            if isinstance(e.item, Flow):
                lines["i" if e.bridge == "br-int" else "t"].append(text(e.item))
            else:
                assert isinstance(e.item, MeterConfig)
                self._meter(host, e.item)
        for letter, flows in lines.items():
            self._switch.ofctl("replace-flows", f"{letter}-{host}", "-", options=["--bundle"], stdin="\n".join(flows))

    def _meter(self, host: str, meter: MeterConfig) -> None:
        if (host, meter.id) not in self._meters:
            band = f"meter={meter.id},pktps,burst,bands=type=drop,rate={meter.rate},burst_size={meter.burst}"
            self._switch.ofctl("add-meter", f"i-{host}", band)
            self._meters.add((host, meter.id))

    def trace(
        self, host: str, bridge: str, packet: Mapping[str, str], states: Sequence[str] = (), *, large: bool = False
    ) -> Trace:
        """``bridge``: i or t. ``states``: what conntrack says each time that it is asked; else "trk,new"."""
        options = [word for state in states for word in ("--ct-next", state)]
        text = ask(self._switch.directory, "ofproto/trace", f"{bridge}-{host}", _text(packet), *options)
        return Trace(text, self._numbers, packet, large=large)

    def follow(self, port: Port, packet: Mapping[str, str], states: Sequence[str] = (), *, large: bool = False) -> Fate:
        """A packet that a VM sends. ``states`` are those on its own host."""
        host, number = port
        first = self.trace(host, "i", {"in_port": str(number)} | dict(packet), states, large=large)
        traces, arrived = {host: first}, list(_arrivals(first))
        for copy in first.copies:
            if not copy.tunnel:
                continue
            there = next(h for h, a in self._addresses.items() if a == copy.tunnel)
            assert there not in traces, "sent to itself, or twice to the same host"
            tunnel = {"in_port": str(VXLAN), "tun_id": first.tunnel_id, "tun_src": self._addresses[host]}
            traces[there] = second = self.trace(there, "t", copy.headers | tunnel, large=large)
            assert not any(each.tunnel for each in second.copies), "came from a tunnel and goes into one"
            arrived += _arrivals(second)
        return Fate(arrived, [h for h, trace in traces.items() if trace.punted], traces)

    def deliver(self, port: Port, packet: Mapping[str, str]) -> dict[Port, int]:
        """Where a packet from a VM's port comes out, over all hosts: port -> how many copies."""
        return self.follow(port, packet).ports

    def count(self, port: Port, packet: Mapping[str, str]) -> dict[str, int]:
        """Host -> recirculations of a packet that reaches one port."""
        return {host: trace.recirculations for host, trace in self.follow(port, packet).traces.items()}


def _arrivals(trace: Trace) -> Iterator[Arrival]:
    for copy in trace.copies:
        if copy.bridge.startswith("i-"):
            yield Arrival((copy.bridge[2:], copy.port), copy.headers)


def _text(packet: Mapping[str, str]) -> str:
    """Protocol words have no value."""
    return ",".join(f"{name}={value}" if value else name for name, value in packet.items())
