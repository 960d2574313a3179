"""Numbers that a host keeps for the controller, in external_ids of its br-int: a restart finds them again."""

from collections.abc import Mapping

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """``prefix`` + number is the key, whose the number is, the value."""

    prefix: str
    first: int
    last: int
    what: str
    """In words, for the log."""

    def number(self, key: str) -> int:
        """Of one of the kind's keys; 0 for any other."""
        digits = key.removeprefix(self.prefix)
        number = int(digits) if digits != key and digits.isdecimal() else 0
        return number if self.first <= number <= self.last else 0


TAGS = Kind("tunbridge-tag-", 1, 4094, "local VLAN tags")
"""Whose: network ids. IEEE 802.1Q reserves 0 and 4095."""
ZONES = Kind("tunbridge-zone-", 4096, 65535, "conntrack zones")
"""For NAT; the zones below are those of the local VLAN tags."""
PEERS = Kind("tunbridge-peer-", 60001, 64999, "OpenFlow ports for BFD")
"""Whose: system-ids of other hosts."""
KINDS = (TAGS, ZONES, PEERS)


def changed(kind: Kind, kept: dict[int, str], old: Mapping[str, str], new: Mapping[str, str]) -> dict[int, str]:
    """What is kept when external_ids have changed from ``old`` to ``new``: ``kept`` itself when the same is."""
    differs = {number for key, _ in old.items() ^ new.items() if (number := kind.number(key))}
    if not differs:
        return kept
    now = {number: new[key] for number in differs if (key := f"{kind.prefix}{number}") in new}
    return {number: value for number, value in kept.items() if number not in differs} | now
