"""What a DHCP client was given."""

from dataclasses import dataclass

import msgspec

from tests.hosts.process import Lines


@dataclass(frozen=True)
class Lease:
    event: str
    """``bound`` or ``renew``."""
    address: str
    prefix: int
    router: str
    dns: tuple[str, ...]
    mtu: int | None
    routes: tuple[tuple[str, str], ...]
    """(destination, gateway) pairs: RFC 3442."""
    seconds: int
    server: str
    domain: str
    hostname: str


class NoLease(Exception):
    """The client gave up; the message says what it was told."""


def next_lease(lines: Lines, timeout: float) -> Lease:
    """The next lease that the client reports. Raises NoLease after ``timeout`` seconds."""
    try:
        said = msgspec.json.decode(lines.next(timeout), type=dict[str, str])
    except (TimeoutError, EOFError) as problem:
        raise NoLease(str(problem)) from None
    if said["event"] not in ("bound", "renew"):
        raise NoLease(f"{lines.what}: {said['event']}")
    routes = said["routes"].split()
    return Lease(
        event=said["event"],
        address=said["address"],
        prefix=int(said["mask"]),
        router=said["router"],
        dns=tuple(said["dns"].split()),
        mtu=int(said["mtu"]) if said["mtu"] else None,
        routes=tuple(zip(routes[::2], routes[1::2], strict=True)),
        seconds=int(said["seconds"] or 0),
        server=said["server"],
        domain=said["domain"],
        hostname=said["hostname"],
    )
