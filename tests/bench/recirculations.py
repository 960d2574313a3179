"""How often conntrack hands a packet back, on its way through a router and on the way of the answer.

Real traffic between namespaces, counted from the flows of the userspace data path of every host: one that matches a
recirculation id has taken packets up again, and the port where they came in tells their direction.
"""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product

import msgspec

from tests.bench.row import AT_MOST, Row, bench, row
from tests.hosts.host import Host
from tests.hosts.machine import Machine
from tests.hosts.namespace import open_socket
from tests.hosts.outside import INTERNET
from tests.hosts.routed import B1, B2, Routed, routed_lab
from tests.hosts.vm import Vm

ROUNDS = 100
"""Packets each way, on a connection that is established."""
PORT = 5001
FLOW = re.compile(r"recirc_id\((\w+)\).*?in_port\(([^)]+)\).*?eth_type\(0x0800\).*? packets:(\d+)")
OUT, BACK = "out", "back"


class Trial(msgspec.Struct, frozen=True):
    """Who asks whom by which address. ``inner`` and ``outer``: both, in the order in which the path is named."""

    client: Machine
    server: Machine
    address: str
    inner: Machine
    outer: Machine


class Way(msgspec.Struct, frozen=True):
    """``reach``: out and back."""

    name: str
    trials: tuple[Trial, ...]
    reach: tuple[int, int]
    peer: str


@bench("recirculations")
async def recirculations() -> list[Row]:
    return await asyncio.to_thread(_recirculations)


def _recirculations() -> list[Row]:
    with routed_lab() as routed:
        routed.settle()
        routed.steady()
        return [each for way in _ways(routed) for each in _rows(routed, way)]


def _ways(routed: Routed) -> Iterator[Way]:
    a1, a2, b1, b2 = (routed.vm(name) for name in ("a1", "a2", "b1", "b2"))
    inet = routed.inet

    def floating(vm: Vm) -> tuple[Trial, ...]:
        """Begun from inside, and from outside."""
        return (Trial(vm, inet, INTERNET, vm, inet), Trial(inet, vm, routed.floating[vm.name], vm, inet))

    yield Way("routed, same host", (Trial(a1, b1, B1.ipv4, a1, b1),), (2, 2), "2 and 2")
    yield Way("routed, two hosts", (Trial(a1, b2, B2.ipv4, a1, b2),), (2, 2), "2 and 2")
    yield Way("SNAT", (Trial(b2, inet, INTERNET, b2, inet),), (1, 2), "2 and 2")
    yield Way("floating IP on its own host", floating(a1), (1, 1), "3 and 3")
    yield Way("floating IP at the gateway", floating(a2), (1, 1), "3 and 3")


def _rows(routed: Routed, way: Way) -> Iterator[Row]:
    counted = {
        (kind, trial.client.name): count(routed, trial, talk)
        for trial, (kind, talk) in product(way.trials, {"ping": ping, "TCP": converse}.items())
    }
    begun = " and ".join(dict.fromkeys(name for _, name in counted))
    how = f"ping and TCP, begun by {begun}: data path flows of all hosts, real packets; OVN 25.03: {way.peer}"
    for direction, reach in zip((OUT, BACK), way.reach, strict=True):
        worst = max(found[direction] for found in counted.values())
        yield row(f"recirculations, {way.name}, {direction}", ROUNDS, worst, "", AT_MOST, reach, how)


def count(routed: Routed, trial: Trial, talk: Callable[[Routed, Trial], None]) -> dict[str, int]:
    """Recirculations of one packet in each direction, on all hosts together."""
    talk(routed, trial)
    first, again = dict.fromkeys((OUT, BACK), 0), dict.fromkeys((OUT, BACK), 0)
    given: set[tuple[str, str]] = set()
    taken: set[tuple[str, str]] = set()
    for host in routed.lab.hosts.values():
        for line in host.appctl("dpctl/dump-flows", "--names").splitlines():
            match, _, actions = line.partition("actions:")
            found = FLOW.search(match)
            # What is rarer is something else's, and so is UDP: BFD, and the outside of tunnels.
            if not found or int(found[3]) < ROUNDS / 2 or "proto=17" in match:
                continue
            id, device, packets = found[1], found[2], int(found[3])
            (again if id != "0" else first)[_direction(trial, host, device)] += packets
            taken.add((host.name, id))
            given.update((host.name, given_id) for given_id in re.findall(r"recirc\((\w+)\)", actions))
    if min(first.values()) < ROUNDS - 2 or not given <= taken:
        raise RuntimeError(f"{trial.client.name} to {trial.address}: {first}, {again}; no flow for {given - taken}")
    return {direction: round(packets / ROUNDS) for direction, packets in again.items()}


def _direction(trial: Trial, host: Host, device: str) -> str:
    """By the port where a packet came into a host."""
    if device in _devices(trial.inner, host):
        return OUT
    if device in _devices(trial.outer, host):
        return BACK
    # Of a tunnel: home again, or on its way.
    return BACK if _devices(trial.inner, host) else OUT


def _devices(machine: Machine, host: Host) -> tuple[str, ...]:
    """Its ports on a host: a virtual machine's on one, the outside's wherever there is an uplink."""
    if isinstance(machine, Vm):
        return (machine.tap,) if machine.host is host else ()
    return ("eth-x",) if host.uplink else ()


def _forget(routed: Routed) -> None:
    """What the data paths have counted."""
    for host in routed.lab.hosts.values():
        host.appctl("revalidator/purge")


def ping(routed: Routed, trial: Trial) -> None:
    trial.client.reach(trial.address)
    _forget(routed)
    done = trial.client.ping(trial.address, count=ROUNDS + 1, interval=0.01)
    if done.lost:
        raise RuntimeError(f"ping of {trial.client.name} to {trial.address}: {done}")


def converse(routed: Routed, trial: Trial) -> None:
    """A byte there and a byte back, so often: each carries the acknowledgement of the other."""
    with (
        closing(open_socket(trial.server.namespace, socket.AF_INET, socket.SOCK_STREAM)) as server,
        closing(open_socket(trial.client.namespace, socket.AF_INET, socket.SOCK_STREAM)) as client,
    ):
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("", PORT))
        server.listen()
        for each in (server, client):
            each.settimeout(5.0)
        client.connect((trial.address, PORT))
        there, _ = server.accept()
        with closing(there):
            there.settimeout(5.0)
            for each in (client, there):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _exchange(client, there, 3)
            _forget(routed)
            _exchange(client, there, ROUNDS + 1)


def _exchange(client: socket.socket, there: socket.socket, rounds: int) -> None:
    for _ in range(rounds):
        for sender, receiver in ((client, there), (there, client)):
            sender.sendall(b"x")
            if not receiver.recv(1):
                raise RuntimeError("the connection was closed")
