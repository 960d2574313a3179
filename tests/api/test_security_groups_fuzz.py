"""Whatever is said of security groups, the answer is one of the API, and what is kept is canonical."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.protocol import PROTOCOLS, protocol_number

from .conftest import Api, path
from .test_definitions import OURS
from .test_fuzz import PLAUSIBLE, RELAXED, check
from .test_values import ANYTHING, MACS, NEARLY_ADDRESSES, PREFIXES

NAMES = ["security_group", "security_group_rule", "address_group"]
PORT_NUMBERS = st.none() | st.integers(-1, 300) | st.integers(-1, 65536) | st.integers(0, 65535).map(str)
PROTOCOL = st.one_of(
    st.none(),
    st.sampled_from([*PROTOCOLS, "any", "ICMP", "Tcp"]),
    st.integers(-1, 256),
    st.integers(0, 255).map(str),
)


@pytest.fixture(scope="module")
def targets(api: Api) -> dict[str, str]:
    found = {name: api.create(name)["id"] for name in ("network", "security_group", "address_group")}
    group = found["security_group"]
    rule = api.create("security_group_rule", security_group_id=group, direction="ingress", protocol="egp")
    return found | {"security_group_rule": rule["id"], "port": api.create("port", network_id=found["network"])["id"]}


@RELAXED
@given(data=st.data())
def test_rules(api: Api, targets: dict[str, str], data: st.DataObject) -> None:
    """Rules that nearly mean something: all that is accepted means something."""
    group = targets["security_group"]
    optional = {
        "ethertype": st.sampled_from(["IPv4", "IPv6", "ipv6", "IPv5"]),
        "protocol": PROTOCOL,
        "port_range_min": PORT_NUMBERS,
        "port_range_max": PORT_NUMBERS,
        "remote_ip_prefix": st.none() | PREFIXES | NEARLY_ADDRESSES,
        "remote_group_id": st.sampled_from([None, group]),
        "remote_address_group_id": st.sampled_from([None, targets["address_group"]]),
        "description": st.text(max_size=4),
    }
    chosen = data.draw(st.sets(st.sampled_from(sorted(optional)), max_size=4))
    said = {name: data.draw(optional[name]) for name in sorted(chosen)}
    direction = data.draw(st.sampled_from(["ingress", "egress"]))
    body = {"security_group_rule": {"security_group_id": group, "direction": direction, **said}}
    answer = api.raw("POST", "/v2.0/security-group-rules", body)
    check(api, answer)
    if answer.status_code != 201:
        assert answer.status_code in (400, 409), answer.text
        return
    rule = answer.json()["security_group_rule"]
    number = protocol_number(rule["protocol"])
    assert number is None or 0 <= number <= 255
    assert rule["ethertype"] != "IPv6" or number != 1
    low, high = rule["port_range_min"], rule["port_range_max"]
    if number in (1, 58):
        assert (low is not None and low <= 255) or (low is None and high is None)
    elif low is not None or high is not None:
        assert number in (6, 17, 33, 132, 136) and 1 <= low <= high and (low, high) != (1, 65535)
    if rule["remote_ip_prefix"] is not None:
        prefix = ipaddress.ip_network(rule["remote_ip_prefix"])
        assert str(prefix) == rule["remote_ip_prefix"] and rule["ethertype"] == f"IPv{prefix.version}"
    assert api.raw("POST", "/v2.0/security-group-rules", body).status_code == 409
    api.delete("security_group_rule", rule["id"])


@RELAXED
@given(data=st.data())
def test_bodies(api: Api, targets: dict[str, str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    known = st.sampled_from([each.name for each in OURS[f"{name}s"].values() if each.post or each.put])
    values: dict[str, Any] = data.draw(st.dictionaries(known | st.text(max_size=5), PLAUSIBLE, max_size=4))
    method = data.draw(st.sampled_from(["POST", "PUT"]))
    if method == "POST" and name == "security_group_rule":
        values = {"security_group_id": targets["security_group"], "direction": "egress", **values}
    body: Any = {name: values}
    if data.draw(st.integers(0, 4)) == 0:
        body = {f"{name}s": [values, data.draw(st.just(values) | ANYTHING)]}
    check(api, api.raw(method, f"/v2.0/{path(name)}" + (f"/{targets[name]}" if method == "PUT" else ""), json=body))


@RELAXED
@given(data=st.data())
def test_ports(api: Api, targets: dict[str, str], data: st.DataObject) -> None:
    pair = st.fixed_dictionaries({}, optional={"ip_address": NEARLY_ADDRESSES | PREFIXES, "mac_address": MACS})
    given_values = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "port_security_enabled": st.booleans() | ANYTHING,
                "security_groups": st.lists(st.sampled_from([targets["security_group"], targets["port"]]), max_size=2)
                | ANYTHING,
                "allowed_address_pairs": st.lists(pair | ANYTHING, max_size=3) | ANYTHING,
                "device_owner": st.sampled_from(["network:dhcp", "compute:nova", ""]),
            },
        )
    )
    check(api, api.raw("PUT", f"/v2.0/ports/{targets['port']}", {"port": given_values}))
    answer = api.raw("POST", "/v2.0/ports", {"port": {"network_id": targets["network"], **given_values}})
    check(api, answer)
    if answer.status_code == 201:
        api.delete("port", answer.json()["port"]["id"])


@RELAXED
@given(body=ANYTHING | st.fixed_dictionaries({"addresses": st.lists(PREFIXES | NEARLY_ADDRESSES, max_size=4)}))
def test_addresses(api: Api, targets: dict[str, str], body: Any) -> None:
    for action in ("add_addresses", "remove_addresses"):
        check(api, api.raw("PUT", f"/v2.0/address-groups/{targets['address_group']}/{action}", json=body))


@RELAXED
@given(data=st.data())
def test_queries(api: Api, targets: dict[str, str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    known = [*OURS[f"{name}s"], "limit", "marker", "sort_key", "sort_dir", "fields", "tags-any"]
    words = st.sampled_from([*known, "asc", "1", "True", "", *targets.values()])
    params = data.draw(st.lists(st.tuples(st.sampled_from(known), words | st.text(max_size=8)), max_size=5))
    check(api, api.raw("GET", f"/v2.0/{path(name)}", params=params))


def test_still_well(api: Api, targets: dict[str, str]) -> None:
    for name, id in targets.items():
        assert api.show(name, id)["id"] == id
        api.list(name)
    assert api.ask("GET", "/healthz") == {"status": "ok"}
