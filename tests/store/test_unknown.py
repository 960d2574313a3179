"""The connection is lost between a transaction and its answer: each is done once, or said to be unknown."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import pytest
from msgspec.structs import replace

from controller.model import Network, Port
from controller.store import (
    Change,
    Conflict,
    Delete,
    Duplicate,
    EmbeddedServer,
    Insert,
    Patch,
    Step,
    Store,
    Unavailable,
    Update,
)
from controller.store import store as store_module
from tests.store.cut import Wire
from tests.store.tenant import network, port, subnet

MODES = ["request", "answer", "silence"]


@pytest.fixture
async def wire(server: EmbeddedServer) -> AsyncIterator[Wire]:
    wire = Wire(server.data / "wire", server.remote)
    await wire.start()
    yield wire
    await wire.stop()


@pytest.fixture
async def frail(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """A store whose connection can be cut."""
    monkeypatch.setattr(store_module, "_ANSWER", 0.5)
    frail = Store([wire.remote])
    await frail.start()
    yield frail
    await frail.close()


@pytest.mark.parametrize("mode", MODES)
async def test_every_step_is_done_once(store: Store, frail: Store, wire: Wire, mode: str) -> None:
    net, other = network(1), network(2)
    sub = subnet(net)
    one = port(1, sub)
    await store.commit(Insert(net), Insert(sub), Insert(one), Insert(other))
    await frail.select(Network)
    inserted = network(3)
    two = port(2, sub)
    transactions: list[tuple[list[Step], Callable[[], bool]]] = [
        ([Insert(inserted)], lambda: frail.rows(Network)[inserted.id] == inserted),
        ([Insert(two)], lambda: frail.rows(Port)[two.id] == two),
        (
            [Update(net, replace(net, name="new", revision_number=1))],
            lambda: frail.rows(Network)[net.id].revision_number == 1,
        ),
        ([Patch(Port, one.id, {"status": "ACTIVE"})], lambda: frail.rows(Port)[one.id].status == "ACTIVE"),
        ([Delete(other)], lambda: other.id not in frail.rows(Network)),
    ]
    for steps, done in transactions:
        wire.dropped.clear()
        wire.drop = mode
        await frail.commit(*steps)
        assert wire.dropped.is_set(), "the wire was not cut"
        assert done()


@pytest.mark.parametrize("mode", MODES)
async def test_a_refusal_is_still_told(store: Store, frail: Store, wire: Wire, mode: str) -> None:
    net = network(1)
    await store.commit(Insert(net))
    await store.commit(Update(net, replace(net, name="first", revision_number=1)))
    wire.drop = mode
    with pytest.raises(Conflict):
        await frail.commit(Update(net, replace(net, name="second", revision_number=1)))
    assert wire.dropped.is_set()
    assert store.rows(Network)[net.id].name == "first"


async def test_what_cant_be_told_is_said_to_be_unknown(store: Store, frail: Store, wire: Wire) -> None:
    net = network(1)
    await store.commit(Insert(net))
    wire.drop = "answer"
    wire.open.clear()
    mine = replace(net, name="mine", revision_number=1)
    commit = asyncio.create_task(frail.commit(Update(net, mine)))
    await asyncio.wait_for(wire.dropped.wait(), 5)
    await store.commit(Update(mine, replace(mine, name="theirs", revision_number=2)))
    wire.open.set()
    with pytest.raises(Unavailable, match="can't be told"):
        await commit


async def test_a_row_that_others_insert_too_is_no_sign(store: Store, frail: Store, wire: Wire) -> None:
    """As a project's default group, whose id is the same for whoever needs it first: the rest is not stored."""
    shared, mine = network(1), network(2)
    await frail.select(Network)
    wire.drop = "request"
    wire.open.clear()
    commit = asyncio.create_task(frail.commit(Insert(shared), Insert(mine)))
    await asyncio.wait_for(wire.dropped.wait(), 5)
    await store.commit(Insert(shared))
    wire.open.set()
    with pytest.raises(Duplicate):
        await commit
    assert mine.id not in store.rows(Network)


async def test_no_connection_in_time(store: Store, frail: Store, wire: Wire) -> None:
    wire.drop = "request"
    wire.open.clear()
    with pytest.raises(Unavailable, match="unknown"):
        await frail.commit(Insert(network(1)), timeout=0.5)
    with pytest.raises(Unavailable, match="can't be reached"):
        await frail.commit(Insert(network(2)), timeout=0.2)
    with pytest.raises(Unavailable, match="can't be reached"):
        await frail.select(Network, timeout=0.2)
    wire.open.set()


async def test_what_happened_meanwhile_is_told(store: Store, frail: Store, wire: Wire) -> None:
    stays, goes, changes = network(1), network(2), network(3)
    await store.commit(Insert(stays), Insert(goes), Insert(changes))
    await frail.select(Network)
    wire.open.clear()
    wire.drop = "request"
    patch = asyncio.create_task(frail.commit(Patch(Network, stays.id, {"name": "patched"})))
    await asyncio.wait_for(wire.dropped.wait(), 5)
    changed = replace(changes, name="new", revision_number=1)
    comes = network(4)
    await store.commit(Delete(goes), Update(changes, changed), Insert(comes))
    assert frail.rows(Network)[goes.id] == goes, "what was read stays readable"
    told: list[list[Change]] = []
    frail.subscribe(told.append)
    wire.open.set()
    await patch
    assert {change[1:] for change in told[0]} == {
        (goes.id, goes, None),
        (changes.id, changes, changed),
        (comes.id, None, comes),
    }
    await store.select(Network)
    assert frail.rows(Network) == store.rows(Network)


async def test_a_database_that_stands_still(
    server: EmbeddedServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does what it was asked before it stood still, and then what it is asked again: once in the end."""
    monkeypatch.setattr(store_module, "_ANSWER", 0.3)
    net, gone = network(1), network(2)
    await store.commit(Insert(net), Insert(gone))
    added = network(3)
    renamed = replace(net, name="new", revision_number=1)
    assert server.pid is not None
    for steps in ([Insert(added)], [Update(net, renamed)], [Delete(gone)]):
        os.kill(server.pid, signal.SIGSTOP)
        commit = asyncio.create_task(store.commit(*steps))
        await asyncio.sleep(0.5)
        os.kill(server.pid, signal.SIGCONT)
        await commit
    assert store.rows(Network) == {net.id: renamed, added.id: added}
