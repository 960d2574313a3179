"""The lab itself: two beside each other, and what a killed one leaves."""

import signal
import subprocess
import sys
import time
from collections import Counter

from tests.hosts.host import DATAPATH, Host
from tests.hosts.icmp import NO_PORT, NO_ROUTE, IcmpError
from tests.hosts.lab import Lab
from tests.hosts.namespace import ip, namespaces
from tests.hosts.outside import GATEWAY, GATEWAY6, INTERNET
from tests.hosts.process import owned
from tests.hosts.slot import Slot
from tests.hosts.talk import REFUSED, SILENCE
from tests.hosts.until import until
from tests.hosts.vm import Vm

KILLED = """
import os, signal
from tests.hosts.host import DATAPATH
from tests.hosts.lab import Lab
lab = Lab()
lab.add_host("h1").vsctl("add-br", "br-int", "--", "set", "Bridge", "br-int", f"datapath_type={DATAPATH}")
vm = lab.add_vm("v1", "h1", "11111111-2222", "fa:16:3e:00:00:01")
print(lab.slot.number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_labs_are_apart() -> None:
    with Lab() as one, Lab() as other:
        assert one.slot.number != other.slot.number
        for lab in (one, other):
            host = lab.add_host("h1")
            host.vsctl("add-br", "br-int", "--", "set", "Bridge", "br-int", f"datapath_type={DATAPATH}")
            for number in (1, 2):
                vm = lab.add_vm(f"v{number}", host, f"{number}0000000-0000", f"fa:16:3e:00:00:0{number}")
                vm.give(f"10.0.0.{number}/24", f"fd00::{number}/64")
        for lab in (one, other):
            assert lab.vms["v1"].ping("10.0.0.2").received
            with lab.vms["v2"].serve():
                assert lab.vms["v1"].connect("fd00::2") == "v2"
    assert not namespaces(one.slot.prefix) and not namespaces(other.slot.prefix)


def join_bridges(host: Host) -> None:
    """br-int and br-ex as one, by hand."""
    host.vsctl("add-br", "br-int", "--", "set", "Bridge", "br-int", f"datapath_type={DATAPATH}")
    for bridge, near, far in (("br-int", "in", "out"), ("br-ex", "out", "in")):
        values = ("type=patch", f"options:peer={far}")
        host.vsctl("--no-wait", "add-port", bridge, near, "--", "set", "Interface", near, *values)


def test_outside() -> None:
    with Lab() as lab:
        inet = lab.add_outside()
        vms: dict[str, Vm] = {}
        for number in (1, 2):
            host = lab.add_host(f"h{number}", uplink=True, gateway=number == 2)
            join_bridges(host)
            vm = vms[host.name] = lab.add_vm(f"v{number}", host, f"{number}0000000-0000", f"fa:16:3e:00:00:0{number}")
            vm.give(f"203.0.113.1{number}/24", f"2001:db8:113::1{number}/64")
            ip([f"route add default via {GATEWAY}"], vm.namespace)
        assert "enable-chassis-as-gw" in lab.hosts["h2"].vsctl("get", "Open_vSwitch", ".", "external_ids")
        wire, near = lab.wire(), vms["h1"]
        with inet.serve(), near.serve():
            until(lambda: near.talk(INTERNET), "inet saw 203.0.113.11")
            assert near.talk(GATEWAY6) == "inet saw 2001:db8:113::11"
            for target in (GATEWAY, INTERNET):
                assert near.talk(target, protocol="udp") == "inet saw 203.0.113.11"
            assert inet.talk("203.0.113.11") == inet.talk("203.0.113.11", protocol="udp") == "v1 saw 203.0.113.1"
            assert near.talk(INTERNET, protocol="udp", source_port=4000) == "inet saw 203.0.113.11"
        assert near.talk(INTERNET) == near.talk(INTERNET, protocol="udp") == REFUSED
        assert near.talk("203.0.113.99", timeout=0.2) == SILENCE
        assert near.provoke(INTERNET) == IcmpError(INTERNET, NO_PORT[4], 0)
        assert near.provoke(GATEWAY6) == IcmpError(GATEWAY6, NO_PORT[6], 0)
        assert near.provoke("192.0.2.1") == IcmpError(GATEWAY, NO_ROUTE[4], 0)
        assert [each.sender_mac for each in inet.arp("203.0.113.12", sender=GATEWAY)] == [vms["h2"].mac]
        assert wire.hosts("203.0.113.12", Counter()) == set()
        assert wire.hosts("203.0.113.11", Counter()) == wire.hosts("2001:db8:113::11", Counter()) == {"h1"}
        assert wire.from_inside(["203.0.113.12/32"], Counter()) == {("h2", "203.0.113.12", True)}
        assert not wire.from_inside(["203.0.113.12/32"], wire.heard())
        wire.close()


def test_tagged_outside() -> None:
    with Lab() as lab:
        inet = lab.add_outside()
        inet.add_vlan(100, "192.0.2.1/24", "2001:db8:100::1/64")
        host = lab.add_host("h1", uplink=True)
        join_bridges(host)
        vm = lab.add_vm("v1", host, "10000000-0000", "fa:16:3e:00:00:01")
        vm.give("192.0.2.11/24", "2001:db8:100::11/64", "203.0.113.11/24")
        assert not vm.ping("192.0.2.1", count=1).received
        host.vsctl("set", "Port", vm.tap, "tag=100")
        until(lambda: vm.ping("192.0.2.1", count=1).received, 1)
        assert not vm.ping(GATEWAY, count=1).received
        wire = lab.wire()
        with inet.serve(), vm.serve():
            assert vm.talk("192.0.2.1") == vm.talk("192.0.2.1", protocol="udp") == "inet saw 192.0.2.11"
            assert vm.talk("2001:db8:100::1") == "inet saw 2001:db8:100::11"
            assert inet.talk("192.0.2.11") == "v1 saw 192.0.2.1"
        assert inet.ping("192.0.2.11", size=1472, whole=True).received == 0, "the machine's MTU is 1450"
        assert inet.ping("192.0.2.11", size=1422, whole=True).received
        assert {sender.address for sender in wire.heard()} >= {"192.0.2.11", "2001:db8:100::11"}
        wire.close()


def test_ping_tells_of_silence() -> None:
    with Lab() as lab:
        inet = lab.add_outside()
        host = lab.add_host("h1", uplink=True)
        join_bridges(host)
        vm = lab.add_vm("v1", host, "10000000-0000", "fa:16:3e:00:00:01")
        vm.give("203.0.113.11/24")
        until(lambda: vm.ping(GATEWAY, count=1).received, 1)
        with inet.pinging("203.0.113.11") as ping:
            ping.answered()
            host.vsctl("set", "Port", vm.tap, "tag=5")
            away = time.time()
            ping.told(after=away + 0.5)
            host.vsctl("clear", "Port", vm.tap, "tag")
            ping.answered(after=time.time() + 0.5)
        assert 0.4 < ping.silence < 2.0
        assert ping.result and 10 < ping.result.lost < 200
        assert ping.lost_after(0.0) == ping.result.lost
        assert 0 < ping.lost_after(away + 0.3) < ping.result.lost
        assert ping.lost_after(time.time()) == 0


def test_killed_lab_is_removed_by_the_next() -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    prefix = f"tb{int(killed.stdout)}-"
    directory = Slot.folder(int(killed.stdout))
    assert namespaces(prefix) and owned(directory)
    assert Slot.sweep() >= 1
    assert not namespaces(prefix) and not owned(directory) and not directory.exists()
