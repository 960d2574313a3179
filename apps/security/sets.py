"""Sets of security groups. Ports with the same groups share a set, and rules are compiled for sets, not for ports."""

from functools import lru_cache
from hashlib import blake2b

from controller.view.network import GROUP, TRUSTED, SetKey
from controller.view.view import View
from flows import tables as t

STATE = t.TRUSTED | t.STATELESS
"""The bits of FLAGS that go with SET."""


@lru_cache(maxsize=65536)
def set_id(key: SetKey) -> int:
    """What SET holds: 64 bits of digest, the same on every host and after every restart, never 0."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) | 1


def groups_of(key: SetKey) -> list[str]:
    return key.split(",") if key and key != TRUSTED else []


def flags_of(view: View, key: SetKey) -> int:
    """TRUSTED or STATELESS. A port's groups are all stateful or all stateless: the API sees to it."""
    if key == TRUSTED:
        return t.TRUSTED
    groups = [group for id in groups_of(key) if (group := view.row(GROUP, id)) is not None]
    return t.STATELESS if groups and not any(group.stateful for group in groups) else 0
