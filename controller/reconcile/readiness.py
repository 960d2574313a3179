"""Which hosts can be gateways now: who is away, who lacks flows, and whom BFD has found, as rows for the apps."""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from controller.view.network import AWAY, BUSY, MET
from controller.view.source import Rows
from controller.view.topology import GATEWAYS, GATEWAYS_ON_HOST
from controller.view.view import View

UNMET = 10.0
"""Seconds that a gateway with all its flows is held back until BFD has found the others: one may just have died."""


class Readiness:
    """``put``: a row for the view. ``adopted(host)``: all its bridges have their flows."""

    def __init__(
        self, view: View, put: Callable[[Rows[Any, Any], Hashable, object], None], adopted: Callable[[str], bool]
    ) -> None:
        self._view, self._put, self._adopted = view, put, adopted
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def away(self, host: str, is_away: bool) -> None:
        self._put(AWAY, host, True if is_away else None)

    def empty(self, host: str) -> None:
        """A bridge of it lacks all flows: as a gateway it comes last until it has them and the others have found it."""
        if (timer := self._timers.pop(host, None)) is not None:
            timer.cancel()
        self._put(BUSY, host, True)

    def met(self, host: str, before: frozenset[str], now: frozenset[str]) -> None:
        """Whom BFD has found from a host."""
        for peer in before ^ now:
            self._put(MET, (host, peer), True if peer in now else None)

    def look(self, hosts: Iterable[str]) -> None:
        """Something has changed for these: are they ready?"""
        for host in hosts:
            if not self._view.row(BUSY, host) or not self._adopted(host):
                continue
            if all(self._view.row(MET, pair) is not None for pair in self._pairs(host)):
                self._ready(host)
            elif host not in self._timers:
                self._timers[host] = asyncio.get_running_loop().call_later(UNMET, self._ready, host)

    def _pairs(self, host: str) -> Iterator[tuple[str, str]]:
        """Its sessions with the other gateway hosts of its routers that are there and have been for a while."""
        for router in self._view.members(GATEWAYS_ON_HOST, host):
            for other in self._view.row(GATEWAYS, router) or ():
                if other != host and not self._view.row(AWAY, other) and not self._view.row(BUSY, other):
                    yield host, other
                    yield other, host

    def _ready(self, host: str) -> None:
        if (timer := self._timers.pop(host, None)) is not None:
            timer.cancel()
        self._put(BUSY, host, None)
