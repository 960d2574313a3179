"""Bad input about security groups: the status, type and words of the real service, and nothing done."""

import uuid
from typing import Any

import pytest
from neutron_lib import constants

from .conftest import Api
from .test_bad_input import NOWHERE, bad_request, invalid, reason
from .test_security_groups import project

Error = tuple[int, str, str]
NOT_THERE = (404, "SecurityGroupNotFound", f"Security group {NOWHERE} does not exist")
PROTOCOLS = (None, "any", *constants.IP_PROTOCOL_MAP)


class Place:
    """A group of a project, with a port in it, and a stateless group, and what another project has."""

    def __init__(self, api: Api) -> None:
        self.project, self.stranger = project(), project()
        self.group = api.create("security_group", project_id=self.project)["id"]
        self.stateless = api.create("security_group", project_id=self.project, stateful=False)["id"]
        self.foreign = api.create("security_group", project_id=self.stranger)["id"]
        self.addresses = api.create("address_group", project_id=self.project, addresses=["10.0.0.0/24"])["id"]
        self.foreign_addresses = api.create("address_group", project_id=self.stranger)["id"]
        self.network = api.create("network", project_id=self.project)["id"]
        self.port = api.create("port", network_id=self.network, project_id=self.project, security_groups=[self.group])
        self.default = api.list("security_group", ("project_id", self.project), ("name", "default"))[0]["id"]

    def snapshot(self, api: Api) -> list[Any]:
        return [
            api.show("security_group", self.group),
            api.show("security_group", self.default),
            api.show("address_group", self.addresses),
            api.show("port", self.port["id"]),
            api.list("security_group", ("project_id", self.project), ("fields", "id")),
            api.list("port", ("project_id", self.project), ("fields", "id")),
        ]


@pytest.fixture(scope="module")
def place(api: Api) -> Place:
    return Place(api)


def protocol(given: object) -> Error:
    return (
        400,
        "SecurityGroupRuleInvalidProtocol",
        f"Security group rule protocol {given} not supported. Only protocol values {PROTOCOLS} and integer "
        "representations [0 to 255] are supported.",
    )


def port_value(given: object) -> Error:
    return 400, "SecurityGroupInvalidPortValue", f"Invalid value for port {given}"


def ethertype(given: object) -> Error:
    text = f"Security group rule for ethertype '{given}' not supported. Allowed values are ['IPv4', 'IPv6']."
    return 400, "SecurityGroupRuleInvalidEtherType", text


def cidr(given: object) -> Error:
    return 400, "InvalidCIDR", f"Invalid CIDR {given} given as IP prefix."


def ports_of(number: int) -> Error:
    text = (
        f"Ports cannot be specified for protocol {number}. Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE."
    )
    return 400, "SecurityGroupInvalidProtocolForPort", text


RANGE = (400, "SecurityGroupInvalidPortRange", "For TCP/UDP protocols, port_range_min must be <= port_range_max")
PROTOCOL_REQUIRED = (
    400,
    "SecurityGroupProtocolRequiredWithPorts",
    "Must also specify protocol if port range is given.",
)
REMOTES = (
    400,
    "SecurityGroupMultipleRemoteEntites",
    "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
)


def icmp(field: str, attribute: str, value: int) -> Error:
    text = f"Invalid value for ICMP {field} ({attribute}) {value}. It must be 0 to 255."
    return 400, "SecurityGroupInvalidIcmpValue", text


def conflict(family: str, prefix: str) -> Error:
    return 400, "SecurityGroupRuleParameterConflict", f"Conflicting value ethertype {family} for CIDR {prefix}"


def wrong_family(name: str) -> Error:
    return 400, "SecurityGroupEthertypeConflictWithProtocol", f"Invalid ethertype IPv4 for protocol {name}."


