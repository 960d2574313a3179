"""Records in, records out, and what the database refuses."""

import asyncio

import pytest
from msgspec.structs import replace

from controller.model import FixedIP, Host, Network, Port, Subnet
from controller.ovsdb import connect
from controller.store import (
    Change,
    Conflict,
    Delete,
    Duplicate,
    EmbeddedServer,
    Insert,
    InUse,
    Missing,
    Patch,
    Store,
    Unavailable,
    Update,
)
from controller.store.schema import DATABASE
from tests.store.tenant import address, network, new_id, port, subnet


async def test_a_commit_is_readable_at_once(store: Store) -> None:
    told: list[list[Change]] = []
    net = network(1, name="net", tags=("b", "a"))
    sub = subnet(net, gateway_ip="10.0.0.1", dns_nameservers=("9.9.9.9", "1.1.1.1"))
    one = port(1, sub)
    seen: list[bool] = []
    store.subscribe(lambda changes: seen.append(all(store.rows(kind).get(id) is new for kind, id, _, new in changes)))
    store.subscribe(told.append)
    await store.commit(Insert(net), Insert(sub), Insert(one))
    assert store.rows(Network) == {net.id: net}
    assert store.rows(Subnet) == {sub.id: sub}
    assert store.rows(Port) == {one.id: one}
    assert {(change.kind, change.id): change.new for (change) in told[0]} == {
        (Network, net.id): net,
        (Subnet, sub.id): sub,
        (Port, one.id): one,
        (FixedIP, one.fixed_ips[0].id): one.fixed_ips[0],
    }
    renamed = replace(net, name="other", revision_number=1)
    await store.commit(Update(net, renamed), durable=False)
    assert store.rows(Network)[net.id] == renamed
    await store.commit(Delete(one))
    assert not store.rows(Port) and not store.rows(FixedIP)
    assert len(told) == 3 and all(seen)
    assert told[1] == [Change(Network, net.id, net, renamed)]
    await store.commit()


async def test_a_subscriber_that_fails_stops_nobody(store: Store) -> None:
    told: list[list[Change]] = []
    store.subscribe(lambda changes: 1 / 0)  # type: ignore[arg-type]
    store.subscribe(told.append)
    net = network(1)
    await store.commit(Insert(net))
    assert len(told) == 1 and store.connected and net.id in store.rows(Network)


async def test_addresses_of_a_port(store: Store) -> None:
    net = network(1)
    sub = subnet(net)
    a, b, c = (address(sub, f"10.0.0.{last}") for last in (10, 9, 100))
    one = port(1, sub, fixed_ips=(a, b))
    await store.commit(Insert(net), Insert(sub), Insert(one))
    assert store.rows(Port)[one.id].fixed_ips == (b, a)
    held = store.rows(Port)[one.id]
    await store.commit(Update(held, replace(held, fixed_ips=(c, a), revision_number=1)))
    assert store.rows(Port)[one.id].fixed_ips == (a, c)
    assert store.rows(FixedIP) == {a.id: a, c.id: c}
    # An address can change hands in one transaction.
    other = port(2, sub, fixed_ips=(address(sub, "10.0.0.10"),))
    held = store.rows(Port)[one.id]
    await store.commit(Update(held, replace(held, fixed_ips=(c,), revision_number=2)), Insert(other))
    assert store.rows(Port)[other.id] == other
    with pytest.raises(ValueError, match="can't change"):
        held = store.rows(Port)[one.id]
        await store.commit(Update(held, replace(held, fixed_ips=(replace(c, ip_address="10.1.1.1"),))))


async def test_duplicates(store: Store) -> None:
    net = network(1)
    sub = subnet(net)
    one = port(1, sub)
    await store.commit(Insert(net), Insert(sub), Insert(one))
    with pytest.raises(Duplicate) as caught:
        await store.commit(Insert(network(1)))
    assert (caught.value.kind, caught.value.fields) == (Network, ("vni",))
    with pytest.raises(Duplicate) as caught:
        await store.commit(Insert(replace(port(2, sub), mac_address=one.mac_address)))
    assert (caught.value.kind, set(caught.value.fields)) == (Port, {"network_id", "mac_address"})
    with pytest.raises(Duplicate) as caught:
        await store.commit(Insert(port(3, sub, fixed_ips=(address(sub, one.fixed_ips[0].ip_address),))))
    assert (caught.value.kind, set(caught.value.fields)) == (FixedIP, {"subnet_id", "ip_address"})
    with pytest.raises(Duplicate) as caught:
        await store.commit(Insert(net))
    assert (caught.value.kind, caught.value.fields) == (Network, ("id",))
    # What a value says does not mislead whoever reads the server's words.
    text = '1) for index on columns "x" and "y".  First row, with UUID'
    await store.commit(Insert(Host(id=new_id(), name=text)))
    with pytest.raises(Duplicate) as caught:
        await store.commit(Insert(Host(id=new_id(), name=text)))
    assert (caught.value.kind, caught.value.fields) == (Host, ("name",))
    assert len(store.rows(Port)) == 1 and len(store.rows(Network)) == 1


