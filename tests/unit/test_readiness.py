"""A gateway comes back step by step."""

import asyncio
from collections.abc import Hashable
from typing import Any

import pytest

from controller.reconcile import readiness
from controller.reconcile.readiness import Readiness
from controller.view.network import BUSY, MET
from controller.view.source import Rows
from controller.view.topology import GATEWAYS, GATEWAYS_ON_HOST, ranked
from controller.view.view import View

OUTWARD, INWARD = False, True


def firsts(view: View) -> list[tuple[str, str, str]]:
    """Whom two gateways, and a host that is none, hold to be first: for what goes out, for what comes in."""
    return [
        (host, *(next(ranked(view, "r", host, inward=inward)) for inward in (OUTWARD, INWARD)))
        for host in ("g1", "g2", "h1")
    ]


async def test_a_gateway_comes_back_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "TOLD", 0.01)
    view = View([], [GATEWAYS_ON_HOST])
    confirmed: set[str] = set()
    done = asyncio.Event()

    def put(kind: Rows[Any, Any], key: Hashable, value: object) -> None:
        view.put([(kind, key, value)])
        if kind is BUSY and value is None:
            done.set()

    made = Readiness(view, put, lambda host: True, lambda host, version: host in confirmed)
    view.put([(GATEWAYS, "r", ("g1", "g2"))])
    made.empty("g1")
    made.look(["g1"], 1)
    assert firsts(view) == [("g1", "g2", "g2"), ("g2", "g2", "g2"), ("h1", "g2", "g2")], "BFD has not found it"
    for pair in (("g1", "g2"), ("g2", "g1")):
        view.put([(MET, pair, True)])
    made.look(["g1"], 2)
    made.look(["g1"], 2)
    assert firsts(view) == [("g1", "g1", "g1"), ("g2", "g2", "g2"), ("h1", "g2", "g2")], "it alone knows its place"
    confirmed.add("g1")
    made.look(["g1"], 3)
    assert firsts(view) == [("g1", "g1", "g1"), ("g2", "g1", "g2"), ("h1", "g1", "g2")], "the outside is being told"
    async with asyncio.timeout(5):
        await done.wait()
    assert firsts(view) == [("g1", "g1", "g1"), ("g2", "g1", "g1"), ("h1", "g1", "g1")]
