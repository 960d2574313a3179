"""Filters, sorting, paging and fields against a model in plain Python."""

import functools
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import Api

NAMES = ["", "a", "b", "B", "c"]
OWNERS = ["", "compute:nova", "network:dhcp"]
Row = dict[str, Any]


@pytest.fixture(scope="module")
def ports(own_api: Api) -> list[Row]:
    networks = [own_api.create("network", name=f"n{n}")["id"] for n in range(2)]
    for network in networks:
        own_api.create("subnet", network_id=network, cidr="10.0.0.0/26", ip_version=4)
    wanted = [
        {
            "network_id": networks[n % 2],
            "name": NAMES[n * 7 % 5],
            "device_owner": OWNERS[n * 5 % 3],
            "admin_state_up": n % 3 != 0,
            "description": "x" * (n % 2),
            "project_id": f"p{n % 4}",
            "tags": ["red", "green"][: n % 3],
        }
        for n in range(30)
    ]
    made: list[Row] = own_api.ask("POST", "/v2.0/ports", {"ports": wanted}, 201)["ports"]
    return made


def model(rows: list[Row], params: list[tuple[str, str]]) -> list[Row]:
    """What the list is, page and all."""
    values: dict[str, list[str]] = {}
    for name, value in params:
        values.setdefault(name, []).append(value)
    keys = [
        (key, way == "asc") for key, way in zip(values.get("sort_key", []), values.get("sort_dir", []), strict=True)
    ]

    def compare(one: Row, other: Row) -> int:
        for key, ascending in [*keys, ("id", True)]:
            if one[key] != other[key]:
                return -1 if (one[key] < other[key]) == ascending else 1
        return 0

    def wanted(row: Row) -> bool:
        for name in ("name", "device_owner", "network_id", "project_id", "description", "id", "mac_address"):
            if name in values and row[name] not in values[name]:
                return False
        if "admin_state_up" in values and str(row["admin_state_up"]) not in values["admin_state_up"]:
            return False
        addresses = [value.partition("=")[2] for value in values.get("fixed_ips", [])]
        return not addresses or any(each["ip_address"] in addresses for each in row["fixed_ips"])

    order = sorted(rows, key=functools.cmp_to_key(compare))
    marker = next((at for at, row in enumerate(order) if row["id"] == values.get("marker", [""])[0]), None)
    reverse = "page_reverse" in values
    if marker is not None:
        order = order[:marker] if reverse else order[marker + 1 :]
    found = [row for row in order if wanted(row)]
    if "limit" in values:
        count = int(values["limit"][0])
        found = found[-count:] if reverse else found[:count]
    if "fields" in values:
        return [{name: row[name] for name in values["fields"]} for row in found]
    return found


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_lists(own_api: Api, ports: list[Row], data: st.DataObject) -> None:
    filters = st.one_of(
        st.tuples(st.just("name"), st.sampled_from([*NAMES, "nobody"])),
        st.tuples(st.just("device_owner"), st.sampled_from(OWNERS)),
        st.tuples(st.just("admin_state_up"), st.sampled_from(["True", "False"])),
        st.tuples(st.just("description"), st.sampled_from(["x", ""])),
        st.tuples(st.just("project_id"), st.sampled_from(["p0", "p1", "p2"])),
        *(
            st.tuples(st.just(name), st.sampled_from([row[name] for row in ports]))
            for name in ("network_id", "id", "mac_address")
        ),
        st.tuples(
            st.just("fixed_ips"),
            st.sampled_from([f"ip_address={row['fixed_ips'][0]['ip_address']}" for row in ports]),
        ),
    )
    params = data.draw(st.lists(filters, max_size=3))
    keys = st.sampled_from(["name", "device_owner", "network_id", "mac_address", "admin_state_up", "project_id", "id"])
    for key in data.draw(st.lists(keys, max_size=3, unique=True)):
        params += [("sort_key", key), ("sort_dir", data.draw(st.sampled_from(["asc", "desc"])))]
    if data.draw(st.booleans()):
        params.append(("limit", str(data.draw(st.integers(1, 12)))))
        if data.draw(st.booleans()):
            params.append(("marker", data.draw(st.sampled_from([row["id"] for row in ports]))))
        if data.draw(st.booleans()):
            params.append(("page_reverse", "True"))
    fields = st.lists(st.sampled_from(["id", "name", "fixed_ips", "tenant_id", "status"]), max_size=3, unique=True)
    params += [("fields", name) for name in data.draw(fields)]
    assert own_api.list("port", *params) == model(ports, params)


def pages(api: Api, rel: str, **params: Any) -> list[list[Row]]:
    found: list[list[Row]] = []
    url = str(httpx.URL(f"{api.url}/v2.0/ports", params=params))
    while True:
        answer = api.ask("GET", url)
        if not answer["ports"]:
            return found
        found.append(answer["ports"])
        onward = [each["href"] for each in answer.get("ports_links", []) if each["rel"] == rel]
        if not onward:
            return found
        url = onward[0]


@pytest.mark.parametrize("limit", [1, 7, 10, 30, 50])
def test_links_lead_through_all_pages(own_api: Api, ports: list[Row], limit: int) -> None:
    order = sorted(ports, key=lambda row: (row["name"], row["id"]))
    query = {"limit": limit, "sort_key": "name", "sort_dir": "asc"}
    forward = pages(own_api, "next", **query)
    assert [row for page in forward for row in page] == order
    back = pages(own_api, "previous", **query, page_reverse="True")
    assert [row for page in reversed(back) for row in page] == order


def test_other_filters(own_api: Api, ports: list[Row]) -> None:
    def ids(*params: tuple[str, str]) -> set[str]:
        return {row["id"] for row in own_api.list("port", *params)}

    first = ports[0]
    address, subnet = first["fixed_ips"][0]["ip_address"], first["fixed_ips"][0]["subnet_id"]
    both = (("fixed_ips", f"ip_address={address}"), ("fixed_ips", f"subnet_id={subnet}"))
    assert ids(*both) == {first["id"]}
    assert ids(("fixed_ips", f"subnet_id={subnet}")) == {
        row["id"] for row in ports if row["fixed_ips"][0]["subnet_id"] == subnet
    }
    assert ids(("fixed_ips", "ip_address_substr=0.1")) == {
        row["id"] for row in ports if "0.1" in row["fixed_ips"][0]["ip_address"]
    }
    assert ids(("mac_address", first["mac_address"].upper().replace(":", "-"))) == {first["id"]}
    assert ids(("tags", "red,green")) == {row["id"] for row in ports if len(row["tags"]) == 2}
    assert ids(("tenant_id", "p1")) == {row["id"] for row in ports if row["project_id"] == "p1"}
    assert ids(("changed_since", "2000-01-01T00:00:00Z")) == {row["id"] for row in ports}
    assert ids(("changed_since", "2999-01-01T00:00:00Z")) == set()
    assert ids(("status", "DOWN"), ("revision_number", "0")) == {row["id"] for row in ports}
    networks = own_api.list("network", ("name", "n0"), ("fields", "subnets"))
    assert len(networks) == 1 and len(networks[0]["subnets"]) == 1
    assert own_api.list("subnet", ("cidr", "10.0.0.7/26"), ("shared", "False"), ("gateway_ip", "10.0.0.1"))
    assert own_api.list("subnet", ("shared", "True")) == []
    assert own_api.list("port", ("fields", "nothing"), ("limit", "1")) == [{}]
