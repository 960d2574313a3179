"""The lab itself: two beside each other, and what a killed one leaves."""

import signal
import subprocess
import sys

from tests.hosts.lab import Lab
from tests.hosts.namespace import namespaces
from tests.hosts.process import owned
from tests.hosts.slot import Slot

KILLED = """
import os, signal
from tests.hosts.lab import Lab
lab = Lab()
lab.add_host("h1").vsctl("add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev")
vm = lab.add_vm("v1", "h1", "11111111-2222", "fa:16:3e:00:00:01")
print(lab.slot.number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_labs_are_apart() -> None:
    with Lab() as one, Lab() as other:
        assert one.slot.number != other.slot.number
        for lab in (one, other):
            host = lab.add_host("h1")
            host.vsctl("add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev")
            for number in (1, 2):
                vm = lab.add_vm(f"v{number}", host, f"{number}0000000-0000", f"fa:16:3e:00:00:0{number}")
                vm.give(f"10.0.0.{number}/24", f"fd00::{number}/64")
        for lab in (one, other):
            assert lab.vms["v1"].ping("10.0.0.2").received
            with lab.vms["v2"].serve():
                assert lab.vms["v1"].connect("fd00::2") == "v2"
    assert not namespaces(one.slot.prefix) and not namespaces(other.slot.prefix)


def test_killed_lab_is_removed_by_the_next() -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    prefix = f"tb{int(killed.stdout)}-"
    directory = Slot.folder(int(killed.stdout))
    assert namespaces(prefix) and owned(directory)
    assert Slot.sweep() >= 1
    assert not namespaces(prefix) and not owned(directory) and not directory.exists()
