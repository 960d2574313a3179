"""Which hosts can be gateways now: who is away, who comes back, and whom BFD has found, as rows for the apps.

A gateway comes back in steps, so that no packet meets two hosts that each think that it is the other's turn. First it
knows its place itself; then the others hand over to it, and it tells the outside; at last they take nothing more from
there.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from controller.view.network import ALONE, AWAY, BUSY, EMPTY, MET, TAKING
from controller.view.source import Rows
from controller.view.topology import GATEWAYS_ON_HOST, MESH
from controller.view.view import View

UNMET = 10.0
"""Seconds that a gateway with all its flows is held back until BFD has found the others: some may be out of reach."""
TOLD = 0.5
"""Seconds after which the outside knows that it has been told, and who stood in has nothing more to take."""


class Readiness:
    """``put``: a row for the view. ``live(host)``: the hosts that its BFD sessions reach, None when it is not there to
    tell. ``adopted(host)``: all its bridges have their flows; ``settled(host, version)``: and have confirmed everything
    up to a version."""

    def __init__(
        self,
        view: View,
        put: Callable[[Rows[Any, Any], Hashable, object], None],
        *,
        live: Callable[[str], frozenset[str] | None],
        adopted: Callable[[str], bool],
        settled: Callable[[str, int], bool],
    ) -> None:
        self._view, self._put = view, put
        self._live, self._adopted, self._settled = live, adopted, settled
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._alone: dict[str, int] = {}
        """Host -> the version since which it knows its place."""

    def away(self, host: str, is_away: bool) -> None:
        self._put(AWAY, host, True if is_away else None)

    def empty(self, host: str) -> None:
        """A bridge of it lacks all flows: as a gateway it comes last until it has them and the others have found it."""
        self._step(host, EMPTY)

    def met(self, host: str, before: frozenset[str], now: frozenset[str]) -> None:
        """Whom BFD has found from a host."""
        for peer in before ^ now:
            self._put(MET, (host, peer), True if peer in now else None)

    def look(self, hosts: Iterable[str], version: int) -> None:
        """Something has changed for these, in the batch of this version or since: how far are they?"""
        for host in hosts:
            stage = self._view.row(BUSY, host)
            if stage == EMPTY and self._adopted(host):
                if self._found(host):
                    self._step(host, ALONE)
                elif host not in self._timers:
                    self._later(host, UNMET, ALONE)
            elif stage == ALONE and self._settled(host, self._alone.setdefault(host, version)):
                self._step(host, TAKING)
                self._later(host, TOLD, None)

    def _found(self, host: str) -> bool:
        """Do all that hand over to it, and are there, reach it by BFD, and it them?"""
        if not self._view.members(GATEWAYS_ON_HOST, host):
            return True
        reached = self._live(host) or frozenset()
        for other in self._view.row(MESH, host) or ():
            back = None if self._view.row(BUSY, other) else self._live(other)
            if back is not None and (other not in reached or host not in back):
                return False
        return True

    def _step(self, host: str, stage: int | None) -> None:
        if (timer := self._timers.pop(host, None)) is not None:
            timer.cancel()
        self._alone.pop(host, None)
        self._put(BUSY, host, stage)

    def _later(self, host: str, seconds: float, stage: int | None) -> None:
        self._timers[host] = asyncio.get_running_loop().call_later(seconds, self._step, host, stage)
