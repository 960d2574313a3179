"""Numbers that a host keeps for the controller, in external_ids of its br-int: a restart finds them again."""

from collections.abc import Mapping

from controller.compile.numbers import KINDS, PEERS, TAGS, ZONES, Kind

__all__ = ["KINDS", "PEERS", "TAGS", "ZONES", "Kind", "changed"]


def changed(kind: Kind, kept: dict[int, str], old: Mapping[str, str], new: Mapping[str, str]) -> dict[int, str]:
    """What is kept when external_ids have changed from ``old`` to ``new``: ``kept`` itself when the same is."""
    differs = {number for key, _ in old.items() ^ new.items() if (number := kind.number(key))}
    if not differs:
        return kept
    now = {number: new[key] for number in differs if (key := f"{kind.prefix}{number}") in new}
    return {number: value for number, value in kept.items() if number not in differs} | now
