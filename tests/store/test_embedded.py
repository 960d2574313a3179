"""The embedded server: killed, orphaned, locked; its file made, converted, refused."""

import asyncio
import copy
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from controller.model import Control, Network, Port
from controller.store import EmbeddedServer, Insert, Store, StoreTooNew, StoreTooOld, Update
from controller.store.convert import create, read_schema
from controller.store.embedded import DataInUse
from controller.store.schema import VERSION, schema
from tests.store.process import Server, run
from tests.store.tenant import network, new_id, port, subnet


async def ended(pid: int) -> None:
    """Returns when the process, which may be anybody's child, is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, gone.set)
    try:
        async with asyncio.timeout(10):
            await gone.wait()
    finally:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


async def test_a_killed_database_loses_no_acknowledged_write(server: EmbeddedServer, store: Store) -> None:
    net = network(1)
    sub = subnet(net)
    await store.commit(Insert(net), Insert(sub))
    acknowledged: dict[str, int] = {}
    stop = asyncio.Event()

    async def write(writer: int) -> None:
        number = writer
        while not stop.is_set():
            row = port(number, sub)
            await store.commit(Insert(row), timeout=20)
            acknowledged[row.id] = 0
            renamed = replace(row, name="renamed", revision_number=1)
            await store.commit(Update(row, renamed), timeout=20)
            acknowledged[row.id] = 1
            number += 8

    writers = [asyncio.create_task(write(writer)) for writer in range(8)]
    pids = set()
    for _ in range(5):
        before = len(acknowledged)
        async with asyncio.timeout(20):
            while len(acknowledged) < before + 50:
                await asyncio.sleep(0.02)
        pid = server.pid
        assert pid is not None and pid not in pids
        pids.add(pid)
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.3)
    stop.set()
    await asyncio.gather(*writers)
    assert len(pids) == 5

    await store.close()
    await server.stop()
    again = EmbeddedServer(server.data)
    await again.start()
    found = Store([again.remote])
    await found.start()
    rows = {row["id"]: row["revision_number"] for row in await found.select(type(port(0, sub)), "revision_number")}
    assert rows == acknowledged, "each acknowledged write is there, and nothing was written twice"
    await found.close()
    await again.stop()


async def test_one_process_a_folder(server: EmbeddedServer) -> None:
    with pytest.raises(DataInUse, match=f"process {os.getpid()}"):
        await EmbeddedServer(server.data).start()
    assert server.pid is not None


async def test_nothing_is_left_behind(folder: Path) -> None:
    server = EmbeddedServer(folder / "data")
    await server.start()
    pid = server.pid
    assert pid is not None
    await server.stop()
    await ended(pid)
    assert server.pid is None
    assert not server.socket.exists() and not (server.data / "db.pid").exists()
    await server.start()
    await server.stop()


async def test_a_stopped_server_is_killed_in_the_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.store.embedded._STOP", 0.3)
    server = EmbeddedServer(folder / "data")
    await server.start()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await server.stop()
    await ended(pid)


async def test_the_server_ends_with_a_killed_owner(folder: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from controller.store import EmbeddedServer\n"
        "async def main():\n"
        "    server = EmbeddedServer(sys.argv[1])\n"
        "    await server.start()\n"
        "    print('pid', server.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(folder / "data"), stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert owner.stdout is not None
    async with asyncio.timeout(20):
        line = b""
        while not line.startswith(b"pid "):
            line = await owner.stdout.readline()
            assert line, "the owner has ended"
    pid = int(line.split()[1])
    owner.kill()
    await owner.wait()
    await ended(pid)
    server = EmbeddedServer(folder / "data")
    await server.start()
    await server.stop()


async def test_an_orphan_is_replaced(folder: Path) -> None:
    data = folder / "data"
    server = EmbeddedServer(data)
    await server.start()
    store = Store([server.remote])
    await store.start()
    net = network(1)
    await store.commit(Insert(net))
    await store.close()
    await server.stop()
    # As an earlier run would have started it, but without the bond to its owner's life.
    orphan = Server(data, f"--pidfile={data / 'db.pid'}")
    orphan.file, orphan.remote = server.file, server.remote
    await orphan.start()
    await server.start()
    store = Store([server.remote])
    await store.start()
    assert store.rows(Network) == {net.id: net}
    await store.close()
    await server.stop()
    await orphan.stop()


async def test_a_pid_file_of_somebody_else(folder: Path) -> None:
    """After a reboot its number may be any process: that one is left alone."""
    server = EmbeddedServer(folder / "data")
    server.data.mkdir()
    (server.data / "db.pid").write_text(f"{os.getpid()}\n")
    (server.data / "db.sock").touch()
    await server.start()
    await server.stop()


async def test_a_path_too_long(folder: Path) -> None:
    with pytest.raises(ValueError, match="longer than 90"):
        await EmbeddedServer(folder / ("x" * 90)).start()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not an OVSDB database"),
        (b"hello\n" * 9, "not an OVSDB database"),
        (b"OVSDB JSON 9 abc\n{}", "holds the database"),
        (b"OVSDB JSON 2000 abc\n{", "damaged"),
        (b"OVSDB CLUSTER 9 abc\n{}", "--db"),
    ],
)
async def test_a_file_that_is_none_of_ours(folder: Path, content: bytes, why: str) -> None:
    server = EmbeddedServer(folder)
    server.file.write_bytes(content)
    with pytest.raises(RuntimeError, match=why):
        await server.start()
    assert server.file.read_bytes() == content
    assert server.pid is None


def older() -> dict[str, Any]:
    """A schema with one column and one table fewer than today's, and one of each that are no more."""
    old = copy.deepcopy(schema(version="0.9.0"))
    del old["tables"]["Network"]["columns"]["mtu"]
    del old["tables"]["Port"]["columns"]["port_security_enabled"]
    del old["tables"]["Control"]
    old["tables"]["Network"]["columns"]["former"] = {"type": "string"}
    old["tables"]["Former"] = {"columns": {"x": {"type": "integer"}}, "isRoot": True}
    return old


