"""Which addresses a subnet has, and which of them a port gets."""

import ipaddress
from collections.abc import Iterable
from itertools import pairwise

from controller.model import FixedIP, Pool, Subnet
from controller.northbound.faults import (
    GatewayConflictWithAllocationPools,
    InvalidAllocationPool,
    OutOfBoundsAllocationPool,
    OverlappingAllocationPools,
)
from controller.northbound.values import IPAddress, IPNetwork

AUTOMATIC_MODES = ("slaac", "dhcpv6-stateless")


def is_automatic(subnet: Subnet) -> bool:
    """Ports form their own addresses on it (RFC 4862), so each has exactly one, known beforehand."""
    return subnet.ipv6_address_mode in AUTOMATIC_MODES or subnet.ipv6_ra_mode in AUTOMATIC_MODES


def eui64(subnet: Subnet, mac: str) -> str:
    """The address that RFC 4291, appendix A makes of a MAC address."""
    octets = bytearray.fromhex(mac.replace(":", ""))
    octets[0] ^= 2
    octets[3:3] = b"\xff\xfe"
    network = ipaddress.IPv6Network(subnet.cidr)
    return str(ipaddress.IPv6Address(int(network.network_address) + int.from_bytes(octets, "big")))


def ordered(addresses: Iterable[FixedIP]) -> tuple[FixedIP, ...]:
    """IPv4 first, then by number: the order in which the store gives them."""

    def key(fixed: FixedIP) -> tuple[int, int]:
        address = ipaddress.ip_address(fixed.ip_address)
        return address.version, int(address)

    return tuple(sorted(addresses, key=key))


def bounds(prefix: IPNetwork) -> tuple[int, int]:
    """First and last address for hosts. IPv4 keeps the network's own and the broadcast address back (not in a /31,
    RFC 3021), IPv6 the subnet-router anycast address (RFC 4291)."""
    first, last = int(prefix.network_address), int(prefix.broadcast_address)
    if prefix.version == 4:
        return (first + 1, last - 1) if prefix.prefixlen < 31 else (first, last)
    return (first + 1, last) if prefix.prefixlen < 128 else (first, last)


def first_host(prefix: IPNetwork) -> str:
    return _text(bounds(prefix)[0], prefix.version)


def is_host(prefix: IPNetwork, address: str) -> bool:
    """A host on the subnet may have this address."""
    parsed: IPAddress = ipaddress.ip_address(address)
    first, last = bounds(prefix)
    return parsed.version == prefix.version and first <= int(parsed) <= last


def default_pools(prefix: IPNetwork, gateway: str | None) -> tuple[Pool, ...]:
    """All host addresses but the gateway's."""
    first, last = bounds(prefix)
    at = int(ipaddress.ip_address(gateway)) if gateway is not None else -1
    spans = [(first, at - 1), (at + 1, last)] if first <= at <= last and first < last else [(first, last)]
    return tuple(
        Pool(start=_text(low, prefix.version), end=_text(high, prefix.version)) for low, high in spans if low <= high
    )


def check_pools(subnet: Subnet) -> None:
    """The pools are ranges of the subnet, apart from each other and from the gateway."""
    first, last = bounds(ipaddress.ip_network(subnet.cidr))
    spans: list[tuple[int, int, Pool]] = []
    for pool in subnet.allocation_pools:
        start, end = ipaddress.ip_address(pool.start), ipaddress.ip_address(pool.end)
        if start.version != subnet.ip_version or end.version != subnet.ip_version or int(start) > int(end):
            raise InvalidAllocationPool(pool=_span(pool))
        if int(start) < first or int(end) > last:
            raise OutOfBoundsAllocationPool(pool=_span(pool), cidr=subnet.cidr)
        spans.append((int(start), int(end), pool))
    spans.sort(key=lambda span: span[0])
    for lower, upper in pairwise(spans):
        if upper[0] <= lower[1]:
            raise OverlappingAllocationPools(first=_span(lower[2]), second=_span(upper[2]), cidr=subnet.cidr)
    check_gateway(subnet)


def check_gateway(subnet: Subnet) -> None:
    """The gateway's address is not one to be given out."""
    if subnet.gateway_ip is None:
        return
    gateway = int(ipaddress.ip_address(subnet.gateway_ip))
    for pool in subnet.allocation_pools:
        if int(ipaddress.ip_address(pool.start)) <= gateway <= int(ipaddress.ip_address(pool.end)):
            raise GatewayConflictWithAllocationPools(ip=subnet.gateway_ip, pool=_span(pool))


def _span(pool: Pool) -> str:
    return f"{pool.start}-{pool.end}"


def _text(value: int, version: int) -> str:
    return str(ipaddress.IPv4Address(value) if version == 4 else ipaddress.IPv6Address(value))
