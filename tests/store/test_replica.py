"""A replica equals what the server holds, whatever kinds of columns change, over reconnections too."""

import asyncio
import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.ovsdb import Connection, OvsdbError, Replica, RowChange, connect
from tests.store.process import Server, run

SEVERAL: dict[str, Any] = {"min": 0, "max": "unlimited"}
WEAK = {"key": {"type": "uuid", "refTable": "Thing", "refType": "weak"}}
TYPES: dict[str, Any] = {
    "text": "string",
    "number": "integer",
    "real": "real",
    "flag": "boolean",
    "maybe": {"key": "string", "min": 0, "max": 1},
    "maybe_number": {"key": "integer", "min": 0, "max": 1},
    "texts": {"key": "string", **SEVERAL},
    "numbers": {"key": "integer", **SEVERAL},
    "few": {"key": "integer", "min": 0, "max": 4},
    "pair": {"key": "string", "value": "string", "min": 0, "max": 1},
    "map": {"key": "string", "value": "string", **SEVERAL},
    "counts": {"key": "integer", "value": "integer", **SEVERAL},
    "friend": {**WEAK, "min": 0, "max": 1},
    "friends": {**WEAK, **SEVERAL},
    "by_name": {"key": "string", "value": WEAK["key"], **SEVERAL},
}
SCHEMA = {
    "name": "Test",
    "version": "1.0.0",
    "tables": {
        "Thing": {"columns": {name: {"type": type_} for name, type_ in TYPES.items()}, "isRoot": True},
        "Other": {"columns": {"text": {"type": "string"}}, "isRoot": True},
    },
}
ROWS = [str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number))) for number in range(5)]
WORDS = ["", "a", "b", "é}{", "漢字\n", '"\\', "c" * 300]

ATOMS = {
    "string": st.sampled_from(WORDS),
    "integer": st.integers(-2, 3) | st.sampled_from([-(2**63), 2**63 - 1]),
    "real": st.sampled_from([0.0, 1.5, -2.25, 1e300]),
    "boolean": st.booleans(),
    "uuid": st.sampled_from(ROWS).map(lambda id: ["uuid", id]),
}


def values(type_: Any) -> st.SearchStrategy[Any]:
    if isinstance(type_, str):
        return ATOMS[type_]
    key = ATOMS[type_["key"] if isinstance(type_["key"], str) else type_["key"]["type"]]
    most = 5 if type_["max"] == "unlimited" else type_["max"]
    if "value" in type_:
        value = ATOMS[type_["value"] if isinstance(type_["value"], str) else type_["value"]["type"]]
        pairs = st.lists(st.tuples(key, value), max_size=most, unique_by=lambda pair: str(pair[0]))
        return pairs.map(lambda pairs: ["map", [list(pair) for pair in pairs]])
    return st.lists(key, max_size=most, unique_by=str).map(lambda elements: ["set", elements])


def where(id: str) -> list[Any]:
    return [["_uuid", "==", ["uuid", id]]]


ROW = st.fixed_dictionaries({}, optional={name: values(type_) for name, type_ in TYPES.items()})
ID = st.sampled_from(ROWS)
MUTATION = st.sampled_from(["texts", "numbers", "map", "counts", "friends", "by_name"]).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(["insert", "delete"]), values(TYPES[name])).map(list)
)
OPERATION = st.one_of(
    st.builds(lambda id, row: {"op": "insert", "table": "Thing", "uuid": id, "row": row}, ID, ROW),
    st.builds(lambda id, row: {"op": "update", "table": "Thing", "where": where(id), "row": row}, ID, ROW),
    st.builds(
        lambda id, changes: {"op": "mutate", "table": "Thing", "where": where(id), "mutations": changes},
        ID,
        st.lists(MUTATION, min_size=1, max_size=3),
    ),
    st.builds(lambda id: {"op": "delete", "table": "Thing", "where": where(id)}, ID),
    st.builds(lambda text: {"op": "insert", "table": "Other", "row": {"text": text}}, ATOMS["string"]),
)


