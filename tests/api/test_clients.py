"""The clients that people have: openstacksdk and the ``openstack`` command."""

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import openstack
import pytest
from openstack import exceptions

from controller.model import Host
from controller.store import Insert

from .conftest import Api

COMMAND = str(Path(sys.executable).parent / "openstack")


def run(api: Api, *arguments: str) -> Any:
    """What the command prints, as JSON where it prints any."""
    done = subprocess.run(
        [COMMAND, "--os-auth-type", "none", "--os-endpoint", api.url, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_openstack_command(api: Api) -> None:
    as_json = ("-f", "json")
    made = run(api, "network", "create", "cli", "--description", "by hand", "--mtu", "1400", "--tag", "red", *as_json)
    assert made["name"] == "cli" and made["mtu"] == 1400 and made["tags"] == ["red"]
    subnet = run(
        api, "subnet", "create", "cli-s", "--network", "cli", "--subnet-range", "10.0.0.0/24",
        "--dns-nameserver", "9.9.9.9", "--allocation-pool", "start=10.0.0.50,end=10.0.0.99",
        "--host-route", "destination=10.9.0.0/16,gateway=10.0.0.7", *as_json,
    )  # fmt: skip
    assert subnet["allocation_pools"] == [{"start": "10.0.0.50", "end": "10.0.0.99"}]
    port = run(api, "port", "create", "cli-p", "--network", "cli", "--fixed-ip", "ip-address=10.0.0.60", *as_json)
    assert [each["ip_address"] for each in port["fixed_ips"]] == ["10.0.0.60"]
    run(api, "network", "set", "cli", "--name", "cli-2", "--disable")
    run(api, "subnet", "set", "cli-s", "--no-dns-nameservers", "--gateway", "none")
    run(api, "port", "set", "cli-p", "--fixed-ip", "ip-address=10.0.0.61", "--description", "d", "--tag", "x")
    listed = run(api, "network", "list", "--long", "--tags", "red", *as_json)
    assert [(each["Name"], each["State"]) for each in listed] == [("cli-2", False)]
    shown = run(api, "port", "show", "cli-p", *as_json)
    assert {each["ip_address"] for each in shown["fixed_ips"]} == {"10.0.0.60", "10.0.0.61"}
    assert shown["tags"] == ["x"] and shown["description"] == "d"
    listed = run(api, "port", "list", "--network", "cli-2", "--fixed-ip", "ip-address=10.0.0.61", *as_json)
    assert [each["Name"] for each in listed] == ["cli-p"]
    shown = run(api, "subnet", "show", "cli-s", *as_json)
    assert shown["gateway_ip"] is None and shown["dns_nameservers"] == []
    run(api, "port", "delete", "cli-p")
    run(api, "network", "delete", "cli-2")
    assert api.list("network", ("name", "cli-2")) == []


def test_openstack_command_shows_hosts(api: Api) -> None:
    api.write(Insert(Host(id=str(uuid.uuid4()), name="host-cli", alive=True)))
    listed = run(api, "network", "agent", "list", "--host", "host-cli", "-f", "json")
    assert [(each["Host"], each["Alive"], each["Binary"]) for each in listed] == [("host-cli", True, "tunbridge")]


@pytest.fixture(scope="module")
def sdk(api: Api) -> Any:
    connection = openstack.connect(auth_type="none", endpoint=api.url)
    yield connection.network
    connection.close()


def test_sdk(sdk: Any) -> None:
    network = sdk.create_network(name="sdk", is_shared=True, provider_network_type="vxlan")
    assert network.is_shared and network.provider_network_type == "vxlan" and network.mtu == 1450
    subnet = sdk.create_subnet(network_id=network.id, cidr="10.0.0.0/24", ip_version=4, name="sdk-s")
    six = sdk.create_subnet(
        network_id=network.id, cidr="fd00::/64", ip_version=6, ipv6_ra_mode="slaac", ipv6_address_mode="slaac"
    )
    assert subnet.gateway_ip == "10.0.0.1" and six.ipv6_ra_mode == "slaac"
    ports = list(sdk.create_ports([{"network_id": network.id, "name": f"p{n}"} for n in range(5)]))
    assert len({port.mac_address for port in ports}) == 5
    assert [port.name for port in sdk.ports(network_id=network.id, limit=2, sort_key="name", sort_dir="desc")] == [
        "p4",
        "p3",
        "p2",
        "p1",
        "p0",
    ]
    changed = sdk.update_port(ports[0], extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1400"}], name="q")
    assert changed.extra_dhcp_opts == [{"opt_name": "mtu", "opt_value": "1400", "ip_version": 4}]
    assert sdk.find_port("q").id == ports[0].id and sdk.find_network("nobody") is None
    sdk.set_tags(network, ["a", "b"])
    assert sdk.get_network(network.id).tags == ["a", "b"]
    with pytest.raises(exceptions.PreconditionFailedException):
        sdk.update_port(changed, name="r", if_revision=0)
    with pytest.raises(exceptions.ConflictException, match="ports still in use"):
        sdk.delete_network(network, ignore_missing=False)
    with pytest.raises(exceptions.NotFoundException):
        sdk.get_subnet(str(uuid.uuid4()))
    with pytest.raises(exceptions.BadRequestException, match="overlaps with another subnet"):
        sdk.create_subnet(network_id=network.id, cidr="10.0.0.0/25", ip_version=4)
    for port in ports:
        sdk.delete_port(port.id, ignore_missing=False)
    sdk.delete_network(network, ignore_missing=False)
    assert sdk.find_subnet(subnet.id) is None
    assert "standard-attr-tag" in {each.alias for each in sdk.extensions()}
    assert all(agent.agent_type == "Open vSwitch agent" for agent in sdk.agents())
