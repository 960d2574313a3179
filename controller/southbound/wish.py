"""How a host should be set up: what it says of itself, with a default for whatever it does not say.

The keys in external_ids are those that operators of OVN and ``ovn-controller(8)`` know.
"""

import ipaddress
from collections.abc import Iterable, Mapping

import msgspec

from controller.ovsdb.replica import Row
from controller.southbound.layout import Layout
from controller.southbound.own import OwnPort, Peers, base_ports, bfd_ports
from flows.tables import BR_INT, BR_TUN

EXTERNAL, BR_EX = "external", "br-ex"
"""The physical network that a host has when it names none, and its bridge."""
GATEWAY = "enable-chassis-as-gw"
"""What ovn-cms-options has of a host that asks to be a gateway."""


class Wish(msgspec.Struct, frozen=True):
    """What one host is to be like."""

    system_id: str
    endpoint: str
    """Address and port at which it reached us."""
    controller: str
    """OpenFlow target for br-int and br-tun, as ``tcp:10.0.0.1:6653``."""
    tunnel_ip: str
    bridge_mappings: tuple[tuple[str, str], ...]
    """(physical network, bridge) pairs, at least one."""
    gateway: bool
    """It asks to be one."""
    datapath_type: str | None
    """For bridges that are made; None when it is not known yet."""
    ports: tuple[OwnPort, ...]
    """Without them it is not ready."""
    watched: tuple[OwnPort, ...] | None
    """BFD ports; None: whatever there is stays as it is."""
    problem: str = ""
    """What in the host's own settings can't be right."""

    @property
    def externals(self) -> tuple[str, ...]:
        """The bridges to which br-int is patched, in order."""
        return _externals(self.bridge_mappings)


def wish(
    layout: Layout, switch: Row, *, controller: str, address: str, endpoint: str, spare: str, peers: Peers | None = None
) -> Wish:
    """``switch``: the host's Open_vSwitch row. ``address``: where it connects from. ``spare``: a name for it.

    Both stand in for what it does not say. ``peers``: None when it is not known yet who they are.
    """
    said: Mapping[str, str] = switch["external_ids"]
    problems: list[str] = []
    mappings = _mappings(said.get("ovn-bridge-mappings", ""), problems) or ((EXTERNAL, BR_EX),)
    externals = _externals(mappings)
    tunnel_ip = _tunnel_ip(said.get("ovn-encap-ip", ""), address, problems)
    return Wish(
        system_id=said.get("system-id") or spare,
        endpoint=endpoint,
        controller=controller,
        tunnel_ip=tunnel_ip,
        bridge_mappings=mappings,
        gateway=GATEWAY in (option.strip() for option in said.get("ovn-cms-options", "").split(",")),
        datapath_type=said.get("ovn-bridge-datapath-type") or _datapath_type(layout, switch, externals),
        ports=base_ports(tunnel_ip, externals),
        watched=None if peers is None else bfd_ports(peers),
        problem="; ".join(problems),
    )


def _externals(mappings: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(bridge for _, bridge in mappings))


def _tunnel_ip(said: str, address: str, problems: list[str]) -> str:
    first = said.split(",")[0].strip()
    if not first:
        return address
    try:
        return str(ipaddress.ip_address(first))
    except ValueError:
        problems.append(f"external_ids:ovn-encap-ip {said!r} is no IP address, {address} is used")
        return address


def _mappings(said: str, problems: list[str]) -> tuple[tuple[str, str], ...]:
    """``network:bridge,network:bridge``"""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in said.split(","))):
        network, _, bridge = (part.strip() for part in pair.partition(":"))
        if not network or not bridge or bridge in (BR_INT, BR_TUN):
            problems.append(
                f"external_ids:ovn-bridge-mappings: {pair!r} is not NETWORK:BRIDGE with a bridge of its own"
            )
        elif found.setdefault(network, bridge) != bridge:
            problems.append(f"external_ids:ovn-bridge-mappings names {network!r} twice")
    return tuple(found.items())


def _datapath_type(layout: Layout, switch: Row, externals: Iterable[str]) -> str | None:
    """That of a bridge which is there already, since patch ports do not lead from one data path to another."""
    for name in (BR_INT, BR_TUN, *externals):
        if bridge := layout.bridge(name):
            return bridge["datapath_type"] or "system"
    types = switch["datapath_types"]  # ovs-vswitchd fills it in when it starts
    if not types:
        return None
    return "system" if "system" in types else "netdev"
