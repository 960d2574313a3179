"""Two api processes over one database, and many requests at once."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from .conftest import Api


@pytest.fixture(scope="module")
def second(api: Api) -> Iterator[Api]:
    other = Api("remote", api.remote)
    yield other
    other.close()


async def at_once(bases: list[str], bodies: list[tuple[str, str, Any]]) -> list[httpx.Response]:
    """Send all of the requests together, to the processes in turn."""
    clients = [httpx.AsyncClient(base_url=base, timeout=60) for base in bases]
    try:
        return await asyncio.gather(
            *(
                clients[at % len(clients)].request(method, path, json=body)
                for at, (method, path, body) in enumerate(bodies)
            )
        )
    finally:
        for client in clients:
            await client.aclose()


async def test_no_address_is_given_twice(api: Api, second: Api) -> None:
    network = api.create("network")["id"]
    api.create("subnet", network_id=network, cidr="10.0.0.0/25", ip_version=4)
    api.create("subnet", network_id=network, cidr="fd00::/64", ip_version=6)
    answers = await at_once([api.url, second.url], [("POST", "/v2.0/ports", {"port": {"network_id": network}})] * 130)
    made = [answer.json()["port"] for answer in answers if answer.status_code == 201]
    found = Counter(each["ip_address"] for port in made for each in port["fixed_ips"])
    assert found.most_common(1)[0][1] == 1
    # 125 addresses in the pool: what does not fit is refused as such.
    assert len(made) == 125
    refused = [api.fault(answer)[:2] for answer in answers if answer.status_code != 201]
    assert refused == [(409, "IpAddressGenerationFailure")] * 5
    assert len({port["mac_address"] for port in made}) == 125
    listed = {port["id"] for port in api.list("port", ("network_id", network))}
    assert listed == {port["id"] for port in made}


async def test_one_of_many_gets_what_all_want(api: Api, second: Api) -> None:
    network = api.create("network")["id"]
    subnet = api.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)["id"]
    fixed = {"network_id": network, "fixed_ips": [{"subnet_id": subnet, "ip_address": "10.0.0.9"}]}
    mac = {"network_id": network, "mac_address": "fa:16:3e:00:00:09"}
    vni = {"provider:network_type": "vxlan", "provider:segmentation_id": 4711}
    for path, body, kind in (
        ("/v2.0/ports", {"port": fixed}, "IpAddressAlreadyAllocated"),
        ("/v2.0/ports", {"port": mac}, "MacAddressInUse"),
        ("/v2.0/networks", {"network": vni}, "TunnelIdInUse"),
    ):
        answers = await at_once([api.url, second.url], [("POST", path, body)] * 8)
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
        assert {api.fault(answer)[1] for answer in answers if answer.status_code == 409} == {kind}


async def test_overlapping_subnets_exclude_each_other(api: Api, second: Api) -> None:
    for attempt in range(5):
        network = api.create("network")["id"]
        cidrs = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.0.0.0/9"]
        bodies = [
            ("POST", "/v2.0/subnets", {"subnet": {"network_id": network, "cidr": cidr, "ip_version": 4}})
            for cidr in cidrs[attempt % 4 :] + cidrs[: attempt % 4]
        ]
        answers = await at_once([api.url, second.url], bodies)
        assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400]
        assert all("overlaps" in answer.text for answer in answers if answer.status_code == 400)
        assert len(api.list("subnet", ("network_id", network))) == 1


async def test_updates_all_count(api: Api, second: Api) -> None:
    network = api.create("network")["id"]
    tags = [f"t{n}" for n in range(12)]
    answers = await at_once(
        [api.url, second.url], [("PUT", f"/v2.0/networks/{network}/tags/{tag}", None) for tag in tags]
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    done = {tag for tag, answer in zip(tags, answers, strict=True) if answer.status_code == 201}
    shown = api.show("network", network)
    assert set(shown["tags"]) == done and len(done) >= 10
    assert shown["revision_number"] == len(done)


async def test_a_network_goes_or_gets_ports(api: Api, second: Api) -> None:
    for _ in range(5):
        network = api.create("network")["id"]
        api.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)
        port = ("POST", "/v2.0/ports", {"port": {"network_id": network}})
        answers = await at_once(
            [api.url, second.url], [port, ("DELETE", f"/v2.0/networks/{network}", None), port, port]
        )
        codes = [answer.status_code for answer in answers]
        if codes[1] == 204:
            assert set(codes) - {204} == {404}
            assert api.list("port", ("network_id", network)) == []
        else:
            assert codes[1] == 409 and 201 in codes
            assert api.show("network", network)["id"] == network


def test_what_one_process_wrote_the_other_shows(api: Api, second: Api) -> None:
    network = api.create("network", name="seen")["id"]
    limit = time.monotonic() + 5
    while second.raw("GET", f"/v2.0/networks/{network}").status_code != 200 and time.monotonic() < limit:
        time.sleep(0.01)
    assert second.show("network", network) == api.show("network", network)
    subnet = second.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)
    assert second.show("network", network)["subnets"] == [subnet["id"]]


def test_without_a_database(tmp_path: Any) -> None:
    """What was read stays readable, writes say that they can't be done, and health tells."""
    from starlette.applications import Starlette

    from controller.northbound.app import create_app
    from controller.store import EmbeddedServer, Store

    async def scenario() -> None:
        database = EmbeddedServer(tmp_path)
        await database.start()
        store = Store([database.remote])
        try:
            await store.start()
            app: Starlette = create_app(store, limit=0.3)
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                assert (await client.post("/v2.0/networks", json={"network": {"name": "a"}})).status_code == 201
                await database.stop()
                answer = await client.post("/v2.0/networks", json={"network": {"name": "b"}})
                assert answer.status_code == 503
                error = answer.json()["NeutronError"]
                assert error["type"] == "ServiceUnavailable" and "database" in error["message"]
                listed = (await client.get("/v2.0/networks")).json()["networks"]
                assert [each["name"] for each in listed] == ["a"]
                assert (await client.get("/healthz")).status_code == 503
        finally:
            await store.close()
            await database.stop()

    asyncio.run(scenario())
