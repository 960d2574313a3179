"""Local VLAN tags: which number stands for which network on one host.

They are kept in the host's own OVSDB, so that a restart of control finds them again and rewrites no flow.
"""

from collections.abc import Iterable, Mapping

import structlog

log = structlog.get_logger()

FIRST, LAST = 1, 4094
"""IEEE 802.1Q: 0 and 4095 are reserved."""


class HostTags:
    """The tags of one host."""

    def __init__(self, kept: Mapping[int, str]) -> None:
        """``kept``: tag -> network, as the host has them."""
        self.by_network = {network: tag for tag, network in kept.items() if FIRST <= tag <= LAST}
        self._next = FIRST

    def assign(self, networks: Iterable[str]) -> dict[str, int | None]:
        """Make just these networks have tags. Returns network -> its new tag, or None where it lost it.

        When all 4,094 are in use the rest go without."""
        present = set(networks)
        changes: dict[str, int | None] = {}
        for network in self.by_network.keys() - present:
            del self.by_network[network]
            changes[network] = None
        for network in sorted(present - self.by_network.keys()):
            if (tag := self._free()) is None:
                log.error("all local VLAN tags of a host are in use: a network has no tunnel there", network=network)
                continue
            changes[network] = self.by_network[network] = tag
        return changes

    def _free(self) -> int | None:
        """The next one after the last that was given: a tag that was just freed rests a while."""
        used = set(self.by_network.values())
        for step in range(LAST):
            tag = (self._next - FIRST + step) % LAST + FIRST
            if tag not in used:
                self._next = tag + 1
                return tag
        return None
