"""Paths through the router of ``Routed``, for the demo: who is reached, and whom they see."""

import time
from collections import Counter
from collections.abc import Callable, Iterator

from tests.hosts.machine import Machine
from tests.hosts.outside import GATEWAY, INTERNET
from tests.hosts.paths import BOTH, NEITHER, UNSEEN, Path, Result
from tests.hosts.project import Seat
from tests.hosts.routed import A1, A2, B1, B2, INSIDE, Routed


def routed_paths(routed: Routed, gateway: str) -> list[Path]:
    """To be tried while it is ``serving``. ``gateway``: the router's gateway host, for people to read."""
    return [*_inside(routed), *_outside(routed, gateway), *_hairpins(routed, gateway), _leaks(routed)]


def _inside(routed: Routed) -> Iterator[Path]:
    for origin, target in ((A1, B1), (A1, B2), (B2, A1), (A2, B2)):
        vm = routed.vm(origin.name)

        def ping(vm: Machine = vm, target: Seat = target) -> Result:
            four, six = vm.ping(target.ipv4), vm.ping(target.ipv6)
            got = " and ".join(word for word, ping in (("v4", four), ("v6", six)) if ping.received)
            return Result(got or NEITHER, four.ms)

        yield Path(origin.name, target.name, _way(origin, target), "routed: ping", BOTH, ping)
    yield Path(
        "a1", "b2", "h1 → h2", "traceroute", f"10.1.0.1 {B2.ipv4}",
        lambda: Result(" ".join(routed.vm("a1").trace(B2.ipv4, 2))),
    )  # fmt: skip


def _way(origin: Seat, target: Seat) -> str:
    return f"on {origin.host}" if origin.host == target.host else f"{origin.host} → {target.host}"


def _outside(routed: Routed, gateway: str) -> Iterator[Path]:
    inet, floating = routed.inet, routed.floating
    for seat, way, address in (
        (B1, f"h1 → {gateway} → outside", routed.snat),
        (B2, f"h2 → {gateway} → outside", routed.snat),
        (A1, "h1 → outside", floating["a1"]),
        (A2, f"h2 → {gateway} → outside", floating["a2"]),
    ):
        what = "SNAT: whom does it see?" if address == routed.snat else "floating IP: whom does it see?"
        yield Path(seat.name, INTERNET, way, what, f"inet saw {address}", _talk(routed.vm(seat.name), INTERNET))
    for name, way in (("a1", "outside → h1"), ("a2", f"outside → {gateway} → h2")):
        should = f"{name} saw {GATEWAY}"
        yield Path("inet", floating[name], way, "floating IP: who answers?", should, _talk(inet, floating[name]))
    yield Path("inet", routed.snat, f"outside → {gateway}", "TCP: who answers?", NEITHER, _talk(inet, routed.snat))
    refused = _talk(routed.vm("b2"), GATEWAY, 9, "udp")
    yield Path("b2", GATEWAY, f"h2 → {gateway} → outside", "UDP to a closed port", "refused", refused)


def _hairpins(routed: Routed, gateway: str) -> Iterator[Path]:
    floating = routed.floating
    for origin, target, way in (
        ("b2", "a1", f"h2 → {gateway} → h1"),
        ("a2", "a1", f"h2 → {gateway} → h1"),
        ("a1", "a2", f"h1 → {gateway} → h2"),
        ("a1", "a1", "on h1"),
    ):
        should = f"{target} saw {floating.get(origin, routed.snat)}"
        trial = _talk(routed.vm(origin), floating[target])
        yield Path(origin, floating[target], way, "floating IP of the same router", should, trial)


def _talk(machine: Machine, address: str, port: int = 8080, protocol: str = "tcp") -> Callable[[], Result]:
    def trial() -> Result:
        begin = time.monotonic()
        got = machine.talk(address, port, protocol, timeout=1.5)
        return Result(got, (time.monotonic() - begin) * 1000) if got else Result(NEITHER)

    return trial


def _leaks(routed: Routed) -> Path:
    """What has gone out so far: the last of the paths."""

    def trial() -> Result:
        seen = routed.wire.from_inside(INSIDE, Counter())
        return Result(" ".join(sorted({sender.address for sender in seen})) or UNSEEN)

    return Path("everybody", "outside", "every uplink", "inside addresses on the wire", UNSEEN, trial)
