"""Figures of a large group. The bounds are far below them: they catch mistakes of kind."""

import time
from typing import Any

import msgspec

from .conftest import Api
from .test_speed import Wire


async def test_a_group_of_a_thousand_ports_and_four_thousand_rules(own_api: Api, record_property: Any) -> None:
    api = own_api
    network = api.create("network")["id"]
    api.create("subnet", network_id=network, cidr="10.0.0.0/16", ip_version=4)
    group = api.create("security_group")["id"]
    wire = await Wire.open(api.url)
    figures: dict[str, float] = {}

    async def measured(name: str, method: str, path: str, body: Any = None, expected: int = 200) -> Any:
        began = time.perf_counter()
        status, content = await wire.send(method, path, body)
        figures[name] = (time.perf_counter() - began) * 1000
        assert status == expected, content
        return msgspec.json.decode(content) if content else None

    rule = {"security_group_id": group, "direction": "ingress", "protocol": "tcp"}
    rules = [rule | {"port_range_min": port, "port_range_max": port} for port in range(1, 4095)]
    await measured(
        "POST of 4,093 rules", "POST", "/v2.0/security-group-rules", {"security_group_rules": rules[1:]}, 201
    )
    for _ in range(2):
        port = {"network_id": network, "security_groups": [group]}
        await measured("POST of 500 ports", "POST", "/v2.0/ports", {"ports": [port] * 500}, 201)
    listed = await measured("GET of the groups", "GET", "/v2.0/security-groups")
    assert max(len(each["security_group_rules"]) for each in listed["security_groups"]) == 4095
    await measured("GET of the groups again", "GET", "/v2.0/security-groups")
    await measured("GET of one group", "GET", f"/v2.0/security-groups/{group}")
    await measured("GET of the rules", "GET", f"/v2.0/security-group-rules?security_group_id={group}")
    found = await measured("GET of the ports", "GET", f"/v2.0/ports?security_groups={group}")
    assert len(found["ports"]) == 1000
    await measured("GET of names", "GET", "/v2.0/security-groups?fields=name")
    await measured("POST of a rule", "POST", "/v2.0/security-group-rules", {"security_group_rule": rules[0]}, 201)
    await measured("GET of one group, changed", "GET", f"/v2.0/security-groups/{group}")
    began = time.perf_counter()
    for at in range(200):
        port = {"network_id": network, "security_groups": [group], "name": str(at)}
        assert (await wire.send("POST", "/v2.0/ports", {"port": port}))[0] == 201
    figures["POST of a port, 200 in a row"] = (time.perf_counter() - began) * 1000 / 200
    wire.writer.close()
    print({name: round(value, 1) for name, value in figures.items()})
    for name, value in figures.items():
        record_property(f"{name}, ms", value)
    assert figures["POST of a port, 200 in a row"] < 20
    assert max(value for name, value in figures.items() if name.startswith("GET")) < 500
