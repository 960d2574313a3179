"""Networks that a physical network carries, and networks that lead outside."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Api
from .test_bad_input import invalid, reason
from .test_clients import run
from .test_races import at_once

TYPE, PHYSICAL, SEGMENT = "provider:network_type", "provider:physical_network", "provider:segmentation_id"
NOT_CHANGED = "Plugin does not support updating the following provider network attributes: "


@pytest.fixture(scope="module")
def second(api: Api) -> Iterator[Api]:
    other = Api("remote", api.remote)
    yield other
    other.close()


@pytest.fixture
def physical() -> str:
    """A physical network that no other test knows."""
    return f"physical-{uuid.uuid4()}"


def flat(physical: str, **more: Any) -> dict[str, Any]:
    return {TYPE: "flat", PHYSICAL: physical, **more}


def vlan(physical: str, number: int | None = None, **more: Any) -> dict[str, Any]:
    return {TYPE: "vlan", PHYSICAL: physical, **({} if number is None else {SEGMENT: number}), **more}


def carried(network: dict[str, Any]) -> tuple[Any, ...]:
    return network[TYPE], network[PHYSICAL], network[SEGMENT], network["mtu"]


def refused(api: Api, **given: Any) -> tuple[int, str, str]:
    return api.fault(api.raw("POST", "/v2.0/networks", {"network": given}))


def test_a_flat_network(api: Api, physical: str) -> None:
    made = api.create("network", **flat(physical))
    assert carried(made) == ("flat", physical, None, 1500) and api.show("network", made["id"]) == made
    assert "vni" not in made and "segments" not in made
    in_use = (409, "FlatNetworkInUse", f"Unable to create the flat network. Physical network {physical} is in use.")
    assert refused(api, **flat(physical)) == in_use
    # VLANs beside it are other segments.
    assert carried(api.create("network", **vlan(physical, 1))) == ("vlan", physical, 1, 1500)
    api.delete("network", made["id"])
    assert carried(api.create("network", **flat(physical)))[0] == "flat"


def test_a_vlan_network(api: Api, physical: str) -> None:
    made = api.create("network", **vlan(physical, 4094, mtu=9000))
    assert carried(made) == ("vlan", physical, 4094, 9000)
    in_use = f"Unable to create the network. The VLAN 4094 on physical network {physical} is in use."
    assert refused(api, **vlan(physical, 4094)) == (409, "VlanIdInUse", in_use)
    assert carried(api.create("network", **vlan(physical + "2", 4094)))[2] == 4094
    api.delete("network", made["id"])
    assert carried(api.create("network", **vlan(physical, 4094, mtu=0)))[3] == 1500


def test_several_at_once_do_not_take_one_segment(api: Api, physical: str) -> None:
    wanted = {"networks": [vlan(physical, 7), vlan(physical, 8), vlan(physical, 7)]}
    assert api.fault(api.raw("POST", "/v2.0/networks", wanted))[:2] == (409, "VlanIdInUse")
    assert api.list("network", (PHYSICAL, physical)) == []
    wanted = {"networks": [vlan(physical, 7), vlan(physical, 8), flat(physical)]}
    assert len(api.ask("POST", "/v2.0/networks", wanted, 201)["networks"]) == 3


def test_a_vlan_is_found(api: Api, physical: str) -> None:
    taken = [api.create("network", **vlan(physical, number))["id"] for number in (1, 2, 3)]
    found = [api.create("network", **vlan(physical))[SEGMENT] for _ in range(20)]
    assert len({1, 2, 3, *found}) == 23 and all(1 <= number <= 4094 for number in found)
    assert [each[SEGMENT] for each in api.list("network", (PHYSICAL, physical), (SEGMENT, "2"))] == [2]
    api.delete("network", taken[1])
    assert api.list("network", (PHYSICAL, physical), (SEGMENT, "2")) in ([],)


def test_all_vlans_taken(api: Api, physical: str) -> None:
    numbers = range(1, 4095)
    for at in range(0, 4094, 1000):
        wanted = {"networks": [vlan(physical, number) for number in numbers[at : at + 1000]]}
        made = api.ask("POST", "/v2.0/networks", wanted, 201)["networks"]
    none_left = "Unable to create the network. No tenant network is available for allocation."
    assert refused(api, **vlan(physical)) == (409, "NoNetworkAvailable", none_left)
    api.delete("network", made[50]["id"])
    assert api.create("network", **vlan(physical))[SEGMENT] == made[50][SEGMENT]
    for network in api.list("network", (PHYSICAL, physical), ("fields", "id")):
        api.delete("network", network["id"])


BAD: list[tuple[dict[str, Any], tuple[int, str, str]]] = [
    ({TYPE: "gre"}, invalid("network_type value 'gre' not supported")),
    ({TYPE: ""}, invalid("network_type value '' not supported")),
    ({TYPE: None}, reason(TYPE, "'None' is not a valid string")),
    ({TYPE: "v" * 33}, reason(TYPE, f"'{'v' * 33}' exceeds maximum length of 32")),
    ({PHYSICAL: "p"}, invalid("network_type required")),
    ({TYPE: "flat"}, invalid("physical_network required for flat provider network")),
    ({TYPE: "flat", PHYSICAL: ""}, invalid("physical_network required for flat provider network")),
    (flat("p", **{SEGMENT: 5}), invalid("segmentation_id prohibited for flat provider network")),
    (flat("p", **{SEGMENT: 0}), invalid("segmentation_id prohibited for flat provider network")),
    (flat("p", **{SEGMENT: "a"}), invalid("'a' is not an integer")),
    (flat("p" * 65), reason(PHYSICAL, f"'{'p' * 65}' exceeds maximum length of 64")),
    ({TYPE: "flat", PHYSICAL: 5}, reason(PHYSICAL, "'5' is not a valid string")),
    ({TYPE: "vlan"}, invalid("physical_network required for VLAN provider network")),
    ({TYPE: "vlan", SEGMENT: 5}, invalid("segmentation_id requires physical_network for VLAN provider network")),
    (vlan("p", 0), invalid("segmentation_id out of range (1 through 4094)")),
    (vlan("p", 4095), invalid("segmentation_id out of range (1 through 4094)")),
    (vlan("p", -1), invalid("segmentation_id out of range (1 through 4094)")),
    (vlan("p", 5, mtu=9001), invalid("Requested MTU is too big, maximum is 9000")),
    ({"vni": 5}, (400, "HTTPBadRequest", "Unrecognized attribute(s) 'vni'")),
    ({"segments": []}, (400, "HTTPBadRequest", "Unrecognized attribute(s) 'segments'")),
]


@pytest.mark.parametrize(("given", "expected"), BAD)
def test_bad_input(api: Api, given: dict[str, Any], expected: tuple[int, str, str]) -> None:
    assert refused(api, name="bad provider", **given) == expected
    assert api.list("network", ("name", "bad provider")) == []


def test_how_it_is_carried_stays(api: Api, physical: str) -> None:
    made = api.create("network", **vlan(physical, 10))
    assert api.update("network", made["id"], **vlan(physical, 10)) == made

    def put(**given: Any) -> tuple[int, str, str]:
        return api.fault(api.raw("PUT", f"/v2.0/networks/{made['id']}", {"network": given}))

    assert put(**{SEGMENT: 11}) == invalid(NOT_CHANGED + SEGMENT)
    assert put(**{TYPE: "vxlan"}) == invalid(NOT_CHANGED + TYPE)
    assert put(**flat("other")) == invalid(f"{NOT_CHANGED}{TYPE}, {PHYSICAL}")
    assert put(mtu=9001) == invalid("Requested MTU is too big, maximum is 9000")
    assert api.show("network", made["id"]) == made
    changed = api.update("network", made["id"], name="n", mtu=8999, **{"router:external": True})
    assert carried(changed) == ("vlan", physical, 10, 8999)
    assert carried(api.update("network", made["id"], mtu=0)) == ("vlan", physical, 10, 1500)
    untagged = api.create("network", **flat(physical))
    assert api.update("network", untagged["id"], **flat(physical)) == untagged


def test_filters(api: Api, physical: str) -> None:
    made = {each["id"] for each in (api.create("network", **flat(physical)), api.create("network", **vlan(physical)))}
    assert {each["id"] for each in api.list("network", (PHYSICAL, physical))} == made
    assert [each[TYPE] for each in api.list("network", (PHYSICAL, physical), (TYPE, "flat"))] == ["flat"]
    assert {each[TYPE] for each in api.list("network", (TYPE, "flat"), (TYPE, "vlan"))} == {"flat", "vlan"}


async def test_one_of_many_gets_the_segment(api: Api, second: Api, physical: str) -> None:
    for wanted, kind in ((flat(physical), "FlatNetworkInUse"), (vlan(physical, 9), "VlanIdInUse")):
        answers = await at_once([api.url, second.url], [("POST", "/v2.0/networks", {"network": wanted})] * 8)
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
        assert {api.fault(answer)[1] for answer in answers if answer.status_code == 409} == {kind}


async def test_free_vlans_are_found_at_once(api: Api, second: Api, physical: str) -> None:
    wanted = {"networks": [vlan(physical, number) for number in range(31, 4095)]}
    for at in range(0, len(wanted["networks"]), 1000):
        api.ask("POST", "/v2.0/networks", {"networks": wanted["networks"][at : at + 1000]}, 201)
    answers = await at_once([api.url, second.url], [("POST", "/v2.0/networks", {"network": vlan(physical)})] * 32)
    assert Counter(answer.status_code for answer in answers) == {201: 30, 409: 2}
    made = {answer.json()["network"][SEGMENT] for answer in answers if answer.status_code == 201}
    assert made == set(range(1, 31))
    for network in api.list("network", (PHYSICAL, physical), ("fields", "id")):
        api.delete("network", network["id"])


async def test_a_segment_goes_from_one_network_to_the_next(api: Api, second: Api, physical: str) -> None:
    for number in range(1, 11):
        old = api.create("network", **vlan(physical, number))["id"]
        answers = await at_once(
            [api.url, second.url],
            [
                ("DELETE", f"/v2.0/networks/{old}", None),
                ("POST", "/v2.0/networks", {"network": vlan(physical, number)}),
            ],
        )
        assert answers[0].status_code == 204 and answers[1].status_code in (201, 409)
        if answers[1].status_code == 409:
            assert api.fault(answers[1])[1] == "VlanIdInUse"
            api.create("network", **vlan(physical, number))
        (holder,) = api.list("network", (PHYSICAL, physical), (SEGMENT, str(number)))
        assert holder["id"] != old


@pytest.mark.parametrize("owner", ["network:router_gateway", "network:floatingip"])
def test_an_external_network_in_use_stays_external(api: Api, owner: str) -> None:
    network = api.create("network", **{"router:external": True})["id"]
    port = api.create("port", network_id=network, device_owner=owner)["id"]
    answer = api.raw("PUT", f"/v2.0/networks/{network}", {"network": {"router:external": False}})
    text = f"External network {network} cannot be updated to be made non-external, since it has existing gateway ports."
    assert api.fault(answer) == (409, "ExternalNetworkInUse", text)
    assert api.update("network", network, name="n", **{"router:external": True})["router:external"] is True
    api.delete("port", port)
    api.create("port", network_id=network, device_owner="compute:nova")
    assert api.update("network", network, **{"router:external": False})["router:external"] is False


def test_openstack_command(api: Api, physical: str) -> None:
    options = ("network", "create", "--provider-physical-network", physical, "-f", "json")
    made = run(api, *options, "--external", "--provider-network-type", "flat", f"ext-{physical}")
    assert made["router:external"] is True and carried(made) == ("flat", physical, None, 1500)
    made = run(api, *options, "--provider-network-type", "vlan", "--provider-segment", "12", f"vlan-{physical}")
    assert made["router:external"] is False and carried(made) == ("vlan", physical, 12, 1500)
    listed = run(api, "network", "list", "--external", "--provider-physical-network", physical, "-f", "json")
    assert [each["Name"] for each in listed] == [f"ext-{physical}"]


def test_the_database_alone_keeps_segments_apart(tmp_path: Any) -> None:
    """What two processes that know nothing of each other ask for at once."""
    from controller.model import Network, Segment
    from controller.store import Delete, Duplicate, EmbeddedServer, Insert, Store

    def network(vni: int, name: str, number: int) -> Network:
        segment = Segment(id=str(uuid.uuid4()), physical_network=name, vlan=number)
        return Network(id=str(uuid.uuid4()), vni=vni, segments=(segment,))

    async def scenario() -> None:
        database = EmbeddedServer(tmp_path)
        await database.start()
        store = Store([database.remote])
        try:
            await store.start()
            first = network(1, "p", 5)
            await store.commit(Insert(first), Insert(network(2, "p", 6)), Insert(network(3, "q", 5)))
            assert store.rows(Network)[first.id] == first
            with pytest.raises(Duplicate) as refused:
                await store.commit(Insert(network(4, "p", 5)))
            assert (refused.value.kind, refused.value.fields) == (Segment, ("physical_network", "vlan"))
            await store.commit(Delete(first), Insert(network(5, "p", 5)))
            assert len(store.rows(Segment)) == 3
        finally:
            await store.close()
            await database.stop()

    asyncio.run(scenario())
