"""Numbers that stand for something on one host alone: a local VLAN tag for a network, and the like.

They are kept in the host's own OVSDB, so that a restart of control finds them again and rewrites no flow.
"""

from collections.abc import Iterable, Mapping

import msgspec
import structlog

log = structlog.get_logger()


class Kind(msgspec.Struct, frozen=True):
    """On the host, ``prefix`` + number is the key, whose the number is, the value."""

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
"""Whose: ids of floating IPs and routers. The zones below are those of the local VLAN tags."""
PEERS = Kind("tunbridge-peer-", 60001, 64999, "OpenFlow ports for BFD")
"""Whose: system-ids of other hosts."""
KINDS = (TAGS, ZONES, PEERS)


class HostNumbers:
    """The numbers of one kind on one host."""

    def __init__(self, kind: Kind, kept: Mapping[int, str]) -> None:
        """``kept``: number -> key, as the host has them."""
        self._first, self._last, self._what = kind.first, kind.last, kind.what
        self.by_key = {key: number for number, key in kept.items() if self._first <= number <= self._last}
        self._next = self._first

    def assign(self, keys: Iterable[str]) -> dict[str, int | None]:
        """Make just these keys have numbers. Returns key -> its new number, or None where it lost it.

        When all are in use the rest go without."""
        present = set(keys)
        changes: dict[str, int | None] = {}
        for key in self.by_key.keys() - present:
            del self.by_key[key]
            changes[key] = None
        if missing := sorted(present - self.by_key.keys()):
            used = set(self.by_key.values())
            for key in missing:
                if (number := self._free(used)) is None:
                    log.error(f"all {self._what} of a host are in use: one goes without", key=key)
                    continue
                used.add(number)
                changes[key] = self.by_key[key] = number
        return changes

    def _free(self, used: set[int]) -> int | None:
        """The next one after the last that was given: a number that was just freed rests a while."""
        count = self._last - self._first + 1
        if len(used) >= count:
            return None
        for step in range(count):
            number = (self._next - self._first + step) % count + self._first
            if number not in used:
                self._next = number + 1
                return number
        return None
