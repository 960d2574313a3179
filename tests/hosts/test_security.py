"""Security groups with real connections, on one host and over two."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from tests.hosts.group import Group, group
from tests.hosts.namespace import open_socket
from tests.hosts.until import until
from tests.hosts.vm import Vm
from tests.hosts.world import Place, World

HEARD = 0.4
"""Seconds after which what was sent has not come."""
SERVERS = ("red91", "red92")
"""On the client's host and on another."""


@pytest.fixture(scope="module")
def machines(world: World) -> Iterator[dict[str, Vm]]:
    """A client, and a server each on its host and on another."""
    places = (Place("red90", "red", "h1", 90), Place("red91", "red", "h1", 91), Place("red92", "red", "h2", 92))
    with ExitStack() as stack:
        yield {place.name: stack.enter_context(world.guest(place)) for place in places}


def address(vm: Vm) -> str:
    return f"10.0.0.{vm.name.removeprefix('red')}"


def udp(vm: Vm, port: int = 0) -> socket.socket:
    made = open_socket(vm.namespace, socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(HEARD)
    made.bind(("0.0.0.0", port))
    return made


def heard(at: socket.socket) -> bytes:
    """What has come; empty: nothing in time."""
    try:
        return at.recv(2000)
    except TimeoutError:
        return b""


def passes(sender: socket.socket, receiver: socket.socket, to: tuple[str, int]) -> bool:
    """Of a few datagrams, does one arrive? What is on its way from before does not count."""
    drain(receiver)
    for number in range(3):
        sender.sendto(b"%d" % number, to)
    return bool(heard(receiver))


def drain(at: socket.socket) -> None:
    at.settimeout(0.05)
    while heard(at):
        pass
    at.settimeout(HEARD)


@pytest.mark.parametrize("name", SERVERS)
def test_rules_decide(world: World, machines: dict[str, Vm], name: str) -> None:
    client, server = machines["red90"], machines[name]
    servers, clients = group(world.tenants["red"], server), group(world.tenants["red"], client)
    with servers as rules, clients as others, server.serve(80), server.serve(81):
        until(lambda: client.connect(address(server), 80, 0.5), "")
        assert not client.ping(address(server), count=1).received
        rules.allow("tcp", 80)
        rules.allow("icmp", port_range_min=8)
        until(lambda: client.connect(address(server), 80, 0.5), name)
        assert client.connect(address(server), 81, 0.5) == ""
        assert client.ping(address(server)).received
        assert not server.ping(address(client), count=1).received
        others.allow("icmp", port_range_min=8)
        until(lambda: server.ping(address(client), count=1).received, 1)
        # A port that nobody serves: the refusal is no reply in name only.
        rules.allow("tcp", 82)
        with (
            pytest.raises(ConnectionRefusedError),
            open_socket(client.namespace, socket.AF_INET, socket.SOCK_STREAM) as one,
        ):
            one.settimeout(3)
            one.connect((address(server), 82))
        # ICMP errors belong to the connection that they are about.
        rules.allow("udp", 83)
        with udp(client) as asking:
            asking.connect((address(server), 83))
            with pytest.raises(ConnectionRefusedError):
                for _ in range(10):
                    asking.send(b"?")
                    heard(asking)


@pytest.mark.parametrize("name", SERVERS)
def test_a_rule_that_goes_ends_its_connections_and_no_others(world: World, machines: dict[str, Vm], name: str) -> None:
    client, server = machines["red90"], machines[name]
    with group(world.tenants["red"], server) as rules, ExitStack() as sockets:
        first, second = rules.allow("udp", 7001), rules.allow("udp", 7002)
        ends = {
            port: (sockets.enter_context(udp(client)), sockets.enter_context(udp(server, port)))
            for port in (7001, 7002)
        }
        where = {}
        for port, (near, far) in ends.items():
            until(partial(passes, near, far, (address(server), port)), True)
            where[port] = (address(client), near.getsockname()[1])
            assert passes(far, near, where[port]), "the answer"
        rules.revoke(first)
        # From here on the client says nothing to port 7001: a stream of answers alone must end as well.
        until(lambda: passes(ends[7001][1], ends[7001][0], where[7001]), False)
        assert passes(ends[7002][1], ends[7002][0], where[7002]), "another connection's answers go on"
        assert not passes(ends[7001][0], ends[7001][1], (address(server), 7001)), "nor the way there"
        assert passes(ends[7002][0], ends[7002][1], (address(server), 7002))
        rules.allow("udp", 7001)
        until(lambda: passes(ends[7001][0], ends[7001][1], (address(server), 7001)), True)
        assert passes(ends[7001][1], ends[7001][0], where[7001]), "what is allowed again flows again"
        rules.revoke(second)
        until(lambda: passes(ends[7002][1], ends[7002][0], where[7002]), False)


@pytest.mark.parametrize("name", SERVERS)
def test_tcp_that_is_cut_and_mended(world: World, machines: dict[str, Vm], name: str) -> None:
    client, server, tenant = machines["red90"], machines[name], world.tenants["red"]
    with group(tenant, server) as rules, open_socket(server.namespace, socket.AF_INET, socket.SOCK_STREAM) as listener:
        rule = rules.allow("tcp", 7010)
        listener.bind(("0.0.0.0", 7010))
        listener.listen()
        with open_socket(client.namespace, socket.AF_INET, socket.SOCK_STREAM) as near:
            near.settimeout(5)
            near.connect((address(server), 7010))
            far, _ = listener.accept()
            with far:
                far.settimeout(5)
                near.send(b"a")
                assert far.recv(9) == b"a"
                rules.revoke(rule)
                near.settimeout(HEARD)
                until(lambda: (far.send(b"b"), heard(near))[1], b"")
                rules.allow("tcp", 7010)
                near.settimeout(10)
                assert near.recv(999).startswith(b"b"), "retransmitted once it is allowed again"


def test_members_come_and_go(world: World, machines: dict[str, Vm]) -> None:
    client, server, tenant = machines["red90"], machines["red92"], world.tenants["red"]
    with group(tenant, server) as rules, group(tenant, client) as clients, ExitStack() as sockets:
        near, far = sockets.enter_context(udp(client)), sockets.enter_context(udp(server, 7020))
        rule = rules.allow("udp", 7020, remote_group_id=clients.id)
        until(lambda: passes(near, far, (address(server), 7020)), True)
        back = (address(client), near.getsockname()[1])
        assert passes(far, near, back)
        other = Group(tenant, "other")
        try:
            other.hold(client)
            until(lambda: passes(far, near, back), False)
            assert not passes(near, far, (address(server), 7020))
            clients.hold(client)
            until(lambda: passes(near, far, (address(server), 7020)), True)
        finally:
            clients.hold(client)
            rules.revoke(rule)
            tenant.delete("security_group", other.id)


def test_stateless_groups_know_no_replies(world: World, machines: dict[str, Vm]) -> None:
    client, server = machines["red90"], machines["red92"]
    with group(world.tenants["red"], server, stateful=False) as rules, ExitStack() as sockets:
        near, far = sockets.enter_context(udp(client)), sockets.enter_context(udp(server, 7030))
        tenant = world.tenants["red"]
        rules.allow("udp", 7030)
        until(lambda: passes(near, far, (address(server), 7030)), True)
        back = (address(client), near.getsockname()[1])
        assert passes(far, near, back)
        for rule in tenant.list("security_group_rule", security_group_id=rules.id, direction="egress"):
            rules.revoke(rule)
        until(lambda: passes(far, near, back), False)
        assert passes(near, far, (address(server), 7030))


def test_addresses_that_are_allowed_besides(world: World, machines: dict[str, Vm]) -> None:
    client, server = machines["red90"], machines["red92"]
    tenant = world.tenants["red"]
    client.give("10.0.0.190/32")
    try:
        assert not client.ping(address(server), count=1, source="10.0.0.190").received
        tenant.update("port", client.port_id, allowed_address_pairs=[{"ip_address": "10.0.0.190/31"}])
        until(lambda: client.ping(address(server), count=1, source="10.0.0.190").received, 1)
        tenant.update("port", client.port_id, allowed_address_pairs=[])
        until(lambda: client.ping(address(server), count=1, source="10.0.0.190").received, 0)
        tenant.update("port", client.port_id, security_groups=[], port_security_enabled=False)
        tenant.update("port", server.port_id, security_groups=[], port_security_enabled=False)
        until(lambda: client.ping(address(server), count=1, source="10.0.0.190").received, 1)
    finally:
        client.take("10.0.0.190/32")
        default = next(row["id"] for row in tenant.list("security_group", name="default", project_id="red"))
        for vm in (client, server):
            tenant.update("port", vm.port_id, port_security_enabled=True)
            tenant.update("port", vm.port_id, security_groups=[default])