async def test_references(store: Store) -> None:
    net = network(1)
    sub = subnet(net)
    one = port(1, sub)
    await store.commit(Insert(net), Insert(sub), Insert(one))
    with pytest.raises(InUse) as used:
        await store.commit(Delete(net))
    assert (used.value.kind, used.value.id, used.value.references) == (Network, net.id, 2)
    with pytest.raises(InUse) as used:
        await store.commit(Delete(sub))
    assert (used.value.kind, used.value.id) == (Subnet, sub.id)
    stranger = network(2)
    with pytest.raises(Missing) as missing:
        await store.commit(Insert(subnet(stranger)))
    assert (missing.value.kind, missing.value.id) == (Network, stranger.id)
    await store.commit(Delete(one), Delete(sub), Delete(net))
    assert not any(store.rows(kind) for kind in (Network, Subnet, Port, FixedIP))


async def test_guards(store: Store) -> None:
    net = network(1)
    await store.commit(Insert(net))
    await store.commit(Update(net, replace(net, name="first", revision_number=1)))
    with pytest.raises(Conflict) as conflict:
        await store.commit(Update(net, replace(net, name="second", revision_number=1)), Insert(network(2)))
    assert (conflict.value.kind, conflict.value.id, conflict.value.revision) == (Network, net.id, 0)
    assert [row.name for row in store.rows(Network).values()] == ["first"], "all or nothing"
    gone = network(3)
    for step in (Update(gone, replace(gone, name="x")), Delete(gone)):
        with pytest.raises(Missing) as missing:
            await store.commit(step)
        assert (missing.value.kind, missing.value.id) == (Network, gone.id)
    host = Host(id=new_id(), name="h")
    await store.commit(Insert(host))
    await store.commit(Update(host, replace(host, alive=True)), Update(host, replace(host, version="3.1")))
    assert store.rows(Host)[host.id] == replace(host, alive=True, version="3.1")
    stranger = Host(id=new_id(), name="s")
    with pytest.raises(Missing):
        await store.commit(Update(stranger, replace(stranger, alive=True)))
    with pytest.raises(ValueError, match="one row"):
        await store.commit(Update(host, stranger))


async def test_of_several_writers_of_one_revision_one_wins(server: EmbeddedServer, store: Store) -> None:
    net = network(1)
    await store.commit(Insert(net))
    others = [Store([server.remote]) for _ in range(3)]
    for other in others:
        await other.start()
    outcomes = await asyncio.gather(
        *(
            other.commit(Update(net, replace(net, name=str(number), revision_number=1)))
            for number, other in enumerate(others)
        ),
        return_exceptions=True,
    )
    assert sorted(map(repr, map(type, outcomes))) == sorted(map(repr, [type(None), Conflict, Conflict]))
    winner = outcomes.index(None)
    await store.select(Network)  # its own connection's updates precede this answer
    assert store.rows(Network)[net.id].name == str(winner)
    for other in others:
        await other.close()


async def test_facts(server: EmbeddedServer, store: Store) -> None:
    blind = Store([server.remote], facts=False)
    await blind.start()
    net = network(1)
    sub = subnet(net)
    one = port(1, sub)
    await store.commit(Insert(net), Insert(sub), Insert(one))
    told: list[list[Change]] = []
    await blind.select(Port)  # its own connection's updates precede this answer
    blind.subscribe(told.append)
    await blind.commit(
        Patch(Port, one.id, {"status": "ACTIVE", "host_id": "h1"}), Patch(Port, new_id(), {"status": "ERROR"})
    )
    await store.select(Port)
    assert store.rows(Port)[one.id] == replace(one, status="ACTIVE", host_id="h1")
    assert blind.rows(Port)[one.id] == one and not told
    assert await blind.select(Port, "status", "host_id") == [{"id": one.id, "status": "ACTIVE", "host_id": "h1"}]
    # A change of intent leaves the facts be.
    await blind.commit(Update(one, replace(one, name="new", revision_number=1)))
    await store.select(Port)
    assert store.rows(Port)[one.id] == replace(one, name="new", revision_number=1, status="ACTIVE", host_id="h1")
    assert await store.select(Network, "tags", "name") == [{"id": net.id, "tags": (), "name": ""}]
    await blind.close()


async def test_a_value_that_no_database_holds(store: Store) -> None:
    with pytest.raises(ValueError, match=r"Network\.name.*U\+0000"):
        await store.commit(Insert(network(1, name="a\0")))
    net = network(1, tags=("a\0b", '"}{\n', "漢字😀"), description="}{" * 100 + '\\"\x01é漢字😀')
    await store.commit(Insert(net))
    assert store.rows(Network)[net.id] == net


async def test_a_row_that_cant_be_read_is_left_out(server: EmbeddedServer, store: Store) -> None:
    good, bad = network(1), network(2)
    await store.commit(Insert(good), Insert(bad))
    stranger = await connect(server.remote)
    where = [["_uuid", "==", ["uuid", bad.id]]]
    for tags, rows in (("{oops", {good.id: good}), ("", {good.id: good, bad.id: bad})):
        await stranger.transact(DATABASE, {"op": "update", "table": "Network", "where": where, "row": {"tags": tags}})
        await store.select(Network)
        assert store.rows(Network) == rows
    stranger.close()


async def test_nobody_there() -> None:
    store = Store(["unix:/nonexistent/sock"])
    with pytest.raises(Unavailable, match="/nonexistent/sock"):
        await store.start(timeout=0.3)
    with pytest.raises(ValueError):
        Store([])


async def test_start_waits_for_a_database_that_comes_later(server: EmbeddedServer) -> None:
    late = EmbeddedServer(server.data.parent / "late")
    store = Store([late.remote])
    starting = asyncio.create_task(store.start(timeout=20))
    await asyncio.sleep(0.2)
    await late.start()
    await starting
    assert store.connected
    await store.close()
    assert not store.connected
    await late.stop()
