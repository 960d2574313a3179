"""Hosts' OVSDB sessions: peers of our own making, some of which are no hosts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from controller.ovsdb.connection import connect
from tests.switch.listeners import LIMIT, Control
from tests.switch.vswitch import Vswitch


class Fake:
    """A host made by hand: answers what a host's ovsdb-server is asked."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def dial(cls, control: Control, address: str = "127.0.0.1") -> AsyncIterator["Fake"]:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", control.hosts.port, local_addr=(address, 0), limit=1 << 20
        )
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()

    async def serve(self, schema: object, name: str) -> None:
        """Until the controller hangs up."""
        decoder, text = orjson, ""
        while data := await self._reader.read(65536):
            text += data.decode()
            for line in text.replace("}{", "}\n{").split("\n"):
                try:
                    request = decoder.loads(line)
                except ValueError:
                    break
                text = text[len(line) :].lstrip("\n")
                if "method" in request:
                    self.say(id=request["id"], result=self._answer(request, schema, name), error=None)

    def _answer(self, request: dict[str, object], schema: object, name: str) -> object:
        if request["method"] == "get_schema":
            return schema
        if request["method"] == "monitor_cond_since":
            row = {"external_ids": ["map", [["system-id", name]]]}
            return [False, "0", {"Open_vSwitch": {"c3d8a4e4-92b2-4a0b-8f0e-000000000001": {"initial": row}}}]
        return [{}] * 99 if request["method"] == "transact" else []

    def say(self, **message: object) -> None:
        self._writer.write(orjson.dumps(message))

    async def gone(self) -> None:
        try:
            async with asyncio.timeout(LIMIT):
                while await self._reader.read(65536):
                    pass
        except ConnectionError:
            pass


@pytest.fixture
async def schema(switch: Vswitch) -> object:
    connection = await connect(switch.database)
    answer = await connection.call("get_schema", "Open_vSwitch")
    connection.close()
    return answer


@pytest.mark.parametrize(
    "answer",
    [
        {"id": 1, "result": None, "error": {"error": "unknown database"}},
        {"id": 1, "result": {"tables": {}}, "error": None},
        {"id": 1, "result": 7, "error": None},
        {"id": 1, "result": {"tables": {"Open_vSwitch": {"columns": "no"}}}, "error": None},
    ],
)
async def test_what_is_no_host_is_closed(control: Control, answer: dict[str, object]) -> None:
    async with Fake.dial(control) as peer:
        peer.say(**answer)
        await peer.gone()
    assert control.told == []


async def test_garbage_is_closed(control: Control) -> None:
    async with Fake.dial(control) as peer:
        peer._writer.write(b"SSH-2.0-OpenSSH\r\n")
        await peer.gone()
    assert control.told == []


async def test_silence_is_noticed() -> None:
    control = Control()
    await control.start(probe=0.2)
    async with Fake.dial(control) as peer:
        await peer.gone()
    await control.close()


async def test_two_hosts_with_one_name(control: Control, schema: object) -> None:
    async with Fake.dial(control) as first, Fake.dial(control, "127.0.0.2") as second:
        serving = asyncio.create_task(first.serve(schema, "twin"))
        await control.until(lambda: "twin" in control.facts)
        session = control.hosts.sessions["twin"]
        await asyncio.wait_for(second.serve(schema, "twin"), LIMIT)  # refused: it returns
        assert control.hosts.sessions["twin"] is session
        assert len({id(told[0]) for told in control.told}) == 1
        serving.cancel()


async def test_the_same_host_again_takes_over_without_a_gap(control: Control, schema: object) -> None:
    async with Fake.dial(control) as first, Fake.dial(control) as second:
        dead = asyncio.create_task(first.serve(schema, "twin"))
        await control.until(lambda: "twin" in control.facts)
        old = control.facts["twin"]
        alive = asyncio.create_task(second.serve(schema, "twin"))
        await asyncio.wait_for(dead, LIMIT)
        assert [told[2] is None for told in control.told] == [False] * len(control.told)
        assert control.told[-1][1] == old
        alive.cancel()
