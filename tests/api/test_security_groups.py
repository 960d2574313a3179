"""Security groups, their rules, address groups, and what ports have of them."""

import asyncio
import uuid
from typing import Any

from neutron_lib import constants

from controller.model import AddressGroup, SecurityGroup
from controller.model.protocol import PROTOCOLS, protocol_number
from controller.northbound.default_group import default_group_id
from controller.store import Store

from .conftest import Api


def project() -> str:
    return uuid.uuid4().hex


def stored_numbers(remote: str) -> dict[str, int]:
    """By id of the group: nothing that the API shows."""

    async def read() -> dict[str, int]:
        store = Store([remote])
        await store.start()
        rows: list[SecurityGroup | AddressGroup] = [
            *store.rows(SecurityGroup).values(),
            *store.rows(AddressGroup).values(),
        ]
        await store.close()
        return {row.id: row.number for row in rows}

    return asyncio.run(read())


def said(rules: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {(each["direction"], each["ethertype"], each["protocol"], each["remote_group_id"]) for each in rules}


def rules_of(api: Api, group_id: str) -> list[dict[str, Any]]:
    return api.list("security_group_rule", ("security_group_id", group_id))


def test_protocols_are_those_of_the_api() -> None:
    assert list(PROTOCOLS.items()) == list(constants.IP_PROTOCOL_MAP.items())
    assert protocol_number("tcp") == protocol_number("6") == 6 and protocol_number(None) is None


def test_default_group_by_list(api: Api) -> None:
    one, two = project(), project()
    (group,) = api.list("security_group", ("project_id", one))
    assert (group["id"], group["name"], group["project_id"]) == (default_group_id(one), "default", one)
    assert group["stateful"] is True and group["shared"] is False and group["tags"] == []
    assert said(group["security_group_rules"]) == {
        ("egress", "IPv4", None, None),
        ("egress", "IPv6", None, None),
        ("ingress", "IPv4", None, group["id"]),
        ("ingress", "IPv6", None, group["id"]),
    }
    assert all(each["belongs_to_default_sg"] and each["project_id"] == one for each in group["security_group_rules"])
    # The project may be told by the header, as a proxy does that has checked the user's token, and by its old name.
    answer = api.ask("GET", "/v2.0/security-groups?name=default", headers={"X-Project-Id": two})
    assert default_group_id(two) in {each["id"] for each in answer["security_groups"]}
    assert len(api.list("security_group", ("tenant_id", two))) == 1
    three = project()
    assert len(api.list("security_group_rule", ("project_id", three))) == 4
    assert api.list("security_group", ("project_id", one)) == [group]
    assert api.raw("GET", "/v2.0/security-groups", params={"project_id": "a\0b"}).status_code == 200


def test_default_group_by_port_and_group(api: Api) -> None:
    one, two = project(), project()
    network = api.create("network", project_id=one, shared=True)["id"]
    port = api.create("port", network_id=network, project_id=one)
    assert port["security_groups"] == [default_group_id(one)]
    assert port["port_security_enabled"] is True and port["allowed_address_pairs"] == []
    api.create("security_group", project_id=two)
    assert api.show("security_group", default_group_id(two))["name"] == "default"


def test_group_life(api: Api) -> None:
    group = api.create("security_group", name="web", description="d", stateful=False, project_id=project())
    assert said(group["security_group_rules"]) == {("egress", "IPv4", None, None), ("egress", "IPv6", None, None)}
    assert group["tenant_id"] == group["project_id"] and group["stateful"] is False and group["revision_number"] == 0
    assert not any(each["belongs_to_default_sg"] for each in group["security_group_rules"])
    assert api.show("security_group", group["id"]) == group
    changed = api.update("security_group", group["id"], name="www", stateful=True)
    assert (changed["name"], changed["stateful"], changed["revision_number"]) == ("www", True, 1)
    api.ask("PUT", f"/v2.0/security-groups/{group['id']}/tags/red", status=201)
    assert [each["id"] for each in api.list("security_group", ("tags", "red"), ("name", "www"))] == [group["id"]]
    shown = api.ask("GET", f"/v2.0/security-groups/{group['id']}?fields=id&fields=security_group_rules")
    assert set(shown["security_group"]) == {"id", "security_group_rules"}
    assert api.list("security_group", ("shared", "True")) == []
    api.delete("security_group", group["id"])
    assert rules_of(api, group["id"]) == []


def test_rule_life(api: Api) -> None:
    group = api.create("security_group", project_id=project())
    rule = api.create(
        "security_group_rule",
        security_group_id=group["id"],
        direction="ingress",
        protocol="TCP",
        port_range_min="80",
        port_range_max=90,
        remote_ip_prefix="10.0.0.7/24",
        description="web",
    )
    assert (rule["protocol"], rule["port_range_min"], rule["port_range_max"]) == ("tcp", 80, 90)
    assert rule["remote_ip_prefix"] == rule["normalized_cidr"] == "10.0.0.0/24" and rule["ethertype"] == "IPv4"
    assert rule["project_id"] == group["project_id"] and "name" not in rule
    shown = api.show("security_group", group["id"])
    assert shown["revision_number"] == 1 and rule in shown["security_group_rules"]
    assert api.show("security_group_rule", rule["id"]) == rule
    changed = api.update("security_group_rule", rule["id"], description="www")
    assert changed["description"] == "www" and changed["revision_number"] == 1
    shown = api.show("security_group", group["id"])
    assert shown["revision_number"] == 2 and changed in shown["security_group_rules"]
    listed = api.list("security_group_rule", ("port_range_min", "80"), ("security_group_id", group["id"]))
    assert [each["id"] for each in listed] == [rule["id"]]
    assert api.list("security_group_rule", ("protocol", "udp"), ("security_group_id", group["id"])) == []
    api.delete("security_group_rule", rule["id"])
    shown = api.show("security_group", group["id"])
    assert shown["revision_number"] == 3 and len(shown["security_group_rules"]) == 2


def test_what_rules_are_kept_as(api: Api) -> None:
    group = api.create("security_group")["id"]
    six = {"ethertype": "ipv6"}
    for given, kept in (
        ({"protocol": "any"}, {"protocol": None}),
        ({"protocol": 6, "port_range_min": 1, "port_range_max": 65535}, {"protocol": "6", "port_range_min": None}),
        ({"protocol": "icmp", "port_range_min": 8}, {"port_range_min": 8, "port_range_max": None}),
        ({"protocol": "icmp", "port_range_min": 0, "port_range_max": 0}, {"port_range_min": 0, "port_range_max": 0}),
        ({"protocol": "icmp", **six}, {"protocol": "ipv6-icmp", "ethertype": "IPv6"}),
        ({"protocol": "icmpv6", "port_range_min": 128, **six}, {"protocol": "ipv6-icmp"}),
        ({"protocol": 1, "port_range_min": 135, **six}, {"protocol": "58"}),
        ({"protocol": "255"}, {"protocol": "255"}),
        ({"protocol": "ipv6-route", **six}, {"protocol": "ipv6-route"}),
        ({"remote_ip_prefix": "192.0.2.9"}, {"remote_ip_prefix": "192.0.2.9/32"}),
        ({"remote_ip_prefix": "FD00::1/64", **six}, {"remote_ip_prefix": "fd00::/64"}),
        ({"remote_group_id": group, **six}, {"remote_group_id": group}),
        ({"remote_group_id": "", "protocol": "vrrp"}, {"remote_group_id": None, "protocol": "vrrp"}),
    ):
        made = api.create("security_group_rule", security_group_id=group, direction="ingress", **given)
        assert made | kept == made, given


def test_bulk_rules(api: Api) -> None:
    group = api.create("security_group")
    wanted = [
        {
            "security_group_id": group["id"],
            "direction": "ingress",
            "protocol": "tcp",
            "port_range_min": port,
            "port_range_max": port,
        }
        for port in range(1, 101)
    ]
    made = api.ask("POST", "/v2.0/security-group-rules", {"security_group_rules": wanted}, 201)["security_group_rules"]
    assert [each["port_range_min"] for each in made] == list(range(1, 101))
    shown = api.show("security_group", group["id"])
    assert len(shown["security_group_rules"]) == 102 and shown["revision_number"] == 1
    page = api.list(
        "security_group_rule",
        ("security_group_id", group["id"]),
        ("limit", 3),
        ("sort_key", "port_range_max"),
        ("sort_dir", "desc"),
    )
    assert [each["port_range_max"] for each in page] == [100, 99, 98]


def test_a_group_goes_with_the_rules_that_name_it(api: Api) -> None:
    gone, other = api.create("security_group")["id"], api.create("security_group")["id"]
    own = api.create("security_group_rule", security_group_id=gone, direction="ingress", remote_group_id=gone)["id"]
    named = api.create("security_group_rule", security_group_id=other, direction="ingress", remote_group_id=gone)["id"]
    assert api.show("security_group", other)["revision_number"] == 1
    api.delete("security_group", gone)
    for id in (own, named):
        assert api.raw("GET", f"/v2.0/security-group-rules/{id}").status_code == 404
    shown = api.show("security_group", other)
    assert shown["revision_number"] == 2 and len(shown["security_group_rules"]) == 2


def test_groups_have_numbers_of_their_own(api: Api) -> None:
    groups = [api.create("security_group")["id"] for _ in range(5)]
    addresses = [api.create("address_group")["id"] for _ in range(5)]
    numbers = stored_numbers(api.remote)
    assert all(0 < numbers[id] < 1 << 31 for id in groups)
    assert all(1 << 31 < numbers[id] < 1 << 32 for id in addresses)
    assert len(set(numbers.values())) == len(numbers)


def test_address_group_life(api: Api) -> None:
    group = api.create("address_group", name="a", description="d" * 1000, addresses=["10.0.0.5/24", "FD00::/64"])
    assert group["addresses"] == ["10.0.0.0/24", "fd00::/64"] and group["shared"] is False
    path = f"/v2.0/address-groups/{group['id']}"
    changed = api.ask("PUT", f"{path}/add_addresses", {"addresses": ["192.0.2.1", "2001:db8::1"]})["address_group"]
    assert changed["addresses"] == ["10.0.0.0/24", "fd00::/64", "192.0.2.1/32", "2001:db8::1/128"]
    assert changed["revision_number"] == 1 and api.show("address_group", group["id"]) == changed
    changed = api.ask("PUT", f"{path}/remove_addresses", {"addresses": ["10.0.0.0/24"]})["address_group"]
    assert changed["addresses"] == ["fd00::/64", "192.0.2.1/32", "2001:db8::1/128"]
    assert api.update("address_group", group["id"], name="b")["name"] == "b"
    assert [each["id"] for each in api.list("address_group", ("name", "b"))] == [group["id"]]
    in_group = api.create("security_group")["id"]
    rule = api.create(
        "security_group_rule", security_group_id=in_group, direction="egress", remote_address_group_id=group["id"]
    )
    assert rule["remote_address_group_id"] == group["id"]
    assert api.fault(api.raw("DELETE", path)) == (
        409,
        "AddressGroupInUse",
        f"Address group {group['id']} is in use on one or more security group rules.",
    )
    api.delete("security_group_rule", rule["id"])
    api.delete("address_group", group["id"])
    assert api.create("address_group", addresses=None)["addresses"] == []


def test_groups_of_a_port(api: Api) -> None:
    mine = project()
    network = api.create("network", project_id=mine)["id"]
    one, two = sorted(api.create("security_group", project_id=mine)["id"] for _ in range(2))
    port = api.create("port", network_id=network, project_id=mine, security_groups=[two, one])
    assert port["security_groups"] == [one, two]
    bare = api.create("port", network_id=network, project_id=mine, security_groups=[])
    assert bare["security_groups"] == [] and bare["port_security_enabled"]
    assert api.create("port", network_id=network, project_id=mine, security_groups=None)["security_groups"] == []
    for wanted in ([one], [two], [one, two]):
        found = api.list("port", *[("security_groups", id) for id in wanted], ("network_id", network))
        assert [each["id"] for each in found] == [port["id"]]
    assert api.update("port", port["id"], security_groups=[two])["revision_number"] == 1
    assert api.update("port", port["id"], security_groups=[two])["revision_number"] == 1
    assert api.list("port", ("security_groups", one)) == []
    assert api.fault(api.raw("DELETE", f"/v2.0/security-groups/{two}")) == (
        409,
        "SecurityGroupInUse",
        f"Security Group {two} in use.",
    )
    assert api.fault(api.raw("PUT", f"/v2.0/security-groups/{two}", {"security_group": {"stateful": False}}))[1] == (
        "SecurityGroupInUse"
    )
    assert api.update("security_group", two, stateful=True)["stateful"]
    api.delete("port", port["id"])
    api.delete("security_group", two)


def test_port_security(api: Api) -> None:
    network = api.create("network", port_security_enabled=False)
    assert network["port_security_enabled"] is False
    port = api.create("port", network_id=network["id"])
    assert port["port_security_enabled"] is False and port["security_groups"] == []
    guarded = api.create("port", network_id=network["id"], port_security_enabled=True)
    assert guarded["port_security_enabled"] and guarded["security_groups"] == [default_group_id("")]
    assert api.update("network", network["id"], port_security_enabled=True)["port_security_enabled"]
    assert api.create("port", network_id=network["id"])["port_security_enabled"]
    assert api.show("port", port["id"])["port_security_enabled"] is False
    opened = api.update("port", guarded["id"], port_security_enabled=False, security_groups=[])
    assert not opened["port_security_enabled"]
    assert api.update("port", guarded["id"], port_security_enabled=True)["security_groups"] == []


def test_ports_of_the_network_itself_are_in_no_group(api: Api) -> None:
    network = api.create("network")["id"]
    port = api.create("port", network_id=network, device_owner="network:dhcp", port_security_enabled=True)
    assert port["security_groups"] == [] and not port["port_security_enabled"]
    port = api.create("port", network_id=network)
    assert api.update("port", port["id"], device_owner="network:router_interface")["security_groups"] == []


def test_allowed_address_pairs(api: Api) -> None:
    network = api.create("network")["id"]
    pairs = [{"ip_address": "10.0.0.9"}, {"ip_address": "FD00::5/64", "mac_address": "FA-16-3E-00-00-09"}]
    port = api.create("port", network_id=network, mac_address="fa:16:3e:00:00:01", allowed_address_pairs=pairs)
    assert port["allowed_address_pairs"] == [
        {"ip_address": "10.0.0.9", "mac_address": "fa:16:3e:00:00:01"},
        {"ip_address": "fd00::/64", "mac_address": "fa:16:3e:00:00:09"},
    ]
    changed = api.update("port", port["id"], mac_address="fa:16:3e:00:00:02", allowed_address_pairs=pairs[:1])
    assert changed["allowed_address_pairs"] == [{"ip_address": "10.0.0.9", "mac_address": "fa:16:3e:00:00:02"}]
    changed = api.update("port", port["id"], mac_address=None, allowed_address_pairs=pairs[:1])
    assert changed["allowed_address_pairs"] == [{"ip_address": "10.0.0.9", "mac_address": changed["mac_address"]}]
    everything = [{"ip_address": "0.0.0.0/0"}, {"ip_address": "::/0"}]
    assert len(api.update("port", port["id"], allowed_address_pairs=everything)["allowed_address_pairs"]) == 2
    assert api.update("port", port["id"], allowed_address_pairs=None)["allowed_address_pairs"] == []
