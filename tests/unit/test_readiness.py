"""A gateway comes back step by step."""

import asyncio
from collections.abc import Hashable
from typing import Any

import pytest

from controller.reconcile import readiness
from controller.reconcile.readiness import Readiness
from controller.view.network import BUSY
from controller.view.source import Rows
from controller.view.topology import GATEWAYS, GATEWAYS_ON_HOST, MESH, ranked
from controller.view.view import View

HOSTS = ("g1", "g2", "h1")


def firsts(view: View) -> list[tuple[str, str, str]]:
    """Whom two gateways, and a host that is none, hold to be first: for what goes out, and for what comes in."""
    out, back = ({h: next(ranked(view, "r", h, inward=inward)) for h in HOSTS} for inward in (False, True))
    return [(host, out[host], back[host]) for host in HOSTS]


async def test_a_gateway_comes_back_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "TOLD", 0.01)
    view = View([], [GATEWAYS_ON_HOST])
    confirmed: set[str] = set()
    done = asyncio.Event()

    def put(kind: Rows[Any, Any], key: Hashable, value: object) -> None:
        view.put([(kind, key, value)])
        if kind is BUSY and value is None:
            done.set()

    live = {"g1": frozenset({"g2", "h1"}), "g2": frozenset({"g1", "h1"}), "h1": frozenset({"g2"})}
    made = Readiness(view, put, live=live.get, adopted=lambda _: True, settled=lambda host, version: host in confirmed)
    view.put([(GATEWAYS, "r", ("g1", "g2")), (MESH, "g1", frozenset({"g2", "h1", "h2"}))])
    made.empty("g1")
    made.look(["g1"], 1)
    assert firsts(view) == [("g1", "g2", "g2"), ("g2", "g2", "g2"), ("h1", "g2", "g2")], "a host does not reach it yet"
    live["h1"] = frozenset({"g1", "g2"})
    made.look(["g1"], 2)
    made.look(["g1"], 2)
    assert firsts(view) == [("g1", "g1", "g1"), ("g2", "g2", "g2"), ("h1", "g2", "g2")], "it alone knows its place"
    confirmed.add("g1")
    made.look(["g1"], 3)
    assert firsts(view) == [("g1", "g1", "g1"), ("g2", "g1", "g2"), ("h1", "g1", "g2")], "the outside is being told"
    async with asyncio.timeout(5):
        await done.wait()
    assert firsts(view) == [("g1", "g1", "g1"), ("g2", "g1", "g1"), ("h1", "g1", "g1")]