async def test_an_older_database_is_converted_in_place(folder: Path) -> None:
    server = EmbeddedServer(folder)
    await create(server.file, older())
    ids = [new_id() for _ in range(3)]
    rows = [
        {"op": "insert", "table": "Network", "uuid": id, "row": {"vni": vni, "name": f"n{vni}", "former": "x"}}
        for vni, id in enumerate(ids, 1)
    ]
    row = {"network_id": ["uuid", ids[0]], "mac_address": "fa:16:3e:00:00:01", "name": "p"}
    rows.append({"op": "insert", "table": "Port", "row": row})
    await run("ovsdb-tool", "transact", str(server.file), json.dumps(["Tunbridge", *rows]))
    await server.start()
    store = Store([server.remote])
    await store.start()
    assert {row.id: (row.vni, row.name, row.mtu) for row in store.rows(Network).values()} == {
        id: (vni, f"n{vni}", 1450) for vni, id in enumerate(ids, 1)
    }, "a new column has its field's default, not OVSDB's"
    (port_row,) = store.rows(Port).values()
    assert not port_row.port_security_enabled, "or what is said for rows from before"
    assert Port(id=port_row.id, network_id=ids[0], mac_address="").port_security_enabled
    await store.commit(Insert(Control(id=new_id(), endpoint="http://127.0.0.1:1/")))
    await store.close()
    await server.stop()
    assert read_schema(server.file)["version"] == VERSION
    assert read_schema(folder / "tunbridge.db.0.9.0")["version"] == "0.9.0", "the old file is kept"
    await server.start()
    await server.stop()
    leftovers = {path.name for path in folder.iterdir() if "new" in path.name or "schema" in path.name}
    assert not leftovers


@pytest.mark.parametrize(
    ("vni", "type_", "why"),
    [(1, "integer", "2 rows of Network would become 0"), ("one", "string", "expected integer")],
)
async def test_a_conversion_that_cant_be_done_leaves_all_as_it_was(
    folder: Path, vni: Any, type_: str, why: str
) -> None:
    old = older()
    del old["tables"]["Network"]["indexes"]
    old["tables"]["Network"]["columns"]["vni"] = {"type": type_}
    server = EmbeddedServer(folder)
    await create(server.file, old)
    row = {"op": "insert", "table": "Network", "row": {"vni": vni}}
    await run("ovsdb-tool", "transact", str(server.file), json.dumps(["Tunbridge", row, row]))
    before = server.file.read_bytes()
    with pytest.raises(RuntimeError, match=why):
        await server.start()
    assert server.file.read_bytes() == before and server.pid is None


async def test_a_newer_database_is_refused(folder: Path) -> None:
    newer = schema(version="99.0.0")
    server = EmbeddedServer(folder)
    await create(server.file, newer)
    before = server.file.read_bytes()
    with pytest.raises(StoreTooNew, match=r"tunbridge\.db has schema version 99\.0\.0, this program knows"):
        await server.start()
    assert server.file.read_bytes() == before


@pytest.mark.parametrize(("version", "error"), [("99.0.0", StoreTooNew), ("0.9.0", StoreTooOld)])
async def test_a_served_database_of_another_version_is_refused(
    folder: Path, version: str, error: type[Exception]
) -> None:
    server = Server(folder)
    await server.create(schema(version=version))
    await server.start()
    store = Store([server.remote])
    with pytest.raises(error, match=version.replace(".", r"\.")):
        await store.start()
    await server.stop()
