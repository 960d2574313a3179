"""Security groups of two api processes over one database, and many requests at once."""

from collections import Counter
from typing import Any

from controller.northbound.default_group import default_group_id

from .conftest import Api
from .test_races import at_once, second
from .test_security_groups import project

__all__ = ["second"]


async def test_one_default_group(api: Api, second: Api) -> None:
    for _ in range(5):
        mine = project()
        network = api.create("network", project_id=mine)["id"]
        lists: list[tuple[str, str, Any]] = [("GET", f"/v2.0/security-groups?project_id={mine}", None)] * 6
        port = {"network_id": network, "project_id": mine}
        ports: list[tuple[str, str, Any]] = [("POST", "/v2.0/ports", {"port": port})] * 6
        answers = await at_once([api.url, second.url], lists + ports)
        assert [answer.status_code for answer in answers] == [200] * 6 + [201] * 6
        assert {answer.json()["port"]["security_groups"][0] for answer in answers[6:]} == {default_group_id(mine)}
        for answer in answers[:6]:
            (group,) = answer.json()["security_groups"]
            assert group["id"] == default_group_id(mine) and len(group["security_group_rules"]) == 4


async def test_a_rule_is_made_once(api: Api, second: Api) -> None:
    group = api.create("security_group")["id"]
    rule = {"security_group_id": group, "direction": "ingress", "protocol": "tcp"}
    answers = await at_once(
        [api.url, second.url], [("POST", "/v2.0/security-group-rules", {"security_group_rule": rule})] * 8
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    (made,) = [answer.json()["security_group_rule"]["id"] for answer in answers if answer.status_code == 201]
    assert {api.fault(answer)[2] for answer in answers if answer.status_code == 409} == {
        f"Security group rule already exists. Rule id is {made}."
    }


async def test_many_rules_at_once_all_count(api: Api, second: Api) -> None:
    """They change one record, and none is turned away for it."""
    group = api.create("security_group")["id"]
    rule = {"security_group_id": group, "direction": "ingress", "protocol": "udp"}
    wanted = [rule | {"port_range_min": port, "port_range_max": port} for port in range(1, 101)]
    answers = await at_once(
        [api.url, second.url],
        [("POST", "/v2.0/security-group-rules", {"security_group_rule": each}) for each in wanted],
    )
    assert Counter(answer.status_code for answer in answers) == {201: 100}
    shown = api.show("security_group", group)
    assert shown["revision_number"] == 100 and len(shown["security_group_rules"]) == 102


async def test_the_last_rule_of_a_full_group_goes_to_one(api: Api, second: Api) -> None:
    group = api.create("security_group")["id"]
    rule = {"security_group_id": group, "direction": "ingress", "protocol": "tcp"}
    wanted = [rule | {"port_range_min": port, "port_range_max": port} for port in range(1, 4100)]
    api.ask("POST", "/v2.0/security-group-rules", {"security_group_rules": wanted[:4093]}, 201)
    answers = await at_once(
        [api.url, second.url],
        [("POST", "/v2.0/security-group-rules", {"security_group_rule": each}) for each in wanted[4093:]],
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    assert {api.fault(answer)[1] for answer in answers if answer.status_code == 409} == {"OverQuota"}
    api.delete("security_group", group)


async def test_a_group_goes_or_is_used(api: Api, second: Api) -> None:
    network = api.create("network")["id"]
    other = api.create("security_group")["id"]
    for _ in range(5):
        group = api.create("security_group")["id"]
        port = ("POST", "/v2.0/ports", {"port": {"network_id": network, "security_groups": [group]}})
        rule = {"security_group_id": other, "direction": "ingress", "remote_group_id": group}
        named = ("POST", "/v2.0/security-group-rules", {"security_group_rule": rule})
        answers = await at_once(
            [api.url, second.url], [named, ("DELETE", f"/v2.0/security-groups/{group}", None), port, port]
        )
        codes = [answer.status_code for answer in answers]
        if codes[1] == 204:
            assert codes[2:] == [404, 404] and codes[0] in (201, 404)
            assert api.list("security_group_rule", ("remote_group_id", group)) == []
        else:
            assert codes[1] == 409 and 201 in codes[2:] and codes[0] == 201
        assert len(api.show("security_group", other)["security_group_rules"]) >= 2
