"""Subnet pools and address scopes with many requests at once, and with anything in a request."""

import ipaddress
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .conftest import Api, path
from .test_definitions import OURS
from .test_fuzz import PLAUSIBLE, RELAXED, check
from .test_races import at_once
from .test_subnet_pools import pool, subnet
from .test_values import ANYTHING, PREFIXES

PLURALS = {"address_scope": "address_scopes", "subnetpool": "subnetpools", "subnet": "subnets"}


@pytest.fixture(scope="module")
def second(api: Api) -> Iterator[Api]:
    other = Api("remote", api.remote)
    yield other
    other.close()


async def test_no_prefix_is_given_twice(api: Api, second: Api) -> None:
    source = pool(api, "10.0.0.0/24", default_prefixlen=28)
    networks = [api.create("network")["id"] for _ in range(20)]
    one = {"ip_version": 4, "subnetpool_id": source["id"]}
    wanted = [("POST", "/v2.0/subnets", {"subnet": one | {"network_id": network}}) for network in networks]
    answers = await at_once([api.url, second.url], wanted)
    assert Counter(answer.status_code for answer in answers) == {201: 16, 409: 4}
    made = [ipaddress.ip_network(each.json()["subnet"]["cidr"]) for each in answers if each.status_code == 201]
    assert not any(some.overlaps(other) for some, other in combinations(made, 2))
    refused = {api.fault(answer)[1] for answer in answers if answer.status_code == 409}
    assert refused == {"SubnetAllocationError"}


async def test_one_of_many_gets_the_prefix(api: Api, second: Api) -> None:
    source = pool(api, "10.0.0.0/16", max_prefixlen=24)
    networks = [api.create("network")["id"] for _ in range(8)]
    one = {"ip_version": 4, "subnetpool_id": source["id"], "cidr": "10.0.7.0/24"}
    wanted = [("POST", "/v2.0/subnets", {"subnet": one | {"network_id": network}}) for network in networks]
    answers = await at_once([api.url, second.url], wanted)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_a_quota_holds(api: Api, second: Api) -> None:
    source = pool(api, "10.0.0.0/8", default_prefixlen=24, default_quota=3 * 256)
    networks = [api.create("network")["id"] for _ in range(8)]
    one = {"ip_version": 4, "subnetpool_id": source["id"], "project_id": "a"}
    wanted = [("POST", "/v2.0/subnets", {"subnet": one | {"network_id": network}}) for network in networks]
    answers = await at_once([api.url, second.url], wanted)
    assert Counter(answer.status_code for answer in answers) == {201: 3, 409: 5}
    assert {api.fault(each)[1] for each in answers if each.status_code == 409} == {"SubnetPoolQuotaExceeded"}


