"""Machines and hosts that come, move, go and break."""

from tests.hosts.host import Host, route_pings
from tests.hosts.until import until
from tests.hosts.world import Place, World


def test_port_follows_its_machine(world: World) -> None:
    with world.guest(Place("red7", "red", "h1", 77)) as vm:
        port = world.tenants["red"].show("port", vm.port_id)
        assert (port["status"], port["binding:host_id"]) == ("ACTIVE", "h1")
        assert world.vm("red1").ping("10.0.0.77", count=1).received
        assert world.vm("red3").ping("10.0.0.77", count=1).received
        vm.move(world.lab.hosts["h2"])
        world.tenants["red"].wait_port(vm.port_id, {"status": "ACTIVE", "binding:host_id": "h2"})
        for name in ("red1", "red2", "red3", "red4"):
            assert world.vm(name).ping("10.0.0.77").received, f"{name} does not reach the machine that has moved"
            assert world.vm(name).ping("fd00::77").received, f"{name} does not reach the machine that has moved"
        assert vm.renew().address == "10.0.0.77"


def test_machine_goes(world: World) -> None:
    tenant = world.tenants["blue"]
    place = Place("blue7", "blue", "h2", 77)
    h2, h1 = world.lab.hosts["h2"], world.lab.hosts["h1"]
    with world.guest(place) as vm:
        mac = vm.mac
        assert mac in h2.ofctl("dump-flows", "br-int") and mac in h1.ofctl("dump-flows", "br-tun")
        world.lab.remove_vm(vm)
        port = tenant.wait_port(vm.port_id, {"status": "DOWN"})
        assert port["fixed_ips"], "a port keeps its addresses without its machine"
    until(lambda: mac in h2.ofctl("dump-flows", "br-int"), False)
    until(lambda: mac in h1.ofctl("dump-flows", "br-tun"), False)


def both(host: Host) -> tuple[set[str], set[str]]:
    """Its flows."""
    return set(host.flows("br-int")), set(host.flows("br-tun"))


def test_host_breaks_and_comes_back(world: World) -> None:
    """Both daemons killed: its flows are gone with them."""
    h2 = world.lab.hosts["h2"]
    before = both(h2)
    h2.crash()
    assert world.vm("red1").ping("10.0.0.12", count=1).received, "the other hosts go on"
    h2.start()
    until(lambda: both(h2), before, 30.0)
    route_pings(list(world.lab.hosts.values()))
    for name, address in (("red1", "10.0.0.13"), ("red3", "10.0.0.34"), ("blue1", "10.0.0.12")):
        assert world.vm(name).ping(address).received


def test_switch_breaks_and_comes_back(world: World) -> None:
    """The vswitchd alone: the host's database and its session stay."""
    h3 = world.lab.hosts["h3"]
    before = both(h3)
    h3.crash("ovs-vswitchd")
    h3.start_switch()
    until(lambda: both(h3), before, 30.0)
    route_pings(list(world.lab.hosts.values()))
    assert world.vm("red1").ping("10.0.0.34").received


def test_damage_is_repaired(world: World) -> None:
    """Somebody deletes flows: not noticed. Somebody deletes the bridge's tunnel port, or the controller: put back."""
    h1 = world.lab.hosts["h1"]
    h1.vsctl("del-port", "vxlan")
    h1.vsctl("wait-until", "Interface", "vxlan", "ofport=2")
    h1.vsctl("del-controller", "br-int")
    world.serve.wait_hosts(world.lab.hosts, 30.0)
    assert "198.18." in h1.vsctl("get-controller", "br-int")
    assert world.vm("red1").ping("10.0.0.13").received


def test_hosts_are_as_they_joined(world: World) -> None:
    """Nothing but set-manager was said: the rest are defaults."""
    hosts = world.serve.hosts()
    for name, host in world.lab.hosts.items():
        assert hosts[name]["tunnel_ip"] == host.address
        assert hosts[name]["alive"] and not hosts[name]["problem"]
    ids = world.lab.hosts["h3"].ovsdb.db_get("Open_vSwitch", ".", "external_ids").execute(check_error=True)
    assert hosts["h3"]["name"] == ids["system-id"]
    agents = world.tenants["red"].list("agent")
    assert {agent["host"]: agent["alive"] for agent in agents} == dict.fromkeys(hosts, True)
