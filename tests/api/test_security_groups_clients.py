"""Security groups by the clients that people have: openstacksdk and the ``openstack`` command."""

from typing import Any

import openstack
import pytest
from openstack import exceptions

from controller.northbound.default_group import default_group_id

from .conftest import Api
from .test_clients import run
from .test_security_groups import project

JSON = ("-f", "json")


@pytest.mark.timeout(300)  # twenty starts of the command
def test_openstack_command(api: Api) -> None:
    group = run(api, "security", "group", "create", "cli-web", "--description", "web", "--tag", "red", *JSON)
    assert group["name"] == "cli-web" and group["stateful"] is True and group["tags"] == ["red"]
    assert len(group["rules"]) == 2
    free = run(api, "security", "group", "create", "cli-free", "--stateless", *JSON)
    assert free["stateful"] is False
    http = run(
        api, "security", "group", "rule", "create", "cli-web", "--protocol", "tcp", "--dst-port", "80:90",
        "--remote-ip", "10.0.0.0/8", *JSON,
    )  # fmt: skip
    assert (http["direction"], http["port_range_min"], http["port_range_max"]) == ("ingress", 80, 90)
    run(
        api, "security", "group", "rule", "create", "cli-web", "--remote-group", "cli-web", "--ethertype", "IPv6", *JSON
    )
    run(
        api, "security", "group", "rule", "create", "cli-web", "--protocol", "icmp", "--icmp-type", "8", "--egress",
        *JSON,
    )  # fmt: skip
    listed = run(api, "security", "group", "rule", "list", "cli-web", *JSON)
    assert len(listed) == 5 and {each["Remote Security Group"] for each in listed} == {None, group["id"]}
    run(api, "security", "group", "set", "cli-web", "--name", "cli-www", "--stateful")
    assert len(run(api, "security", "group", "show", "cli-www", *JSON)["rules"]) == 5
    assert "cli-www" in {each["Name"] for each in run(api, "security", "group", "list", *JSON)}
    run(api, "security", "group", "rule", "delete", http["id"])

    addresses = run(api, "address", "group", "create", "cli-a", "--address", "10.0.0.1", *JSON)
    assert addresses["addresses"] == ["10.0.0.1/32"]
    run(api, "address", "group", "set", "cli-a", "--address", "fd00::/64")
    run(api, "address", "group", "unset", "cli-a", "--address", "10.0.0.1")
    assert run(api, "address", "group", "show", "cli-a", *JSON)["addresses"] == ["fd00::/64"]
    run(
        api, "security", "group", "rule", "create", "cli-www", "--remote-address-group", "cli-a",
        "--ethertype", "IPv6", "--protocol", "udp", *JSON,
    )  # fmt: skip

    run(api, "network", "create", "cli-sg", "--disable-port-security", *JSON)
    port = run(
        api, "port", "create", "cli-sg-p", "--network", "cli-sg", "--enable-port-security",
        "--security-group", "cli-www", "--allowed-address", "ip-address=10.0.0.0/24", *JSON,
    )  # fmt: skip
    assert port["security_group_ids"] == [group["id"]] and port["port_security_enabled"] is True
    assert port["allowed_address_pairs"] == [{"ip_address": "10.0.0.0/24", "mac_address": port["mac_address"]}]
    listed = run(api, "port", "list", "--security-group", group["id"], *JSON)
    assert [each["Name"] for each in listed] == ["cli-sg-p"]
    run(api, "port", "set", "cli-sg-p", "--no-security-group", "--no-allowed-address", "--disable-port-security")
    run(api, "security", "group", "delete", "cli-www")
    run(api, "address", "group", "delete", "cli-a")
    assert api.list("security_group_rule", ("security_group_id", group["id"])) == []


@pytest.fixture(scope="module")
def sdk(api: Api) -> Any:
    connection = openstack.connect(auth_type="none", endpoint=api.url)
    yield connection.network
    connection.close()


def test_sdk(sdk: Any) -> None:
    mine = project()
    (default,) = sdk.security_groups(project_id=mine)
    assert default.name == "default" and default.id == default_group_id(mine)
    group = sdk.create_security_group(name="sdk", project_id=mine, stateful=False)
    assert group.stateful is False and group.is_shared is False and len(group.security_group_rules) == 2
    rules = sdk.create_security_group_rules(
        [
            {
                "security_group_id": group.id,
                "direction": "ingress",
                "protocol": "tcp",
                "port_range_min": n,
                "port_range_max": n,
            }
            for n in (22, 80)
        ]
    )
    assert [rule.port_range_min for rule in rules] == [22, 80]
    with pytest.raises(exceptions.ConflictException, match=r"already exists\. Rule id is"):
        sdk.create_security_group_rule(
            security_group_id=group.id, direction="ingress", protocol="6", port_range_min=22, port_range_max=22
        )
    assert len(list(sdk.security_group_rules(security_group_id=group.id, direction="ingress"))) == 2
    assert sdk.get_security_group(group.id).revision_number == 1
    sdk.set_tags(group, ["a"])
    assert sdk.find_security_group("sdk").tags == ["a"]
    assert sdk.update_security_group(group, description="d").description == "d"
    addresses = sdk.create_address_group(name="sdk-a", addresses=["10.0.0.0/24"], project_id=mine)
    assert sdk.add_addresses_to_address_group(addresses, ["10.1.0.0/24"]).addresses == ["10.0.0.0/24", "10.1.0.0/24"]
    assert sdk.remove_addresses_from_address_group(addresses, ["10.0.0.0/24"]).addresses == ["10.1.0.0/24"]
    network = sdk.create_network(name="sdk-sg", project_id=mine, is_port_security_enabled=True)
    port = sdk.create_port(network_id=network.id, project_id=mine)
    assert port.security_group_ids == [default.id] and port.is_port_security_enabled
    port = sdk.update_port(port, security_groups=[group.id], allowed_address_pairs=[{"ip_address": "10.9.9.9"}])
    assert port.security_group_ids == [group.id] and port.allowed_address_pairs[0]["ip_address"] == "10.9.9.9"
    with pytest.raises(exceptions.ConflictException, match="in use"):
        sdk.delete_security_group(group, ignore_missing=False)
    with pytest.raises(exceptions.ConflictException, match="Insufficient rights"):
        sdk.delete_security_group(default, ignore_missing=False)
    sdk.delete_port(port, ignore_missing=False)
    sdk.delete_security_group(group, ignore_missing=False)
    sdk.delete_address_group(addresses, ignore_missing=False)
    found = {each.alias for each in sdk.extensions()}
    assert {"security-group", "port-security", "allowed-address-pairs", "address-group"} <= found
