"""Every path of the world: who tries to reach whom, what should come of it, and what did.

Isolation is a path too: what must not arrive is sent, and looked for where it would arrive.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.hosts import frame, world
from tests.hosts.vm import Vm
from tests.hosts.world import Place, World

BOTH, NEITHER = "v4 and v6", "no answer"
UNSEEN = "not seen"


@dataclass(frozen=True)
class Result:
    got: str
    ms: float | None = None


@dataclass(frozen=True)
class Path:
    origin: str
    target: str
    way: str
    """The hosts in between."""
    what: str
    should: str
    trial: Callable[[], Result]
    """Does it. Takes a few seconds at most."""


def paths(world: World) -> list[Path]:
    """To be tried while the world is ``serving``."""
    return [*_neighbours(world), *_same_address(world), *_strangers(world), *_broadcast(world), *_spoofing(world)]


def _way(origin: Place, target: Place) -> str:
    return f"on {origin.host}" if origin.host == target.host else f"{origin.host} → {target.host}"


def lease_text(vm: Vm) -> str:
    """The parts of a lease that the world's subnets decide."""
    lease = vm.lease
    if lease is None:
        return "no lease"
    routes = " ".join(f"{to}→{via}" for to, via in lease.routes)
    return f"{lease.address}/{lease.prefix} mtu {lease.mtu} dns {' '.join(lease.dns)}\n{routes}"


def expected_lease(place: Place) -> str:
    # RFC 3442: a client that takes classless routes ignores the router option, so the default route is among them.
    routes = f"{world.ROUTE[0]}→{world.ROUTE[1]} 0.0.0.0/0→{world.GATEWAY}"
    return f"{place.ipv4}/24 mtu {world.MTU} dns {world.DNS}\n{routes}"


def _neighbours(world: World) -> Iterator[Path]:
    """All pairs within a project."""
    for origin, target in itertools.permutations(world.places.values(), 2):
        if origin.project == target.project:
            vm = world.vm(origin.name)

            def trial(vm: Vm = vm, target: Place = target) -> Result:
                return _ping(vm, target)

            yield Path(origin.name, target.name, _way(origin, target), "ping", BOTH, trial)
    for one, other in (("red1", "red3"), ("blue1", "blue3"), ("red1", "red2")):
        origin, target = world.places[one], world.places[other]
        vm = world.vm(one)

        def full(vm: Vm = vm, target: Place = target) -> Result:
            ping = vm.ping(target.ipv4, size=1422, whole=True)
            return Result("answered" if ping.received else NEITHER, ping.ms)

        yield Path(one, other, _way(origin, target), "ping, 1450 bytes, DF", "answered", full)


def _ping(vm: Vm, target: Place) -> Result:
    four, six = vm.ping(target.ipv4), vm.ping(target.ipv6)
    got = " and ".join(word for word, ping in (("v4", four), ("v6", six)) if ping.received) or NEITHER
    times = [ping.ms for ping in (four, six) if ping.ms is not None]
    return Result(got, sum(times) / len(times) if times else None)


def _same_address(world: World) -> Iterator[Path]:
    """One address, two owners: each project reaches its own."""
    for project, numbers in (("red", (12, 13)), ("blue", (12, 13))):
        origin = world.places[f"{project}1"]
        vm = world.vm(origin.name)
        for number in numbers:
            target = next(p for p in world.places.values() if p.project == project and p.number == number)

            def tcp(vm: Vm = vm, target: Place = target) -> Result:
                begin = time.monotonic()
                got = vm.connect(target.ipv4) or NEITHER
                return Result(got, (time.monotonic() - begin) * 1000)

            def arp(vm: Vm = vm, origin: Place = origin, target: Place = target) -> Result:
                answers = {answer.sender_mac for answer in vm.arp(target.ipv4, sender=origin.ipv4)}
                names = sorted(name for name, port in world.ports.items() if port["mac_address"] in answers)
                return Result(" and ".join(names) or NEITHER)

            way = _way(origin, target)
            yield Path(origin.name, target.ipv4, way, "TCP: who answers?", target.name, tcp)
            yield Path(origin.name, target.ipv4, way, "ARP: whose MAC?", target.name, arp)


