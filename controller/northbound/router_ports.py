"""What routers and floating IPs have to say when a port goes, or becomes another."""

from collections.abc import Collection
from typing import Any

from controller.model import FloatingIP, Network, Port
from controller.northbound.draft import Draft
from controller.northbound.faults import UnsupportedPortDeviceOwner
from controller.northbound.router_faults import ServicePortInUse

OWN = ("fixed_ips", "device_id", "device_owner")
"""What is a router's or a floating IP's to change on its ports."""


def check_delete(draft: Draft, port: Port) -> None:
    """A port of a router or a floating IP goes with it, not by itself."""
    if port.id in draft.index.routing.owners:
        raise ServicePortInUse(id=port.id, owner=port.device_owner)


def check_update(draft: Draft, port: Port, given: dict[str, Any]) -> None:
    """What was `given` to change of the port is its own to change, or is what it is already."""
    if port.id not in draft.index.routing.owners:
        return
    for name in OWN:
        if name in given and not (
            _holds(port, given[name]) if name == "fixed_ips" else getattr(port, name) == given[name]
        ):
            raise UnsupportedPortDeviceOwner(operation=f"{name} update", owner=port.device_owner, id=port.id)


def _holds(port: Port, wanted: list[tuple[str | None, str | None]]) -> bool:
    """As many addresses as the port has, each of them one that it has; (subnet id, address) pairs, None: any."""
    return len(wanted) == len(port.fixed_ips) and all(
        any(subnet_id in (None, held.subnet_id) and address in (None, held.ip_address) for held in port.fixed_ips)
        for subnet_id, address in wanted
    )


def release(draft: Draft, port: Port, kept: Collection[str] = ()) -> None:
    """Nothing from outside leads to the port's addresses any more, but for those `kept`."""
    routing = draft.index.routing
    for id in routing.floating_ips_to.get(port.id, ()):
        floating_ip = routing.floating_ips[id]
        if floating_ip.fixed_ip_address not in kept:
            draft.change(floating_ip, port_id=None, fixed_ip_address=None, router_id=None)
    gone = {
        id
        for id in routing.forwardings_to.get(port.id, ())
        if routing.port_forwardings[id].internal_ip_address not in kept
    }
    for floating_ip_id in {routing.port_forwardings[id].floatingip_id for id in gone}:
        drop_forwardings(draft, routing.floating_ips[floating_ip_id], gone)


def drop_forwardings(draft: Draft, floating_ip: FloatingIP, gone: Collection[str]) -> None:
    """The floating IP without those of its forwardings that are in `gone`; without any, no router has it."""
    routing = draft.index.routing
    own = routing.forwardings_of.get(floating_ip.id, set())
    for id in own.intersection(gone):
        draft.delete(routing.port_forwardings[id])
    # Its next revision lets two requests that each leave one of the last two exclude each other.
    draft.change(floating_ip, router_id=floating_ip.router_id if own.difference(gone) else None)


def drop_unused(draft: Draft, network: Network) -> set[str]:
    """Deletes those floating IPs of a network to be deleted that are in no use; answers the ids of their ports."""
    routing = draft.index.routing
    holders = set()
    for id in routing.floating_ips_on.get(network.id, ()):
        floating_ip = routing.floating_ips[id]
        if floating_ip.port_id is None and floating_ip.router_id is None:
            # Its next revision, although it goes: it may be put to use at the same time.
            draft.change(floating_ip)
            draft.delete(floating_ip)
            draft.delete(draft.index.ports[floating_ip.holder_id])
            holders.add(floating_ip.holder_id)
    return holders
