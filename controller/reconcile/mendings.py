"""What somebody changed by hand on hosts, and has been put right."""

from collections import deque
from collections.abc import Callable, Iterable

import msgspec
import structlog
from prometheus_client import Counter

log = structlog.get_logger()

DATABASE = "Open_vSwitch"
KEPT = 1000
"""Mendings that are remembered; the oldest goes first."""
LOGGED = 5
"""Of one occasion, so many are named in the log."""


class Mending(msgspec.Struct, frozen=True):
    at: str
    host: str
    where: str
    """A bridge, or DATABASE."""
    kind: str
    """``flow``, ``meter``, ``group`` or ``database``."""
    what: str


class Mendings:
    """``stamp``: the time now, RFC 3339. ``counter``: labelled by kind."""

    def __init__(self, stamp: Callable[[], str], counter: Counter) -> None:
        self.latest: deque[Mending] = deque(maxlen=KEPT)
        self._stamp, self._counter = stamp, counter

    def note(self, host: str, where: str, what: Iterable[tuple[str, str]]) -> None:
        """``what``: (kind, words) of each."""
        now = self._stamp()
        made = [Mending(now, host, where, kind, words) for kind, words in what]
        for mending in made:
            self._counter.labels(mending.kind).inc()
        self.latest += made
        named = [mending.what for mending in made[:LOGGED]]
        log.warning("changed by hand, and mended", host=host, where=where, count=len(made), what=named)
