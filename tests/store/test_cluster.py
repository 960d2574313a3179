"""Three members of a RAFT cluster: the store follows the leader, and a killed leader costs no acknowledged write."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from signal import SIGKILL

import pytest

from controller.model import Network
from controller.store import Insert, Store
from controller.store.schema import DATABASE, schema
from tests.store.process import Server, run
from tests.store.tenant import network


@pytest.fixture
async def members(folder: Path) -> AsyncIterator[list[Server]]:
    members: list[Server] = []
    for number in range(3):
        (folder / str(number)).mkdir()
        member = Server(folder / str(number))
        raft = f"unix:{member.folder}/raft"
        if members:
            first = f"unix:{members[0].folder}/raft"
            await run("ovsdb-tool", "join-cluster", str(member.file), DATABASE, raft, first)
        else:
            (folder / "schema").write_text(json.dumps(schema()))
            await run("ovsdb-tool", "create-cluster", str(member.file), str(folder / "schema"), raft)
        await member.start()
        members.append(member)
    for member in members:
        await run("ovsdb-client", "-t", "20", "wait", member.remote, DATABASE, "connected")
    yield members
    for member in members:
        await member.stop(SIGKILL)


async def leader(members: list[Server]) -> Server:
    async with asyncio.timeout(20):
        while True:
            for member in members:
                status = await run("ovs-appctl", "-t", member.control, "cluster/status", DATABASE)
                if "Role: leader" in status:
                    return member
            await asyncio.sleep(0.05)


async def test_a_killed_leader_loses_no_acknowledged_write(members: list[Server]) -> None:
    # The leader last: the others are asked first and refused.
    first = await leader(members)
    members.sort(key=lambda member: member is first)
    store = Store([member.remote for member in members])
    await store.start()
    acknowledged = []
    stop = asyncio.Event()

    async def write(writer: int) -> None:
        vni = writer
        while not stop.is_set():
            row = network(vni)
            await store.commit(Insert(row))
            assert store.rows(Network)[row.id] == row
            acknowledged.append(row.id)
            vni += 4

    writers = [asyncio.create_task(write(writer)) for writer in range(1, 5)]

    async def more(count: int) -> None:
        goal = len(acknowledged) + count
        async with asyncio.timeout(20):
            while len(acknowledged) < goal:
                await asyncio.sleep(0.02)

    await more(100)
    await first.stop(SIGKILL)
    await more(100)
    stop.set()
    await asyncio.gather(*writers)
    await store.close()

    survivors = [member for member in members if member is not first]
    check = Store([member.remote for member in survivors])
    await check.start()
    assert set(check.rows(Network)) == set(acknowledged)
    await check.close()
