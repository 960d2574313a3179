"""How a network is carried: by VXLAN, or by a physical network (neutron-lib: extension ``provider``)."""

from typing import Any, Literal, NamedTuple

from controller.model import Network, Segment
from controller.model.network import MTU_MAX, PHYSICAL_MTU, VLAN_MAX, VNI_MAX
from controller.northbound import values
from controller.northbound.attributes import Rule
from controller.northbound.draft import Draft
from controller.northbound.faults import InvalidInput

TYPE, PHYSICAL_NETWORK, SEGMENTATION_ID = (
    "provider:network_type",
    "provider:physical_network",
    "provider:segmentation_id",
)
VXLAN, FLAT, VLAN = "vxlan", "flat", "vlan"
PHYSICAL_MTU_MAX = 9000
"""Bytes: what switches for jumbo frames carry. Nobody tells us what the physical network does, so this much may be
asked for."""


class Wanted(NamedTuple):
    type: str = VXLAN
    physical_network: str = ""
    segmentation_id: int | None = None


def wanted(given: dict[str, Any]) -> Wanted:
    """What a request for a network asks for, taken out of `given`."""
    kind = given.pop(TYPE, None)
    physical_network, number = given.pop(PHYSICAL_NETWORK, ""), given.pop(SEGMENTATION_ID, None)
    if kind is None:
        if physical_network or number is not None:
            raise InvalidInput("network_type required")
        return Wanted()
    if kind == VXLAN:
        if physical_network:
            raise InvalidInput(f"{PHYSICAL_NETWORK} specified for vxlan network")
        _check_range(number, VNI_MAX)
    elif kind == FLAT:
        if not physical_network:
            raise InvalidInput("physical_network required for flat provider network")
        if number is not None:
            raise InvalidInput("segmentation_id prohibited for flat provider network")
    elif kind == VLAN:
        if not physical_network and number is not None:
            raise InvalidInput("segmentation_id requires physical_network for VLAN provider network")
        if not physical_network:
            raise InvalidInput("physical_network required for VLAN provider network")
        _check_range(number, VLAN_MAX)
    else:
        raise InvalidInput(f"network_type value '{kind}' not supported")
    return Wanted(kind, physical_network, number)


def place(draft: Draft, wanted: Wanted) -> dict[str, Any]:
    """The fields of a network that is carried as wanted."""
    if wanted.type == VXLAN:
        return {"vni": draft.vni(wanted.segmentation_id)}
    segment = draft.segment(wanted.physical_network, 0 if wanted.type == FLAT else wanted.segmentation_id)
    return {"vni": draft.vni(None), "segments": (segment,)}


def keep(network: Network, given: dict[str, Any]) -> None:
    """How a network is carried stays as it is; to say so once more is no error."""
    own = {TYPE: network_type(network), PHYSICAL_NETWORK: physical_network(network), SEGMENTATION_ID: number(network)}
    differing = [attribute for attribute, value in own.items() if given.pop(attribute, value) != value]
    if differing:
        raise InvalidInput(
            "Plugin does not support updating the following provider network attributes: " + ", ".join(differing)
        )


def mtu(wanted: int, segment: Segment | None) -> int:
    """Bytes; 0 asks for the default."""
    largest = PHYSICAL_MTU_MAX if segment else MTU_MAX
    if wanted > largest:
        raise InvalidInput(f"Requested MTU is too big, maximum is {largest}")
    return wanted or (PHYSICAL_MTU if segment else MTU_MAX)


def network_type(network: Network) -> str:
    if network.segment is None:
        return VXLAN
    return VLAN if network.segment.vlan else FLAT


def physical_network(network: Network) -> str | None:
    return network.segment.physical_network if network.segment else None


def number(network: Network) -> int | None:
    """VNI or VLAN."""
    return network.segment.vlan or None if network.segment else network.vni


def _check_range(number: int | None, largest: int) -> None:
    if number is not None and not 1 <= number <= largest:
        raise InvalidInput(f"segmentation_id out of range (1 through {largest})")


RULES = {
    TYPE: Rule(
        values.text(32), get=network_type, post=True, put=True, sort=False, type=Literal["vxlan", "flat", "vlan"]
    ),
    PHYSICAL_NETWORK: Rule(values.text(64), get=physical_network, post=True, put=True, sort=False, type=str | None),
    SEGMENTATION_ID: Rule(
        values.integer, get=number, post=True, put=True, sort=False, matches=values.integer, type=int | None
    ),
}
"""Attributes of a network."""