async def test_pools_of_a_scope_exclude_each_other(api: Api, second: Api) -> None:
    for attempt in range(5):
        scope = api.create("address_scope", ip_version=4)["id"]
        prefixes = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.0.0.0/9"]
        wanted: list[tuple[str, str, Any]] = [
            ("POST", "/v2.0/subnetpools", {"subnetpool": {"name": "p", "prefixes": [p], "address_scope_id": scope}})
            for p in prefixes[attempt % 4 :] + prefixes[: attempt % 4]
        ]
        outside = pool(api, "10.1.2.128/25")["id"]
        wanted.append(("PUT", f"/v2.0/subnetpools/{outside}", {"subnetpool": {"address_scope_id": scope}}))
        answers = await at_once([api.url, second.url], wanted)
        assert Counter(answer.status_code // 100 for answer in answers) == {2: 1, 4: 4}
        assert {api.fault(each)[1] for each in answers if each.status_code > 400} == {"AddressScopePrefixConflict"}
        assert len(api.list("subnetpool", ("address_scope_id", scope))) == 1


async def test_a_pool_goes_or_is_used(api: Api, second: Api) -> None:
    network = api.create("network")["id"]
    for _ in range(5):
        source = pool(api, "10.0.0.0/16", default_prefixlen=24)["id"]
        one = ("POST", "/v2.0/subnets", {"subnet": {"network_id": network, "ip_version": 4, "subnetpool_id": source}})
        answers = await at_once([api.url, second.url], [one, ("DELETE", f"/v2.0/subnetpools/{source}", None), one])
        codes = [answer.status_code for answer in answers]
        if codes[1] == 204:
            assert codes[0] == codes[2] == 404
        else:
            assert api.fault(answers[1])[1] == "SubnetPoolDeleteError" and 201 in codes
        for each in api.list("subnet", ("network_id", network)):
            api.delete("subnet", each["id"])


async def test_a_scope_goes_or_is_used(api: Api, second: Api) -> None:
    for _ in range(5):
        scope = api.create("address_scope", ip_version=4)["id"]
        one = {"name": "p", "prefixes": ["10.0.0.0/16"], "address_scope_id": scope}
        answers = await at_once(
            [api.url, second.url],
            [
                ("POST", "/v2.0/subnetpools", {"subnetpool": one}),
                ("DELETE", f"/v2.0/address-scopes/{scope}", None),
            ],
        )
        assert [answer.status_code for answer in answers] in ([201, 409], [404, 204])


async def test_a_network_stays_in_one_scope(api: Api, second: Api) -> None:
    for _ in range(5):
        scope, other = (api.create("address_scope", ip_version=4)["id"] for _ in range(2))
        one = pool(api, "10.0.0.0/16", default_prefixlen=24, address_scope_id=scope)
        two = pool(api, "10.1.0.0/16", default_prefixlen=24, address_scope_id=scope)
        network = subnet(api, one)["network_id"]
        added = {"network_id": network, "ip_version": 4, "subnetpool_id": two["id"]}
        answers = await at_once(
            [api.url, second.url],
            [
                ("PUT", f"/v2.0/subnetpools/{one['id']}", {"subnetpool": {"address_scope_id": other}}),
                ("POST", "/v2.0/subnets", {"subnet": added}),
            ],
        )
        assert [answer.status_code for answer in answers] in ([200, 400], [400, 201])
        assert {api.fault(each)[1] for each in answers if each.status_code == 400} == {
            "NetworkAddressScopeAffinityError"
        }


@pytest.fixture(scope="module")
def targets(api: Api) -> dict[str, str]:
    source = pool(api, "10.0.0.0/8")
    return {
        "address_scope": api.create("address_scope", ip_version=4)["id"],
        "subnetpool": source["id"],
        "subnet": subnet(api, source, prefixlen=24)["id"],
    }


@RELAXED
@given(data=st.data())
def test_anything(api: Api, targets: dict[str, str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*targets]))
    known = st.sampled_from([each.name for each in OURS[PLURALS[name]].values() if each.post or each.put])
    anything = PLAUSIBLE | st.lists(PREFIXES, max_size=4) | st.integers(0, 130) | st.sampled_from([*targets.values()])
    given_values: dict[str, Any] = data.draw(st.dictionaries(known | st.text(max_size=5), anything, max_size=4))
    method = data.draw(st.sampled_from(["POST", "PUT"]))
    if method == "POST" and data.draw(st.integers(0, 9)):
        base: dict[str, dict[str, Any]] = {
            "address_scope": {"ip_version": data.draw(st.sampled_from([4, 6]))},
            "subnetpool": {"name": "p", "prefixes": data.draw(st.lists(PREFIXES, min_size=1, max_size=4))},
            "subnet": {"network_id": api.show("subnet", targets["subnet"])["network_id"], "ip_version": 4}
            | {"subnetpool_id": targets["subnetpool"], "prefixlen": data.draw(st.integers(8, 33))},
        }
        given_values = base[name] | given_values
    body: Any = {name: given_values}
    if data.draw(st.integers(0, 4)) == 0:
        body = {PLURALS[name]: [given_values, data.draw(st.just(given_values) | ANYTHING)]}
    where = f"/v2.0/{path(name)}" + (f"/{targets[name]}" if method == "PUT" else "")
    check(api, api.raw(method, where, json=body))
