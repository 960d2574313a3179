"""The controller's own ports on a host: what they are called, how they are set, how they are known again."""

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from controller.ovsdb.replica import Row
from controller.southbound.kept import PEERS
from flows.tables import BR_INT, BR_TUN, PATCH_EX, PATCH_INT, PATCH_TUN, VXLAN

PEER_KEY = "tunbridge-peer"
"""Key of Interface external_ids: the system-id of the host to which a BFD port leads."""
BFD = {"enable": "true", "min_tx": "100", "min_rx": "100"}
"""Milliseconds. With the default multiplier of 3, a peer counts as dead after 300."""
_PATCH = re.compile(r"patch-(int-)?ex((?:-\d+)?)")
_BFD = re.compile(r"(bfd|peer)-([0-9]{5})")

Peers = Mapping[int, str]
"""OpenFlow port of br-int -> system-id of the host that is watched there."""


class OwnPort(msgspec.Struct, frozen=True):
    """A port of the controller's own, with one interface of the same name."""

    bridge: str
    name: str
    type: str
    options: Mapping[str, str]
    """Those that matter; others are left as they are."""
    ofport: int | None
    """The OpenFlow port that flows speak of."""
    external_ids: Mapping[str, str] = {}
    """As for ``options``."""
    bfd: Mapping[str, str] | None = None
    """All that is to be in the column; None leaves it as it is."""


def patch(index: int) -> tuple[str, str, int]:
    """To the external bridge of that index, from 0: the port on br-int, the one on the bridge, and br-int's number."""
    suffix = f"-{index + 1}" if index else ""
    return f"patch-ex{suffix}", f"patch-int-ex{suffix}", PATCH_EX + index


def base_ports(tunnel_ip: str, externals: Sequence[str]) -> tuple[OwnPort, ...]:
    """Those that a host needs to be ready. ``externals``: the bridges to which br-int is patched."""

    def patches() -> Iterator[OwnPort]:
        for index, bridge in enumerate(externals):
            inner, outer, number = patch(index)
            yield OwnPort(BR_INT, inner, "patch", {"peer": outer}, number)
            yield OwnPort(bridge, outer, "patch", {"peer": inner}, None)

    tunnel = {"remote_ip": "flow", "key": "flow", "local_ip": tunnel_ip}
    return (
        OwnPort(BR_INT, "patch-tun", "patch", {"peer": "patch-int"}, PATCH_TUN),
        OwnPort(BR_TUN, "patch-int", "patch", {"peer": "patch-tun"}, PATCH_INT),
        OwnPort(BR_TUN, "vxlan", "vxlan", tunnel, VXLAN),
        *patches(),
    )


def bfd_ports(peers: Peers) -> tuple[OwnPort, ...]:
    """A patch for each peer: flows of br-tun connect its far end to the tunnels, so that BFD hears only hosts that have
    their flows."""

    def patches() -> Iterator[OwnPort]:
        for ofport, system_id in sorted(peers.items()):
            inner, outer = f"bfd-{ofport}", f"peer-{ofport}"
            ids = {PEER_KEY: system_id}
            yield OwnPort(BR_INT, inner, "patch", {"peer": outer}, ofport, external_ids=ids, bfd=BFD)
            yield OwnPort(BR_TUN, outer, "patch", {"peer": inner}, ofport)

    return tuple(patches())


def may_be_own(name: str) -> bool:
    """Is it a name that a controller gives to ports which may be unwanted one day?"""
    return (_BFD.fullmatch(name) or _PATCH.fullmatch(name)) is not None


def is_patch(interface: Row) -> bool:
    return interface["type"] == "patch" and _PATCH.fullmatch(interface["name"]) is not None


def is_unchanged_patch(interface: Row) -> bool:
    """One of ours that still leads where we have let it lead."""
    match = _PATCH.fullmatch(interface["name"])
    if match is None or interface["type"] != "patch":
        return False
    return bool(interface["options"].get("peer") == f"patch-{'' if match[1] else 'int-'}ex{match[2]}")


def bfd_port(interface: Row) -> int:
    """The OpenFlow port for which an end of a BFD patch of ours was made; 0 when it is none of ours."""
    match = _BFD.fullmatch(interface["name"])
    if match is None or interface["type"] != "patch":
        return 0
    number, other = int(match[2]), f"{'peer' if match[1] == 'bfd' else 'bfd'}-{match[2]}"
    ours = PEERS.first <= number <= PEERS.last and interface["options"].get("peer") == other
    return number if ours else 0
