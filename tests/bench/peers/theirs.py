"""OVN at one size."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.peers.measured import Cost, Size, middle
from tests.bench.peers.ovn import Ovn, ovn, plug
from tests.bench.peers.paths import FLOATING, OUTSIDE, OUTSIDE_MAC, TOPOLOGY, OutAndBack, paths
from tests.bench.peers.topology import Topology, address
from tests.bench.peers.written import Written
from tests.bench.usage import cpu, memory
from tests.bench.whole import flow_count

ROUNDS = 5
BURST = 50


def measure(root: Path, topology: Topology) -> Size:
    with ovn(root) as made:
        first = topology.ports
        made.nb("--wait=hv", "sync")
        plug(made.switch, range(first + ROUNDS + BURST + 1))
        made.build(topology)
        made.nb("--wait=hv", "sync")
        changes = {
            "one more port": _each(made, lambda n: made.port(first + n)),
            "one more rule": _each(made, lambda n: [
                "acl-add", "all", "to-lport", "1001", f"outport==@all && ip4 && tcp.dst=={8000 + n}", "allow-related",
            ]),
            "one more floating IP": _each(made, lambda n: [
                "lr-nat-add", "r", "dnat_and_snat", f"203.0.1.{n + 1}", f"10.0.0.{n + 10}",
            ]),
            "one more router interface": _each(made, lambda n: [
                "ls-add", f"x{n}", "--", *made.interface(f"x{n}", f"02:00:00:02:00:{n:02x}", [f"10.201.{n}.1/24"]),
            ]),
            f"a burst of {BURST} ports": _cost(made, [[
                word for n in range(first + ROUNDS, first + ROUNDS + BURST) for word in ("--", *made.port(n))
            ][1:]]),
        }  # fmt: skip
        used = memory(made.control)
        flows = _flows(made)
        restart = _restart(made, "ovn-controller", empty=False)
        build = _restart(made, "ovn-controller", "ovn-northd", empty=True)
        return Size(topology.ports, changes, flows, used, build, restart, flows / build)


def _each(made: Ovn, words: Callable[[int], list[str]]) -> Cost:
    return _cost(made, [words(number) for number in range(ROUNDS)])


def _cost(made: Ovn, commands: list[list[str]]) -> Cost:
    flows = _flows(made)
    with Written(made.switch, "br-int") as written:
        before, everything = cpu(made.control), cpu(made.all)
        walls = [made.change(*command) for command in commands]
        spent, spent_all = cpu(made.control) - before, cpu(made.all) - everything
    many = len(commands)
    more = (_flows(made) - flows) // many
    return Cost(middle(walls), spent / many, spent_all / many, more, written.count // many)


def _restart(made: Ovn, *killed: str, empty: bool) -> float:
    """Seconds until what was killed has brought the switch in step again: as many flows, and a sync is answered."""
    whole = _flows(made)
    made.kill_control(*killed)
    if empty:
        made.switch.ofctl("del-flows", "br-int")
    begun = time.perf_counter()
    made.start_control(*killed)
    # A controller that starts answers a sync of before; it has done its work when the flows are there.
    made.nb("--wait=hv", "sync")
    while _flows(made) < whole:
        if time.perf_counter() - begun > 600:
            raise TimeoutError(f"{_flows(made)} of {whole} flows after 600 s")
        time.sleep(0.02)  # a switch tells nobody
    return time.perf_counter() - begun


def _flows(made: Ovn) -> int:
    return flow_count(made.switch, "br-int")


def recirculations(root: Path) -> dict[str, OutAndBack]:
    with ovn(root) as made:
        made.switch.vsctl("add-br", "br-ex")
        made.switch.vsctl("add-port", "br-ex", "nic", "--", "set", "Interface", "nic", "type=dummy")
        made.switch.vsctl("set", "Open_vSwitch", ".", "external_ids:ovn-bridge-mappings=external:br-ex")
        plug(made.switch, range(TOPOLOGY.ports))
        made.build(TOPOLOGY)
        made.nb("lr-nat-add", "r", "dnat_and_snat", "203.0.1.1", address(FLOATING, 4))
        made.change("static-mac-binding-add", "r-out", OUTSIDE, OUTSIDE_MAC)
        return paths(made.switch)
