"""ICMP errors, as the kernel of the machine that they are for understands them."""

import select
import socket
import struct
import time
from typing import NamedTuple

from tests.hosts.namespace import open_socket

UNSERVED = 33434
"""A port that nobody serves; traceroute's first."""
# linux/in.h and linux/in6.h; Python has no names for them.
_RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_MTU_DISCOVER = {socket.AF_INET: (socket.IPPROTO_IP, 10), socket.AF_INET6: (socket.IPPROTO_IPV6, 23)}
_TTL = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TTL),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS),
}
_DONT, _PROBE = 0, 3
"""Fragment; never fragment, and ignore what was learned of the path before."""
_EXTENDED = struct.Struct("=IBBBBII")  # struct sock_extended_err
_FROM_WIRE = (2, 3)  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
# Type and code.
NO_ROUTE = {4: (3, 0), 6: (1, 0)}
NO_PORT = {4: (3, 3), 6: (1, 4)}
TOO_BIG = {4: (3, 4), 6: (2, 0)}
TTL_EXCEEDED = {4: (11, 0), 6: (3, 0)}


class IcmpError(NamedTuple):
    origin: str
    """The address that it came from."""
    kind: tuple[int, int]
    """Type and code (RFC 792, RFC 4443)."""
    mtu: int
    """Of TOO_BIG; else 0."""


def provoke(namespace: str, address: str, *, ttl: int, size: int, whole: bool, timeout: float) -> IcmpError | None:
    """Send UDP to a port that nobody serves, a few times, until an ICMP error comes."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    end = time.monotonic() + timeout
    with open_socket(namespace, family, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(*_RECVERR[family], 1)
        sender.setsockopt(*_MTU_DISCOVER[family], _PROBE if whole else _DONT)
        sender.setsockopt(*_TTL[family], ttl)
        # Not connected: what is told of one datagram must not fail the next.
        poll = select.poll()
        poll.register(sender, 0)  # POLLERR is always told
        while (rest := end - time.monotonic()) > 0:
            sender.sendto(bytes(size), (address, UNSERVED))
            while poll.poll(min(rest, 0.5) * 1000):
                if found := _read(sender, family):
                    return found
    return None


def _read(sender: socket.socket, family: int) -> IcmpError | None:
    _, ancillary, _, _ = sender.recvmsg(2000, 500, socket.MSG_ERRQUEUE)
    for level, kind, data in ancillary:
        if (level, kind) == _RECVERR[socket.AddressFamily(family)]:
            _, origin, icmp_type, code, _, info, _ = _EXTENDED.unpack_from(data)
            if origin in _FROM_WIRE:
                offender = data[_EXTENDED.size :]
                # struct sockaddr_in: address at 4; struct sockaddr_in6: at 8.
                packed = offender[4:8] if family == socket.AF_INET else offender[8:24]
                return IcmpError(socket.inet_ntop(family, packed), (icmp_type, code), info)
    return None
