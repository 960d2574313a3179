"""All ports of a router's external address are in use towards one destination: what is more is dropped, and told.

Where the data path is the kernel's, it is dropped by its conntrack, and no flow sees it to tell.

Open vSwitch translates to ports from 1024 up what comes from such a port, and keeps the port where it is free. Where it
is not, it tries some others and gives up: it may find none before all are taken, and one at the next try.
"""

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.hosts import frame
from tests.hosts.host import DATAPATH
from tests.hosts.namespace import ip, settings
from tests.hosts.outside import INTERNET
from tests.hosts.routed import B1, B2, Routed
from tests.hosts.sniffer import Sniffer
from tests.hosts.until import until

SILENT, PORT = "198.51.100.66", 80
"""Nobody answers there, not even to refuse: a connection stays half open, for 30 s."""
LOW, HIGH = range(1024, 33280), range(33280, 65536)
BURST, PAUSE = 100, 0.01
"""Frames that a switch takes at once, and the seconds that it has for them."""


class Knocker:
    """A machine's card, without its kernel: first packets of TCP connections."""

    def __init__(self, routed: Routed, name: str, address: str, card: Sniffer) -> None:
        self._vm, self._address, self._card = routed.vm(name), address, card
        self._router = self._vm.neighbour(address.rpartition(".")[0] + ".1")

    def knock(self, ports: Iterable[int]) -> None:
        for port in ports:
            self._card.send(frame.syn(self._router, self._vm.mac, self._address, port, SILENT, PORT))


@pytest.fixture
def knockers(routed: Routed) -> Iterator[tuple[Knocker, Knocker]]:
    """b1 and b2, which share the router's address."""
    ip([f"route add blackhole {SILENT}"], routed.inet.namespace)
    with ExitStack() as stack:
        stack.callback(ip, [f"route del blackhole {SILENT}"], routed.inet.namespace)
        made = []
        for seat in (B1, B2):
            vm = routed.vm(seat.name)
            vm.reach(INTERNET)  # so that it knows its router
            made.append(Knocker(routed, seat.name, seat.ipv4, stack.enter_context(vm.sniffer())))
        yield made[0], made[1]


def is_knock(data: bytes) -> bool:
    return data[12:14] == b"\x08\x00" and data[30:34] == socket.inet_aton(SILENT)


def dropped(routed: Routed) -> int:
    """Packets for which the router had no port."""
    answer = httpx.get(f"{routed.serve.url}/tunbridge/v1/drops", timeout=15.0, trust_env=False).raise_for_status()
    concerned = f"router {routed.router['id']} "
    of_it = [row for row in answer.json()["drops"] if row["concerns"].startswith(concerned)]
    assert {(row["table"], row["reason"]) for row in of_it} <= {
        ("natted", "no port of the router's external address was found free")
    }
    return sum(row["packets"] for row in of_it)


@pytest.mark.usefixtures("leaks")
def test_no_port_is_left(routed: Routed, knockers: tuple[Knocker, Knocker]) -> None:
    one, other = knockers
    gateway = routed.active()
    if DATAPATH == "system":
        patient = {"netfilter/nf_conntrack_tcp_timeout_syn_sent": "3600"}  # an emulated machine is not done in 120 s
        settings(routed.lab.hosts[gateway].namespace, patient)
    for low, high in zip(LOW[::BURST], HIGH[::BURST], strict=True):
        one.knock(range(low, min(low + BURST, LOW.stop)))
        other.knock(range(high, min(high + BURST, HIGH.stop)))
        time.sleep(2 * PAUSE)
    assert dropped(routed) == 0, "each of these ports was free"
    with routed.inet.sniffer() as outside:
        one.knock(HIGH[:BURST])
        other.knock(LOW[:BURST])
        if DATAPATH == "netdev":
            until(lambda: dropped(routed) > BURST, True)
        arrived = len(outside.collect(is_knock, 2.0))
    assert arrived < BURST, "of twice as many"
    for name in ("b1", "b2"):
        assert routed.vm(name).talk(INTERNET) == f"inet saw {routed.snat}"
    assert routed.active() == gateway, "and no gateway has fallen silent over it"
