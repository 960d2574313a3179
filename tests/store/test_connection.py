"""A connection against a real ovsdb-server, and against peers that misbehave."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any

import pytest

from controller.ovsdb import Connection, Disconnected, OvsdbError, connect, listen
from tests.store.process import Server, run
from tests.store.test_replica import SCHEMA, WORDS

INSERT = {"op": "insert", "table": "Thing", "row": {"text": "x"}}


@pytest.fixture
async def bare(folder: Path) -> AsyncIterator[Server]:
    server = Server(folder)
    await server.create(SCHEMA)
    await server.start()
    yield server
    await server.stop()


async def reason(connection: Connection) -> str:
    async with asyncio.timeout(10):
        return str(await connection.closed)


async def test_calls_and_errors(bare: Server) -> None:
    connection = await connect(bare.remote)
    assert await connection.call("echo", "a", {"b": 1}) == ["a", {"b": 1}]
    with pytest.raises(OvsdbError, match="unknown method"):
        await connection.call("nonsense")
    with pytest.raises(OvsdbError, match="No table named Nope") as caught:
        await connection.transact("Test", {"op": "insert", "table": "Nope", "row": {}})
    assert caught.value.operation == 0
    wait = {"op": "wait", "table": "Thing", "where": [], "columns": [], "until": "==", "rows": [], "timeout": 0}
    await connection.transact("Test", wait, INSERT)
    with pytest.raises(OvsdbError) as caught:
        await connection.transact("Test", INSERT, wait, INSERT)
    assert (caught.value.error, caught.value.operation) == ("timed out", 1)
    connection.close()
    assert await connection.closed is None
    with pytest.raises(Disconnected):
        await connection.call("echo")


async def test_many_calls_at_once(bare: Server) -> None:
    connection = await connect(bare.remote)
    texts = [f"{number} {word * 50}" for number in range(200) for word in WORDS]
    answers = await asyncio.gather(*(connection.call("echo", text) for text in texts))
    assert answers == [[text] for text in texts]
    big = "}{é" * 2_000_000
    assert await connection.call("echo", big) == [big]
    connection.close()


async def test_a_commit_that_fails_is_an_error(folder: Path) -> None:
    schema = json.loads(json.dumps(SCHEMA))
    schema["tables"]["Other"]["indexes"] = [["text"]]
    server = Server(folder)
    await server.create(schema)
    await server.start()
    connection = await connect(server.remote)
    same = {"op": "insert", "table": "Other", "row": {"text": "same"}}
    with pytest.raises(OvsdbError) as caught:
        await connection.transact("Test", same, same, {"op": "commit", "durable": True})
    assert (caught.value.error, caught.value.operation) == ("constraint violation", 3)
    connection.close()
    await server.stop()


async def test_a_stopped_server_is_noticed(bare: Server) -> None:
    connection = await connect(bare.remote, probe=0.2)
    await asyncio.sleep(0.7)
    assert not connection.closed.done(), "a server that answers echoes is kept"
    bare.signal(SIGSTOP)
    call = asyncio.create_task(connection.call("echo"))
    async with asyncio.timeout(2):
        assert "silent" in await reason(connection)
    with pytest.raises(Disconnected):
        await call


async def test_a_killed_server_is_noticed_at_once(bare: Server) -> None:
    connection = await connect(bare.remote, probe=60)
    await bare.stop(SIGKILL)
    async with asyncio.timeout(1):
        assert "closed" in (why := await reason(connection)) or "reset" in why


async def test_a_call_that_takes_too_long(bare: Server) -> None:
    connection = await connect(bare.remote, probe=60)
    bare.signal(SIGSTOP)
    other = asyncio.create_task(connection.call("echo"))
    with pytest.raises(TimeoutError, match=r"did not answer transact within 0\.2 s"):
        await connection.transact("Test", INSERT, timeout=0.2)
    assert "did not answer transact" in await reason(connection)
    with pytest.raises(Disconnected):
        await other
    bare.signal(SIGCONT)


async def test_a_cancelled_call_leaves_the_connection_be(bare: Server) -> None:
    connection = await connect(bare.remote)
    call = asyncio.create_task(connection.call("echo", "first"))
    await asyncio.sleep(0)
    call.cancel()
    assert await connection.call("echo", "second") == ["second"]
    connection.close()


async def test_a_server_dials_us(bare: Server) -> None:
    made: asyncio.Queue[Connection] = asyncio.Queue()
    listener = await listen("127.0.0.1:0", made.put_nowait, probe=0.2)
    host, port = listener.sockets[0].getsockname()
    await run("ovs-appctl", "-t", bare.control, "ovsdb-server/add-remote", f"tcp:{host}:{port}")
    async with asyncio.timeout(10):
        connection = await made.get()
    assert connection.local == (host, port) and connection.peer[0] == host
    assert "Test" in await connection.call("list_dbs")
    await asyncio.sleep(0.5)
    assert not connection.closed.done()
    connection.close()
    listener.close()


async def test_nobody_there(folder: Path) -> None:
    with pytest.raises(OSError):
        await connect(f"unix:{folder}/nothing")
    for remote in ("ssl", "tcp:1.2.3.4", "tcp:1.2.3.4:x", "tcp:[::1]:99999"):
        with pytest.raises(ValueError):
            await connect(remote)


class Peer:
    """The other end of an inbound connection, as raw bytes."""

    def __init__(self) -> None:
        self.updates: asyncio.Queue[list[Any]] = asyncio.Queue()

    async def __aenter__(self) -> "Peer":
        made: asyncio.Queue[Connection] = asyncio.Queue()
        self._listener = await listen("127.0.0.1:0", made.put_nowait, probe=0.2, on_update=self._update)
        host, port = self._listener.sockets[0].getsockname()
        self.reader, self.writer = await asyncio.open_connection(host, port)
        self.connection = await made.get()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.connection.close()
        self.writer.close()
        self._listener.close()

    def _update(self, params: list[Any]) -> None:
        if params[1] == "raise":
            raise RuntimeError("a handler that fails")
        self.updates.put_nowait(params)


async def test_echo_is_answered() -> None:
    async with Peer() as peer:
        peer.writer.write(b'{"method":"echo","params":["x"],"id":"echo"}{"id":7,"method":"steal","params":[]}')
        expected = b'{"id":"echo","result":["x"],"error":null}{"id":7,"result":null,"error":"unknown method"}'
        assert await asyncio.wait_for(peer.reader.readexactly(len(expected)), 5) == expected


@pytest.mark.parametrize(
    "junk",
    [b"GET / HTTP/1.1\r\n\r\n", b'{"method":"update3"}', b'{"method":"update3","params":5,"id":null}'],
)
async def test_junk_closes_with_a_reason(junk: bytes) -> None:
    async with Peer() as peer:
        peer.writer.write(junk)
        assert "not OVSDB" in (why := await reason(peer.connection)) or "handler failed" in why


async def test_a_handler_that_raises_costs_its_connection_only() -> None:
    async with Peer() as peer, Peer() as other:
        peer.writer.write(b'{"method":"update3","params":[null,"raise",{}],"id":null}')
        assert "handler failed" in await reason(peer.connection)
        other.writer.write(b'{"method":"update3","params":[null,"fine",{}],"id":null}')
        assert await asyncio.wait_for(other.updates.get(), 5) == [None, "fine", {}]
        assert not other.connection.closed.done()


async def test_a_peer_that_only_talks_must_read_too() -> None:
    async with Peer() as peer:
        sock: socket.socket = peer.writer.get_extra_info("socket")
        assert sock is not None
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        big = b'{"method":"echo","params":["' + b"x" * 200_000 + b'"],"id":"e"}'

        async def talk() -> None:
            while True:
                peer.writer.write(big)
                await peer.writer.drain()
                await asyncio.sleep(0.005)

        talking = asyncio.create_task(talk())
        assert "not read" in await reason(peer.connection)
        talking.cancel()
