"""What the DHCP server says to a request: a function of the request and the records."""

from collections.abc import Iterable, Iterator

import structlog
from netaddr import IPAddress, IPNetwork

from apps.contract import PacketIn, PacketOut
from apps.dhcp.flows import ON_LINK, server_address, server_mac
from apps.dhcp.message import (
    ACK,
    DISCOVER,
    DNS,
    INFORM,
    LEASE,
    MASK,
    MTU,
    NAK,
    OFFER,
    REBINDING,
    RENEWAL,
    REQUEST,
    REQUESTED,
    ROUTER,
    ROUTES,
    SERVER_ID,
    UNSPECIFIED,
    Reply,
    Request,
    decode,
    encode,
)
from apps.dhcp.options import extra_options
from controller.model import Network, Port, Subnet
from controller.view.network import LOCATION, NETWORK, PORT, PORTS_AT, SUBNET
from controller.view.view import View
from flows.actions import Output

log = structlog.get_logger()

LEASE_TIME = 86400
"""Seconds; what Neutron's dhcp_lease_duration has by default. A lease binds us to nothing: the port's row does."""


def answer(packet: PacketIn, view: View) -> Iterable[PacketOut]:
    for id in view.members(PORTS_AT, (packet.host, packet.in_port)):
        port, where = view.row(PORT, id), view.row(LOCATION, id)
        network = where and view.row(NETWORK, where.network_id)
        if port is None or not network:
            continue
        try:
            request = decode(packet.data)
        except ValueError as error:
            log.info("DHCP packet dropped", port=id, host=packet.host, reason=str(error))
            continue
        if request.mac == port.mac_address and (held := _address(view, port)) is not None:
            reply = respond(request, port, network, *held)
            if reply is not None:
                yield PacketOut(encode(request, reply), (Output(packet.in_port),))


def respond(request: Request, port: Port, network: Network, address: str, subnet: Subnet) -> Reply | None:
    """RFC 2131 section 4.3. None: silence."""
    server, mac = server_address(subnet), server_mac(network.id)
    wanted = request.address(REQUESTED) or request.ciaddr
    if request.type == REQUEST:
        chosen = request.address(SERVER_ID)
        if chosen and chosen != server:
            return None
        if wanted != address:
            return Reply(NAK, server, mac, UNSPECIFIED, {})
    elif request.type not in (DISCOVER, INFORM):
        return None
    extra, siaddr, boot_file = extra_options(port.extra_dhcp_opts)
    options = {**dict(_subnet_options(subnet, network)), **extra}
    if request.type == INFORM:
        return Reply(ACK, server, mac, UNSPECIFIED, options, siaddr or UNSPECIFIED, boot_file)
    times = ((LEASE, LEASE_TIME), (RENEWAL, LEASE_TIME // 2), (REBINDING, LEASE_TIME * 7 // 8))
    options |= {code: seconds.to_bytes(4) for code, seconds in times}
    type = OFFER if request.type == DISCOVER else ACK
    return Reply(type, server, mac, address, options, siaddr or UNSPECIFIED, boot_file)


def _address(view: View, port: Port) -> tuple[str, Subnet] | None:
    """The first of its addresses that is ours to lease."""
    for fixed in port.fixed_ips:
        subnet = view.row(SUBNET, fixed.subnet_id)
        if subnet is not None and subnet.ip_version == 4 and subnet.enable_dhcp:
            return fixed.ip_address, subnet
    return None


def _subnet_options(subnet: Subnet, network: Network) -> Iterator[tuple[int, bytes]]:
    yield MASK, IPNetwork(subnet.cidr).netmask.packed
    if subnet.gateway_ip:
        yield ROUTER, IPAddress(subnet.gateway_ip).packed
    if subnet.dns_nameservers:
        yield DNS, b"".join(IPAddress(server).packed for server in subnet.dns_nameservers)
    yield MTU, network.mtu.to_bytes(2)
    routes = [(route.destination, route.nexthop) for route in subnet.host_routes]
    if subnet.gateway_ip is None:
        routes.append((f"{ON_LINK}/32", UNSPECIFIED))
    if routes:
        # RFC 3442: a client that takes option 121 ignores option 3, so the default route goes in as well.
        if subnet.gateway_ip and all(IPNetwork(to).prefixlen for to, _ in routes):
            routes.append(("0.0.0.0/0", subnet.gateway_ip))
        yield ROUTES, b"".join(_route(to, via) for to, via in routes)


def _route(destination: str, nexthop: str) -> bytes:
    network = IPNetwork(destination)
    significant: bytes = network.network.packed[: (network.prefixlen + 7) // 8]
    return bytes([network.prefixlen]) + significant + bytes(IPAddress(nexthop).packed)