def _strangers(world: World) -> Iterator[Path]:
    """The other project: by address, and straight to its MAC. The first two rows show that what is sent would be seen
    if it came through."""
    pairs = (
        ("red1", "red2"),
        ("red1", "red3"),
        ("red1", "blue4"),
        ("red3", "blue4"),
        ("blue1", "red4"),
        ("blue3", "red4"),
    )
    for origin, target in ((world.places[one], world.places[other]) for one, other in pairs):
        vm = world.vm(origin.name)

        def ping(vm: Vm = vm, target: Place = target) -> Result:
            return _ping(vm, target)

        def straight(vm: Vm = vm, origin: Place = origin, target: Place = target) -> Result:
            mac = world.ports[target.name]["mac_address"]
            return _seen(world, vm, [target], lambda mark: _datagram(mac, vm.mac, origin.ipv4, target.ipv4, mark))

        way, own = _way(origin, target), origin.project == target.project
        yield Path(origin.name, target.name, way, "a frame to its MAC", target.name if own else UNSEEN, straight)
        if not own:
            yield Path(origin.name, target.name, way, "ping", NEITHER, ping)


def _broadcast(world: World) -> Iterator[Path]:
    for name in ("red1", "blue2"):
        origin = world.places[name]
        others = [place for place in world.places.values() if place is not origin]
        own = " ".join(sorted(place.name for place in others if place.project == origin.project))
        vm = world.vm(name)

        def trial(vm: Vm = vm, origin: Place = origin, others: list[Place] = others) -> Result:
            return _seen(
                world, vm, others, lambda mark: _datagram(frame.BROADCAST, vm.mac, origin.ipv4, "10.0.0.255", mark)
            )

        yield Path(name, "everybody", "every host", "broadcast: who sees it?", own, trial)


def _spoofing(world: World) -> Iterator[Path]:
    origin, near, far = world.places["red1"], world.places["red2"], world.places["red3"]
    vm = world.vm("red1")
    for target in (near, far):
        mac = world.ports[target.name]["mac_address"]

        def address(target: Place = target, mac: str = mac) -> Result:
            return _seen(world, vm, [target], lambda mark: _datagram(mac, vm.mac, "10.0.0.99", target.ipv4, mark))

        def sender(target: Place = target, mac: str = mac) -> Result:
            foreign = "fa:16:3e:ff:ff:01"
            return _seen(world, vm, [target], lambda mark: _datagram(mac, foreign, origin.ipv4, target.ipv4, mark))

        def claim(target: Place = target, mac: str = mac) -> Result:
            # "10.0.0.34 is at red1's MAC", to one who may believe it. ARP has no room for a mark; padding has.
            lie = frame.Arp(frame.REPLY, vm.mac, world.places["red4"].ipv4, mac, target.ipv4)
            return _seen(world, vm, [target], lambda mark: frame.ethernet(mac, vm.mac, frame.ARP, lie.payload() + mark))

        way = _way(origin, target)
        yield Path("red1", target.name, way, "with 10.0.0.99 as its address", UNSEEN, address)
        yield Path("red1", target.name, way, "with a foreign MAC", UNSEEN, sender)
        yield Path("red1", target.name, way, "ARP: claims red4's address", UNSEEN, claim)


def _datagram(to_mac: str, from_mac: str, source: str, destination: str, mark: bytes) -> bytes:
    return frame.datagram(to_mac, from_mac, source, destination, mark)


_marks = itertools.count(1)


def _seen(world: World, sender: Vm, receivers: list[Place], make: Callable[[bytes], bytes]) -> Result:
    """Send a frame that carries a mark of its own; the names of those who saw it within half a second."""
    mark = f"tunbridge path {next(_marks):06d}".encode()
    sniffers = {place.name: world.vm(place.name).sniffer() for place in receivers}
    try:
        with sender.sniffer() as line:
            line.send(make(mark))
        end = time.monotonic() + 0.5
        seen = [
            name
            for name, sniffer in sniffers.items()
            if sniffer.wait(lambda data: mark in data, max(end - time.monotonic(), 0.01))
        ]
    finally:
        for sniffer in sniffers.values():
            sniffer.close()
    return Result(" ".join(sorted(seen)) or UNSEEN)
