"""Whatever is sent, the answer is one of the API: never a failure of the server."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Api
from .test_definitions import OURS
from .test_values import ANYTHING, FIXED_IPS, MACS, NEARLY_ADDRESSES, OPTIONS, PREFIXES, ROUTES, UUIDS

RELAXED = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PLAUSIBLE = st.one_of(
    ANYTHING,
    NEARLY_ADDRESSES,
    PREFIXES,
    MACS,
    UUIDS,
    FIXED_IPS,
    ROUTES,
    OPTIONS,
    st.integers(),
    st.sampled_from([4, 6, "slaac", "dhcpv6-stateless", "vxlan", True, 10**30, "\ud7ff", "\uffff", "\0", "é" * 300]),
    st.lists(st.fixed_dictionaries({"start": NEARLY_ADDRESSES, "end": NEARLY_ADDRESSES}), max_size=3),
)


@pytest.fixture(scope="module")
def targets(api: Api) -> dict[str, str]:
    network = api.create("network")["id"]
    subnet = api.create("subnet", network_id=network, cidr="10.0.0.0/24", ip_version=4)["id"]
    api.create("subnet", network_id=network, cidr="fd00::/64", ip_version=6)
    return {"network": network, "subnet": subnet, "port": api.create("port", network_id=network)["id"]}


def check(api: Api, answer: Any) -> None:
    assert answer.status_code < 500, (answer.request.method, answer.request.url, answer.request.content, answer.text)
    if answer.status_code >= 400:
        api.fault(answer)


@RELAXED
@given(data=st.data())
def test_bodies(api: Api, targets: dict[str, str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["network", "subnet", "port"]))
    known = st.sampled_from([each.name for each in OURS[f"{name}s"].values() if each.post or each.put])
    given_values: dict[str, Any] = data.draw(st.dictionaries(known | st.text(max_size=5), PLAUSIBLE, max_size=4))
    method = data.draw(st.sampled_from(["POST", "PUT"]))
    if method == "POST" and data.draw(st.integers(0, 9)):
        plain: dict[str, Any] = {"network_id": targets["network"], "ip_version": data.draw(st.sampled_from([4, 6]))}
        prefix = data.draw(PREFIXES)
        base = {
            "network": dict[str, Any](),
            "subnet": plain | {"cidr": prefix},
            "port": {"network_id": targets["network"]},
        }[name]
        given_values = base | given_values
    body: Any = {name: given_values}
    if data.draw(st.integers(0, 4)) == 0:
        body = {f"{name}s": [given_values, data.draw(st.just(given_values) | ANYTHING)]}
    path = f"/v2.0/{name}s" + (f"/{targets[name]}" if method == "PUT" else "")
    check(api, api.raw(method, path, json=body))


@RELAXED
@given(
    name=st.sampled_from(["networks", "subnets", "ports"]),
    content=st.binary(max_size=60) | st.text(max_size=40).map(str.encode),
    method=st.sampled_from(["POST", "PUT", "DELETE", "PATCH", "GET"]),
    tail=st.sampled_from(["", "/x", "/x/tags", "/x/tags/y"]),
)
def test_bytes(api: Api, name: str, content: bytes, method: str, tail: str) -> None:
    headers = {"Content-Type": "application/json"}
    check(api, api.raw(method, f"/v2.0/{name}{tail}", content=content, headers=headers))


@RELAXED
@given(data=st.data())
def test_queries(api: Api, targets: dict[str, str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["networks", "subnets", "ports"]))
    known = [*OURS[name], "limit", "marker", "sort_key", "sort_dir", "fields", "page_reverse", "tags-any", "not-tags"]
    words = st.sampled_from([*known, "asc", "desc", "1", "True", "ip_address=10.0.0.2", *targets.values()])
    names = st.sampled_from([*known, "changed_since"]) | st.text(max_size=4)
    params = data.draw(st.lists(st.tuples(names, words | st.text(max_size=8)), max_size=5))
    check(api, api.raw("GET", f"/v2.0/{name}", params=params))


@RELAXED
@given(tag=st.text(max_size=8), body=ANYTHING | st.fixed_dictionaries({"tags": st.lists(st.text(max_size=4))}))
def test_tags(api: Api, targets: dict[str, str], tag: str, body: Any) -> None:
    import urllib.parse

    base = f"/v2.0/ports/{targets['port']}/tags"
    check(api, api.raw("PUT", base, json=body))
    check(api, api.raw("POST", base, json=body))
    if tag not in ("", ".", ".."):
        quoted = urllib.parse.quote(tag, safe="")
        for method in ("PUT", "GET", "DELETE"):
            check(api, api.raw(method, f"{base}/{quoted}"))


def test_still_well(api: Api, targets: dict[str, str]) -> None:
    for name, id in targets.items():
        assert api.show(name, id)["id"] == id
        api.list(name)
    assert api.ask("GET", "/healthz") == {"status": "ok"}