class Follower:
    """A replica, and the tables as told by its changes alone."""

    def __init__(self, schema: dict[str, Any] = SCHEMA) -> None:
        self.replica = Replica("Test", schema, {"Thing": None, "Other": ["text"]}, self._changed)
        self.told: dict[str, dict[str, Any]] = {"Thing": {}, "Other": {}}
        self.calls: list[list[RowChange]] = []

    def _changed(self, changes: list[RowChange]) -> None:
        self.calls.append(changes)
        for table, id, old, new in changes:
            assert self.told[table].get(id) == old
            assert new == self.replica.tables[table].get(id)
            if new is None:
                del self.told[table][id]
            else:
                self.told[table][id] = new


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def bare(runner: asyncio.Runner) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="tb-"))
    server = Server(folder)
    runner.run(server.create(SCHEMA))
    runner.run(server.start())
    yield server
    runner.run(server.stop())
    shutil.rmtree(folder)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(st.one_of(st.lists(OPERATION, min_size=1, max_size=4), st.just("reconnect")), max_size=12))
def test_a_replica_equals_a_fresh_dump(runner: asyncio.Runner, bare: Server, history: list[Any]) -> None:
    async def check() -> None:
        writer = await connect(bare.remote)
        for table in ("Thing", "Other"):
            await writer.transact("Test", {"op": "delete", "table": table, "where": []})
        follower = Follower()
        connection: Connection | None = await connect(bare.remote)
        assert connection is not None
        await follower.replica.attach(connection)
        for transaction in history:
            if transaction == "reconnect":
                # What happens while it is away comes as one difference.
                if connection is None:
                    connection = await connect(bare.remote)
                    await follower.replica.attach(connection)
                else:
                    connection.close()
                    await connection.closed
                    connection = None
                continue
            try:
                await writer.transact("Test", *transaction)
            except OvsdbError as error:
                assert error.error in ("duplicate uuid", "constraint violation"), error
        if connection is None:
            connection = await connect(bare.remote)
            await follower.replica.attach(connection)
        # Updates precede the answer to a later request on their own connection.
        await connection.transact("Test", {"op": "select", "table": "Other", "where": []})
        fresh = Follower()
        await fresh.replica.attach(writer)
        assert follower.replica.tables == fresh.replica.tables == follower.told
        for each in (writer, connection):
            each.close()
            await each.closed

    runner.run(check())


async def test_a_transaction_is_one_call(folder: Path) -> None:
    server = Server(folder)
    await server.create(SCHEMA)
    await server.start()
    try:
        connection = await connect(server.remote)
        follower = Follower()
        await follower.replica.attach(connection)
        insert = {"op": "insert", "table": "Thing", "row": {"text": "x"}}
        await connection.transact("Test", insert, insert, {"op": "insert", "table": "Other", "row": {}})
        assert [len(call) for call in follower.calls] == [3]
        connection.close()
        await connection.closed
    finally:
        await server.stop()


async def test_a_cluster_sends_only_what_was_missed(folder: Path) -> None:
    """A server of a cluster (of one, here) knows the last transaction id, so `monitor_cond_since` resumes from it."""
    server = Server(folder)
    (folder / "schema").write_text(json.dumps(SCHEMA))
    await run("ovsdb-tool", "create-cluster", str(server.file), str(folder / "schema"), f"unix:{folder}/raft")
    await server.start()
    try:
        writer = await connect(server.remote)
        follower = Follower()
        connection = await connect(server.remote)
        async with asyncio.timeout(10):
            while True:  # until the cluster has elected its leader
                try:
                    await follower.replica.attach(connection)
                    break
                except OvsdbError:
                    await asyncio.sleep(0.05)
        for text in "abc":
            await writer.transact("Test", {"op": "insert", "table": "Thing", "row": {"text": text}})
        await connection.transact("Test", {"op": "select", "table": "Other", "where": []})
        assert len(follower.told["Thing"]) == 3
        held = dict(follower.replica.tables["Thing"])
        connection.close()
        await connection.closed
        await writer.transact("Test", {"op": "insert", "table": "Thing", "row": {"text": "d"}})
        follower.calls.clear()
        connection = await connect(server.remote)
        answers: list[Any] = []
        call = connection.call

        async def spy(*args: Any, **kwargs: Any) -> Any:
            answers.append(await call(*args, **kwargs))
            return answers[-1]

        connection.call = spy  # type: ignore[method-assign]
        await follower.replica.attach(connection)
        found, _, update = answers[0]
        assert found is True and len(update["Thing"]) == 1
        assert [[change.new["text"] for change in call if change.new] for call in follower.calls] == [["d"]]
        assert all(follower.replica.tables["Thing"][id] is row for id, row in held.items())
        for each in (writer, connection):
            each.close()
            await each.closed
    finally:
        await server.stop()
