"""What a host has told of itself, as data."""

from collections.abc import Iterator, Mapping

import msgspec

from controller.ovsdb.replica import Row
from controller.southbound.kept import PEERS, TAGS, ZONES
from controller.southbound.layout import Layout
from controller.southbound.own import OwnPort, patch
from controller.southbound.repair import misplaced
from controller.southbound.wish import Wish
from flows.tables import BR_INT, BR_TUN


class HostFacts(msgspec.Struct, frozen=True):
    """A host at one moment."""

    name: str
    """external_ids:system-id; what other records call the host."""
    hostname: str
    tunnel_ip: str
    version: str
    """Open vSwitch's; empty when it does not say."""
    bridge_mappings: tuple[tuple[str, str], ...]
    """(physical network, bridge) pairs."""
    uplinks: tuple[tuple[str, int], ...]
    """(physical network, OpenFlow port of br-int that leads to its bridge), of those whose bridge has a link that is
    up."""
    gateway: bool
    """It asks to be a gateway."""
    interfaces: Mapping[str, int]
    """iface-id -> OpenFlow port on br-int. The same object as before while nothing in it changes."""
    tags: Mapping[int, str]
    """Local VLAN tag -> network id, as the host keeps them. The same object as before while nothing in it changes, as
    the next three."""
    zones: Mapping[int, str]
    """NAT's conntrack zone -> whose it is, kept likewise."""
    peers: Mapping[int, str]
    """OpenFlow port for BFD -> system-id of the host behind it, kept likewise; the port may not be there."""
    live: frozenset[str]
    """System-ids of the hosts that BFD reaches."""
    met: frozenset[str]
    """Those that it has reached at some time since the switch began."""
    bridges: Mapping[str, int]
    """br-int, br-tun -> datapath id, once the switch has made them."""
    ready: bool
    """The bridges and the controller's own ports are as they must be."""
    problem: str
    """Why it is not ready, or what in its settings can't be right, in words for an operator."""


def facts(layout: Layout, switch: Row, wish: Wish, before: HostFacts | None, missing: str, faults: str) -> HostFacts:
    """``missing``: why it is not ready, "" when it is. ``faults``: what else is wrong."""
    ids = switch["external_ids"]
    new = HostFacts(
        name=ids.get("system-id", ""),
        hostname=ids.get("hostname", ""),
        tunnel_ip=wish.tunnel_ip,
        version=switch["ovs_version"] or "",
        bridge_mappings=wish.bridge_mappings,
        uplinks=_uplinks(layout, wish),
        gateway=wish.gateway,
        interfaces=layout.interfaces,
        tags=layout.kept[TAGS],
        zones=layout.kept[ZONES],
        peers=layout.kept[PEERS],
        live=layout.live,
        met=layout.met,
        bridges={name: id for name in (BR_INT, BR_TUN) if (id := _datapath_id(layout, name))},
        ready=not missing,
        problem="; ".join(filter(None, (missing, faults, wish.problem))),
    )
    return before if before is not None and _same(new, before) else new


def lacking(layout: Layout, wish: Wish) -> str:
    """What keeps the host from being ready; "" when nothing does."""
    return next(_lacking(layout, wish), "")


def unwatched(layout: Layout, wish: Wish) -> str:
    """Which BFD port can't be had, the first of them; that costs failover, and the host is ready all the same."""
    taken_up = [
        own
        for own in wish.watched or ()
        if (interface := layout.interface(own.name)) is not None
        and (interface["ofport"] is not None or misplaced(layout, own))
    ]
    return next((fault for own in taken_up for fault in _faults(layout, own)), "")


def _uplinks(layout: Layout, wish: Wish) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for index, bridge in enumerate(wish.externals):
        interface = layout.interface(patch(index)[0])
        if interface is not None and _has_port(interface) and layout.connected(bridge):
            found[bridge] = interface["ofport"]
    return tuple((network, found[bridge]) for network, bridge in wish.bridge_mappings if bridge in found)


def _same(one: HostFacts, other: HostFacts) -> bool:
    """Equal. What is one and the same object needs no look inside: there may be thousands of interfaces."""
    pairs = ((getattr(one, field), getattr(other, field)) for field in HostFacts.__struct_fields__)
    return all(a is b or a == b for a, b in pairs)


def _datapath_id(layout: Layout, name: str) -> int:
    bridge = layout.bridge(name)
    try:
        return int(bridge["datapath_id"] or "", 16) if bridge else 0
    except ValueError:
        return 0


def _lacking(layout: Layout, wish: Wish) -> Iterator[str]:
    """What keeps the host from being ready."""
    kinds = {
        name: bridge["datapath_type"] or "system"
        for name in (BR_INT, BR_TUN, *wish.externals)
        if (bridge := layout.bridge(name))
    }
    if len(set(kinds.values())) > 1:
        shown = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
        yield f"patch ports can't join bridges of different datapath_type ({shown}): make them alike"
    for name in (BR_INT, BR_TUN):
        interface = layout.interface(name)
        if interface is not None and interface["error"] and not _has_port(interface):
            yield f"{name}: {interface['error']}"
        if not _datapath_id(layout, name):
            yield f"waiting for ovs-vswitchd to take up {name}"
    for own in wish.ports:
        yield from _faults(layout, own)


def _faults(layout: Layout, own: OwnPort) -> Iterator[str]:
    interface = layout.interface(own.name)
    if misplaced(layout, own):
        yield f"port {own.name} on {layout.place(own.name)} has the name of one of the controller's own: rename it"
    elif interface is None or not _has_port(interface):
        yield f"{own.name}: {(interface or {}).get('error') or 'waiting for ovs-vswitchd to take it up'}"
    elif own.ofport is not None and interface["ofport"] != own.ofport:
        # The switch renumbers by itself, unless another interface asks for the same number.
        yield (
            f"{own.name} has OpenFlow port {interface['ofport']}, not {own.ofport}: "
            f"see whether another interface of {own.bridge} has ofport_request={own.ofport}"
        )


def _has_port(interface: Row) -> bool:
    """Once it has an OpenFlow port, its error is old: OVS leaves that of a patch port whose peer has come back."""
    return (interface["ofport"] or -1) > 0
