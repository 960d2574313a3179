"""What guards a port: port security, its security groups, and the addresses that it may use besides its own."""

import ipaddress
from typing import Any

from controller.model import AddressPair, Network, Port
from controller.northbound import values
from controller.northbound.default_group import default_group
from controller.northbound.draft import Draft
from controller.northbound.faults import HTTPBadRequest
from controller.northbound.security_faults import (
    AddressPairAndPortSecurityRequired,
    AllowedAddressPairExhausted,
    AllowedAddressPairsMissingIP,
    DuplicateAddressPairInRequest,
    PortSecurityAndIPRequiredForSecurityGroups,
    PortSecurityPortHasSecurityGroup,
    SecurityGroupConflict,
    SecurityGroupNotFound,
)
from controller.northbound.values import Reason

ENABLED, GROUPS, PAIRS = "port_security_enabled", "security_groups", "allowed_address_pairs"
PAIRS_MAX = 10
TRUSTED_OWNER = "network:"
"""What the device owners of the network's own ports begin with: they are guarded by nothing, and in no group."""
_MULTICAST = (ipaddress.ip_network("224.0.0.0/4"), ipaddress.ip_network("ff00::/8"))


def secure(draft: Draft, network: Network, given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a new port, of what was `given` for it (which has its MAC address)."""
    trusted = given.get("device_owner", "").startswith(TRUSTED_OWNER)
    enabled = not trusted and given.get(ENABLED, network.port_security_enabled)
    pairs, groups = given.get(PAIRS, []), given.get(GROUPS)
    if not enabled:
        _check_open(pairs, groups or ())
        groups = ()
    project_id = given.get("project_id", "")
    if groups is None:
        groups = (default_group(draft, project_id),)
    else:
        _check_groups(draft, groups, project_id)
    return {ENABLED: enabled, GROUPS: groups, PAIRS: _with_mac(pairs, given["mac_address"])}


def resecure(draft: Draft, old: Port, given: dict[str, Any]) -> dict[str, Any]:
    """The fields of `old` that become others by what was `given` to change."""
    fields = {name: given[name] for name in (ENABLED, GROUPS, PAIRS) if name in given}
    if given.get("device_owner", old.device_owner).startswith(TRUSTED_OWNER):
        fields[GROUPS] = ()
    if not fields.get(ENABLED, old.port_security_enabled):
        _check_open(fields.get(PAIRS, old.allowed_address_pairs), fields.get(GROUPS, ()))
        if old.security_groups and GROUPS not in fields:
            raise PortSecurityPortHasSecurityGroup
    if fields.get(GROUPS, old.security_groups) != old.security_groups:
        _check_groups(draft, fields[GROUPS], old.project_id)
    if PAIRS in fields:
        fields[PAIRS] = _with_mac(fields[PAIRS], given.get("mac_address", old.mac_address))
    return fields


def _check_open(pairs: Any, groups: tuple[str, ...]) -> None:
    """What a port without port security can't have."""
    if pairs:
        raise AddressPairAndPortSecurityRequired
    if groups:
        raise PortSecurityAndIPRequiredForSecurityGroups


def _check_groups(draft: Draft, ids: tuple[str, ...], project_id: str) -> None:
    """A port that belongs to no project may be in any group."""
    groups = [draft.index.security_groups.get(id) for id in ids]
    absent = [
        id
        for id, group in zip(ids, groups, strict=True)
        if group is None or (project_id and group.project_id != project_id)
    ]
    if absent:
        raise SecurityGroupNotFound(id=", ".join(absent))
    if len({group.stateful for group in groups if group is not None}) > 1:
        raise SecurityGroupConflict(
            reason="Cannot apply both stateful and stateless security groups on the same port at the same time"
        )


def _with_mac(pairs: list[tuple[str, str | None]], mac: str) -> tuple[AddressPair, ...]:
    """The pairs, those without a MAC address with the port's."""
    found: dict[AddressPair, None] = {}
    for ip, own_mac in pairs:
        pair = AddressPair(ip_address=ip, mac_address=own_mac or mac)
        if pair in found:
            raise DuplicateAddressPairInRequest(mac=pair.mac_address, ip=ip)
        found[pair] = None
    return tuple(found)


# Single values


def group_ids(value: Any) -> tuple[str, ...]:
    """Different ids, in the order in which the store gives them; null is none."""
    return () if value is None else tuple(sorted(set(map(values.identifier, values.different(value)))))


def address_pairs(value: Any) -> list[tuple[str, str | None]]:
    """(address or prefix, MAC address or None for the port's) pairs. Errors as of neutron-lib's validator."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise HTTPBadRequest("Allowed address pairs must be a list.")
    if len(value) > PAIRS_MAX:
        raise AllowedAddressPairExhausted(quota=PAIRS_MAX)
    found: dict[tuple[str, str | None], None] = {}
    for each in value:
        if not isinstance(each, dict):
            raise Reason(f"'{each}' is not a dictionary")
        try:
            pair = _address_pair(each)
        except Reason as reason:
            raise HTTPBadRequest(str(reason)) from None
        if pair in found:
            raise DuplicateAddressPairInRequest(mac=each.get("mac_address"), ip=each["ip_address"])
        found[pair] = None
    return list(found)


def _address_pair(given: dict[str, Any]) -> tuple[str, str | None]:
    mac = values.mac_address(given["mac_address"]) if "mac_address" in given else None
    if "ip_address" not in given:
        raise AllowedAddressPairsMissingIP
    unknown = given.keys() - {"mac_address", "ip_address"}
    if unknown:
        raise Reason(f"Unrecognized attribute(s) '{', '.join(sorted(unknown))}'")
    ip = given["ip_address"]
    if isinstance(ip, str) and "/" in ip:
        return _not_multicast_prefix(values.prefix(ip)), mac
    address = values.ip_address(ip)
    if ipaddress.ip_address(address).is_multicast:
        raise Reason(f"IP {ip} is a multicast address, which is not supported.")
    return address, mac


def _not_multicast_prefix(prefix: str) -> str:
    network = ipaddress.ip_network(prefix)
    for multicast in _MULTICAST:
        # All of IPv4 may be allowed, as the real service has it; all of IPv6 is no different.
        if network.prefixlen and network.version == multicast.version and network.overlaps(multicast):
            raise Reason(f"Subnet {prefix} overlaps with multicast range {multicast}, which is not supported.")
    return prefix
