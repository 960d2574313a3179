"""Local VLAN tags: which number stands for which network on one host.

They are kept in the host's own OVSDB, so that a restart of control finds them again and rewrites no flow.
"""

from collections.abc import Iterable, Mapping

FIRST, LAST = 1, 4094
"""IEEE 802.1Q: 0 and 4095 are reserved."""


class TagsExhausted(Exception):
    """More than 4,094 networks on one host."""


class HostTags:
    """The tags of one host."""

    def __init__(self, kept: Mapping[int, str]) -> None:
        """``kept``: tag -> network, as the host has them."""
        self.by_network = {network: tag for tag, network in kept.items() if FIRST <= tag <= LAST}
        self._next = FIRST

    def assign(self, networks: Iterable[str]) -> dict[str, int | None]:
        """Make just these networks have tags. Returns network -> its new tag, or None where it lost it."""
        present = set(networks)
        changes: dict[str, int | None] = {}
        for network in self.by_network.keys() - present:
            del self.by_network[network]
            changes[network] = None
        for network in sorted(present - self.by_network.keys()):
            changes[network] = self.by_network[network] = self._free()
        return changes

    def _free(self) -> int:
        """The next one after the last that was given: a tag that was just freed rests a while."""
        used = set(self.by_network.values())
        for step in range(LAST):
            tag = (self._next - FIRST + step) % LAST + FIRST
            if tag not in used:
                self._next = tag + 1
                return tag
        raise TagsExhausted(f"all {LAST} local VLAN tags of the host are in use")