TCP = {"protocol": "tcp"}
RULES: list[tuple[dict[str, Any], Error]] = [
    ({"direction": "in"}, reason("direction", "in is not in valid_values")),
    ({"direction": None}, reason("direction", "None is not in valid_values")),
    ({"ethertype": "IPv5"}, ethertype("IPv5")),
    ({"ethertype": None}, ethertype(None)),
    ({"ethertype": 4}, ethertype(4)),
    ({"protocol": "quic"}, protocol("quic")),
    ({"protocol": 256}, protocol(256)),
    ({"protocol": -1}, protocol(-1)),
    ({"protocol": "-1"}, protocol("-1")),
    ({"protocol": True}, protocol(True)),
    ({"protocol": []}, protocol([])),
    ({"protocol": ""}, protocol("")),
    ({"protocol": 6.5}, protocol(6.5)),
    (TCP | {"port_range_min": 65536, "port_range_max": 1}, port_value(65536)),
    (TCP | {"port_range_min": -1, "port_range_max": 1}, port_value(-1)),
    (TCP | {"port_range_min": "ssh", "port_range_max": 1}, port_value("ssh")),
    (TCP | {"port_range_min": 1, "port_range_max": {}}, port_value({})),
    (TCP | {"port_range_min": 1, "port_range_max": 10**30}, port_value(10**30)),
    (TCP | {"port_range_min": 0, "port_range_max": 10}, port_value(0)),
    (TCP | {"port_range_min": 90, "port_range_max": 80}, RANGE),
    (TCP | {"port_range_min": 90}, RANGE),
    (TCP | {"port_range_max": 90}, RANGE),
    ({"protocol": "136", "port_range_min": 2, "port_range_max": 1}, RANGE),
    ({"port_range_min": 80, "port_range_max": 80}, PROTOCOL_REQUIRED),
    ({"protocol": "any", "port_range_min": 80, "port_range_max": 80}, PROTOCOL_REQUIRED),
    ({"protocol": "gre", "port_range_min": 80, "port_range_max": 80}, ports_of(47)),
    ({"protocol": 0, "port_range_min": 80, "port_range_max": 80}, ports_of(0)),
    ({"protocol": "icmp", "port_range_min": 256}, icmp("type", "port_range_min", 256)),
    ({"protocol": 1, "port_range_min": 3, "port_range_max": 999}, icmp("code", "port_range_max", 999)),
    (
        {"protocol": "icmp", "port_range_max": 0},
        (
            400,
            "SecurityGroupMissingIcmpType",
            "ICMP code (port-range-max) 0 is provided but ICMP type (port-range-min) is missing.",
        ),
    ),
    ({"protocol": "ipv6-icmp"}, wrong_family("ipv6-icmp")),
    ({"protocol": "icmpv6"}, wrong_family("icmpv6")),
    ({"protocol": 58}, wrong_family("58")),
    ({"protocol": "ipv6-frag"}, wrong_family("ipv6-frag")),
    ({"protocol": "41"}, wrong_family("41")),
    ({"remote_ip_prefix": "10.0.0.0/33"}, cidr("10.0.0.0/33")),
    ({"remote_ip_prefix": "web"}, cidr("web")),
    ({"remote_ip_prefix": 5}, cidr(5)),
    ({"remote_ip_prefix": "fe80::1%eth0"}, cidr("fe80::1%eth0")),
    ({"remote_ip_prefix": "fd00::/64"}, conflict("IPv4", "fd00::/64")),
    ({"remote_ip_prefix": "10.0.0.0/8", "ethertype": "IPv6"}, conflict("IPv6", "10.0.0.0/8")),
    ({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": NOWHERE}, REMOTES),
    ({"remote_address_group_id": NOWHERE, "remote_group_id": NOWHERE}, REMOTES),
    ({"remote_group_id": NOWHERE}, NOT_THERE),
    ({"remote_group_id": 5}, reason("remote_group_id", "'5' is not a valid string")),
    (
        {"remote_address_group_id": NOWHERE},
        (404, "AddressGroupNotFound", f"Address group {NOWHERE} could not be found."),
    ),
    ({"security_group_id": NOWHERE}, NOT_THERE),
    ({"security_group_id": "web"}, (404, "SecurityGroupNotFound", "Security group web does not exist")),
    ({"security_group_id": None}, reason("security_group_id", "'None' is not a valid string")),
    ({"security_group_id": "x" * 37}, reason("security_group_id", f"'{'x' * 37}' exceeds maximum length of 36")),
    ({"name": "x"}, bad_request("Unrecognized attribute(s) 'name'")),
    ({"normalized_cidr": "10.0.0.0/8"}, bad_request("Attribute 'normalized_cidr' not allowed in POST")),
]


@pytest.mark.parametrize(("given", "expected"), RULES)
def test_rules(api: Api, place: Place, given: dict[str, Any], expected: Error) -> None:
    before = place.snapshot(api)
    body = {"security_group_rule": {"security_group_id": place.group, "direction": "ingress", **given}}
    assert api.fault(api.raw("POST", "/v2.0/security-group-rules", body)) == expected
    assert place.snapshot(api) == before


def test_rules_of_others(api: Api, place: Place) -> None:
    before = place.snapshot(api)

    def post(**given: Any) -> Error:
        body = {"security_group_rule": {"security_group_id": place.group, "direction": "ingress", **given}}
        return api.fault(api.raw("POST", "/v2.0/security-group-rules", body))

    foreign = (404, "SecurityGroupNotFound", f"Security group {place.foreign} does not exist")
    assert post(project_id=place.project, security_group_id=place.foreign) == foreign
    assert post(project_id=place.project, remote_group_id=place.foreign) == foreign
    assert post(remote_group_id=place.foreign) == foreign
    assert post(project_id=place.stranger)[1] == "SecurityGroupNotFound"
    assert post(remote_address_group_id=place.foreign_addresses)[:2] == (404, "AddressGroupNotFound")
    assert place.snapshot(api) == before


def test_rules_exist_once(api: Api, place: Place) -> None:
    group = api.create("security_group")["id"]

    def post(*rules: dict[str, Any]) -> Any:
        wanted = [{"security_group_id": group, "direction": "ingress", **rule} for rule in rules]
        return api.raw("POST", "/v2.0/security-group-rules", {"security_group_rules": wanted})

    one = {"protocol": "tcp", "port_range_min": 5, "port_range_max": 6}
    for rule, again in (
        (one, one | {"protocol": "6"}),
        ({"protocol": "udp"}, {"protocol": "UDP", "remote_ip_prefix": "0.0.0.0/0", "description": "other"}),
        ({"protocol": "udp", "ethertype": "IPv6"}, {"protocol": 17, "ethertype": "IPv6", "remote_ip_prefix": "::/0"}),
        (
            {"remote_ip_prefix": "10.0.0.9/24"},
            {"remote_ip_prefix": "10.0.0.0/24", "protocol": "any"},
        ),
        ({"remote_group_id": group}, {"remote_group_id": group}),
        ({"protocol": "icmp", "ethertype": "IPv6"}, {"protocol": "ipv6-icmp", "ethertype": "IPv6"}),
    ):
        (made,) = post(rule).json()["security_group_rules"]
        exists = f"Security group rule already exists. Rule id is {made['id']}."
        assert api.fault(post(again)) == (409, "SecurityGroupRuleExists", exists)
        assert api.fault(post({"protocol": "ah"}, again)) == (409, "SecurityGroupRuleExists", exists)
    twice = (409, "DuplicateSecurityGroupRuleInPost", "Duplicate Security Group Rule in POST.")
    assert api.fault(post({"protocol": "ah"}, {"protocol": "51"})) == twice
    two_groups = (
        400,
        "SecurityGroupNotSingleGroupRules",
        "Only allowed to update rules for one security profile at a time",
    )
    assert api.fault(post({"protocol": "ah"}, {"protocol": "esp", "security_group_id": place.group})) == two_groups
    two_projects = (
        400,
        "SecurityGroupRulesNotSingleProject",
        "Multiple project_ids in bulk security group rule create not allowed",
    )
    assert api.fault(post({"protocol": "ah"}, {"protocol": "esp", "project_id": "x"})) == two_projects
    assert len(api.show("security_group", group)["security_group_rules"]) == 2 + 6


def test_a_rule_does_not_change(api: Api, place: Place) -> None:
    (rule, *_) = api.show("security_group", place.group)["security_group_rules"]
    path = f"/v2.0/security-group-rules/{rule['id']}"
    answer = api.raw("PUT", path, {"security_group_rule": {"direction": "ingress"}})
    assert api.fault(answer) == bad_request("Cannot update read-only attribute direction")
    missing = (404, "SecurityGroupRuleNotFound", f"Security group rule {NOWHERE} does not exist")
    for method in ("GET", "DELETE"):
        assert api.fault(api.raw(method, f"/v2.0/security-group-rules/{NOWHERE}")) == missing


def test_groups(api: Api, place: Place) -> None:
    before = place.snapshot(api)
    there = (409, "SecurityGroupDefaultAlreadyExists", "Default security group already exists.")

    def ask(method: str, id: str = "", **given: Any) -> Error:
        body = {"security_group": given} if given else None
        return api.fault(api.raw(method, f"/v2.0/security-groups/{id}".rstrip("/"), body))

    assert ask("POST", name="Default") == there and ask("PUT", place.group, name="DEFAULT") == there
    assert ask("POST", name=" x") == reason("name", "' x' is not a valid string")
    assert ask("POST", stateful="perhaps") == invalid("'perhaps' cannot be converted to boolean")
    assert ask("POST", security_group_rules=[]) == bad_request("Attribute 'security_group_rules' not allowed in POST")
    assert ask("POST", number=5) == bad_request("Unrecognized attribute(s) 'number'")
    assert ask("POST", shared=True) == bad_request("Attribute 'shared' not allowed in POST")
    update = (409, "SecurityGroupCannotUpdateDefault", "Updating default security group not allowed.")
    assert ask("PUT", place.default, name="web") == update
    remove = (409, "SecurityGroupCannotRemoveDefault", "Insufficient rights for removing default security group.")
    assert ask("DELETE", place.default) == remove
    in_use = (409, "SecurityGroupInUse", f"Security Group {place.group} in use.")
    assert ask("DELETE", place.group) == in_use and ask("PUT", place.group, stateful=False) == in_use
    assert ask("GET", NOWHERE) == NOT_THERE and ask("DELETE", NOWHERE) == NOT_THERE
    assert place.snapshot(api) == before
    assert api.update("security_group", place.default, description="ours")["description"] == "ours"


def test_address_groups(api: Api, place: Place) -> None:
    before = place.snapshot(api)

    def create(addresses: Any) -> Error:
        return api.fault(api.raw("POST", "/v2.0/address-groups", {"address_group": {"addresses": addresses}}))

    def change(action: str, body: Any, id: str = place.addresses) -> Error:
        return api.fault(api.raw("PUT", f"/v2.0/address-groups/{id}/{action}", body))

    for wrong in ("10.0.0.1", "10.0.0.0/255.0.0.0", 5, None, "fd00::/129", "10.0.0.0/ 8"):
        assert create([wrong]) == reason("addresses", f"'{wrong}' is not a valid IP subnet")
    assert create("10.0.0.0/8") == reason("addresses", "'10.0.0.0/8' is not a list")
    twice = reason("addresses", "Duplicate items in the list: '10.0.0.0/8'")
    assert create(["10.0.0.0/8", "10.0.0.0/8"]) == twice
    listed = "['10.0.0.0/24']"
    assert change("add_addresses", {"addresses": ["10.0.0.9/24", "10.1.0.0/24"]}) == (
        400,
        "AddressesAlreadyExist",
        f"Addresses {listed} already exist in the address group {place.addresses}.",
    )
    assert change("remove_addresses", {"addresses": ["10.0.0.0/24", "10.1.0.0/24"]}) == (
        404,
        "AddressesNotFound",
        f"Addresses ['10.1.0.0/24'] not found in the address group {place.addresses}.",
    )
    for action in ("add_addresses", "remove_addresses"):
        body: Any
        for body in (None, [], {}, {"addresses": [], "more": 1}):
            assert change(action, body)[:2] == (400, "HTTPBadRequest")
        assert change(action, {"addresses": ["x"]}) == reason("addresses", "'x' is not a valid IP subnet")
        missing = (404, "AddressGroupNotFound", f"Address group {NOWHERE} could not be found.")
        assert change(action, {"addresses": []}, NOWHERE) == missing
    answer = api.raw("PUT", f"/v2.0/address-groups/{place.addresses}", {"address_group": {"addresses": []}})
    assert api.fault(answer) == bad_request("Cannot update read-only attribute addresses")
    assert place.snapshot(api) == before


PAIR = {"ip_address": "10.0.0.9"}
NEEDS_SECURITY = (
    409,
    "AddressPairAndPortSecurityRequired",
    "Port Security must be enabled in order to have allowed address pairs on a port.",
)
NO_GROUPS = (
    400,
    "PortSecurityAndIPRequiredForSecurityGroups",
    "Port security must be enabled and port must have an IP address in order to use security groups.",
)


def twice(mac: object) -> Error:
    text = f"Request contains duplicate address pair: mac_address {mac} ip_address 10.0.0.9."
    return 400, "DuplicateAddressPairInRequest", text


PORTS: list[tuple[dict[str, Any], Error]] = [
    ({"port_security_enabled": "perhaps"}, invalid("'perhaps' cannot be converted to boolean")),
    ({"security_groups": "x"}, reason("security_groups", "'x' is not a list")),
    ({"security_groups": ["x"]}, reason("security_groups", "'x' is not a valid UUID")),
    ({"security_groups": [None]}, reason("security_groups", "'None' is not a valid UUID")),
    (
        {"security_groups": [NOWHERE, NOWHERE]},
        reason("security_groups", f"Duplicate items in the list: '{NOWHERE}'"),
    ),
    ({"security_groups": [NOWHERE]}, NOT_THERE),
    ({"allowed_address_pairs": {}}, bad_request("Allowed address pairs must be a list.")),
    ({"allowed_address_pairs": ["x"]}, reason("allowed_address_pairs", "'x' is not a dictionary")),
    (
        {"allowed_address_pairs": [{"mac_address": "fa:16:3e:00:00:01"}]},
        (400, "AllowedAddressPairsMissingIP", "AllowedAddressPair must contain ip_address"),
    ),
    (
        {"allowed_address_pairs": [{"ip_address": f"10.0.0.{n}"} for n in range(1, 12)]},
        (400, "AllowedAddressPairExhausted", "The number of allowed address pair exceeds the maximum 10."),
    ),
    ({"allowed_address_pairs": [PAIR | {"mac_address": "x"}]}, bad_request("'x' is not a valid MAC address")),
    ({"allowed_address_pairs": [PAIR | {"mac_address": None}]}, bad_request("'None' is not a valid MAC address")),
    ({"allowed_address_pairs": [PAIR | {"x": 1}]}, bad_request("Unrecognized attribute(s) 'x'")),
    ({"allowed_address_pairs": [{"ip_address": "x"}]}, bad_request("'x' is not a valid IP address")),
    ({"allowed_address_pairs": [{"ip_address": None}]}, bad_request("'None' is not a valid IP address")),
    ({"allowed_address_pairs": [{"ip_address": "10.0.0.0/33"}]}, bad_request("'10.0.0.0/33' is not a valid IP subnet")),
    (
        {"allowed_address_pairs": [{"ip_address": "224.0.0.5"}]},
        bad_request("IP 224.0.0.5 is a multicast address, which is not supported."),
    ),
    (
        {"allowed_address_pairs": [{"ip_address": "224.0.0.0/24"}]},
        bad_request("Subnet 224.0.0.0/24 overlaps with multicast range 224.0.0.0/4, which is not supported."),
    ),
    ({"allowed_address_pairs": [PAIR, PAIR]}, twice(None)),
    (
        {"allowed_address_pairs": [PAIR, PAIR | {"mac_address": "FA:16:3E:00:00:77"}]},
        twice("fa:16:3e:00:00:77"),
    ),
    ({"port_security_enabled": False, "allowed_address_pairs": [PAIR]}, NEEDS_SECURITY),
    ({"device_owner": "network:dhcp", "allowed_address_pairs": [PAIR]}, NEEDS_SECURITY),
    ({"port_security_enabled": False, "security_groups": [NOWHERE]}, NO_GROUPS),
    ({"device_owner": "network:dhcp", "security_groups": [NOWHERE]}, NO_GROUPS),
]


@pytest.mark.parametrize(("given", "expected"), PORTS)
def test_ports(api: Api, place: Place, given: dict[str, Any], expected: Error) -> None:
    before = place.snapshot(api)
    body = {"network_id": place.network, "project_id": place.project, "mac_address": "fa:16:3e:00:00:77", **given}
    assert api.fault(api.raw("POST", "/v2.0/ports", {"port": body})) == expected
    assert place.snapshot(api) == before


def test_port_updates(api: Api, place: Place) -> None:
    before = place.snapshot(api)

    def put(**given: Any) -> Error:
        return api.fault(api.raw("PUT", f"/v2.0/ports/{place.port['id']}", {"port": given}))

    mixed = (
        409,
        "SecurityGroupConflict",
        "Error Cannot apply both stateful and stateless security groups on the same port at the same time while "
        "attempting the operation.",
    )
    assert put(security_groups=[place.group, place.stateless]) == mixed
    body = {"network_id": place.network, "project_id": place.project, "security_groups": [place.group, place.stateless]}
    assert api.fault(api.raw("POST", "/v2.0/ports", {"port": body})) == mixed
    foreign = (404, "SecurityGroupNotFound", f"Security group {place.foreign} does not exist")
    assert put(security_groups=[place.group, place.foreign]) == foreign
    has_group = (
        409,
        "PortSecurityPortHasSecurityGroup",
        "Port has security group associated. Cannot disable port security or IP address until security group is "
        "removed.",
    )
    assert put(port_security_enabled=False) == has_group
    assert put(port_security_enabled=False, security_groups=[place.group]) == NO_GROUPS
    assert put(port_security_enabled=False, security_groups=[], allowed_address_pairs=[PAIR]) == NEEDS_SECURITY
    own = PAIR | {"mac_address": place.port["mac_address"]}
    assert put(allowed_address_pairs=[PAIR, own]) == twice(place.port["mac_address"])
    assert place.snapshot(api) == before

    port = api.create("port", network_id=place.network, security_groups=[], allowed_address_pairs=[PAIR])["id"]
    answer = api.raw("PUT", f"/v2.0/ports/{port}", {"port": {"port_security_enabled": False}})
    assert api.fault(answer) == NEEDS_SECURITY
    opened = api.update("port", port, port_security_enabled=False, allowed_address_pairs=[])
    assert not opened["port_security_enabled"]
    answer = api.raw("PUT", f"/v2.0/ports/{port}", {"port": {"allowed_address_pairs": [PAIR]}})
    assert api.fault(answer) == NEEDS_SECURITY


def test_one_rule_too_many(api: Api) -> None:
    group = api.create("security_group")["id"]

    def rules(ports: range) -> dict[str, Any]:
        rule = {"security_group_id": group, "direction": "ingress", "protocol": "tcp"}
        return {"security_group_rules": [rule | {"port_range_min": at, "port_range_max": at} for at in ports]}

    full = (409, "OverQuota", "Quota exceeded for resources: ['security_group_rule'].")
    assert api.fault(api.raw("POST", "/v2.0/security-group-rules", rules(range(1, 4096)))) == full
    api.ask("POST", "/v2.0/security-group-rules", rules(range(1, 4095)), 201)
    assert len(api.show("security_group", group)["security_group_rules"]) == 4096
    assert api.fault(api.raw("POST", "/v2.0/security-group-rules", rules(range(5000, 5001)))) == full
    api.delete(
        "security_group_rule", api.list("security_group_rule", ("security_group_id", group), ("limit", 1))[0]["id"]
    )
    api.ask("POST", "/v2.0/security-group-rules", rules(range(5000, 5001)), 201)
    api.delete("security_group", group)
    assert api.list("security_group_rule", ("security_group_id", group)) == []


def test_nothing_of_a_failed_bulk(api: Api, place: Place) -> None:
    before = place.snapshot(api)
    good = {"security_group_id": place.group, "direction": "ingress", "protocol": "esp"}
    answer = api.raw("POST", "/v2.0/security-group-rules", {"security_group_rules": [good, good | {"protocol": "x"}]})
    assert api.fault(answer) == protocol("x")
    wrong = good | {"remote_group_id": str(uuid.uuid4())}
    answer = api.raw("POST", "/v2.0/security-group-rules", {"security_group_rules": [good, wrong]})
    assert api.fault(answer)[1] == "SecurityGroupNotFound"
    assert place.snapshot(api) == before
