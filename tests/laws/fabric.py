"""Several hosts' bridges in one vswitchd with a dummy data path, and what it decides for a packet (ofproto/trace)."""

import json
import re
import socket
from collections.abc import Iterable, Mapping

from controller.compile.ledger import Entry
from flows.flow import Flow, MeterConfig
from flows.tables import PATCH_INT, PATCH_TUN, VXLAN
from flows.text import text
from tests.switch.vswitch import Vswitch

Port = tuple[str, int]
"""(host, OpenFlow port of its br-int)."""
_TUN_ID = re.compile(r"set_field:(\w+)->tun_id")
_ETH_DST = re.compile(r"-> NXM_OF_ETH_DST\[\] is now (\S+)")
_TUNNEL = re.compile(r"set_field:([0-9a-f.:]+)->tun_(?:ipv6_)?dst")


class Trace:
    """What becomes of one packet on one host."""

    def __init__(self, text: str, ports: Mapping[int, tuple[str, int]]) -> None:
        self.text = text
        actions = re.findall(r"^Datapath actions: (.*)$", text, re.M)
        assert actions, text
        flat = [_flat(each) for each in actions]
        self.outputs = [ports[int(n)] for each in flat for n in re.findall(r"(?<![\w:.])\d+(?=[,)]|$)", each)]
        self.tunnels = list(self._tunnels())
        self.resubmits = len(re.findall(r"^ +resubmit\(", text, re.M))
        self.recirculations = sum(each.count("recirc(") for each in actions)

    def _tunnels(self) -> Iterable[str]:
        bridge = destination = ""
        for line in self.text.splitlines():
            if line.startswith('bridge("'):
                bridge = line.split('"')[1]
            elif found := _TUNNEL.search(line):
                destination = found[1]
            elif bridge.startswith("t-") and line.strip() == f"output:{VXLAN}":
                yield destination

    def last(self, written: re.Pattern[str]) -> str:
        """The last value that was written; "" when none was."""
        found = written.findall(self.text)
        return str(found[-1]) if found else ""


def _flat(actions: str) -> str:
    """Without what stands in brackets: there are numbers too. What a clone does, it does."""
    actions = actions.replace("clone(", "clone<")
    while (shorter := re.sub(r"\([^()]*\)", "", actions)) != actions:
        actions = shorter
    return actions


class Fabric:
    """Hosts ``h1`` …: bridges i-HOST and t-HOST, ``ports`` dummy ports on each br-int, and a tunnel port that is a
    dummy too, so that what would go into the tunnel can be read off."""

    def __init__(self, switch: Vswitch, addresses: Mapping[str, str], ports: int) -> None:
        self._switch, self._addresses = switch, addresses
        for number, host in enumerate(addresses, 1):
            switch.add_bridge(f"i-{host}", number * 2)
            switch.add_bridge(f"t-{host}", number * 2 + 1)
            peer = {"type": "patch", "options:peer": f"pi-{host}"}
            switch.add_port(f"i-{host}", f"pt-{host}", PATCH_TUN, **peer)
            switch.add_port(f"t-{host}", f"pi-{host}", PATCH_INT, **peer | {"options:peer": f"pt-{host}"})
            switch.add_port(f"t-{host}", f"vx-{host}", VXLAN)
            for port in range(1, ports + 1):
                switch.add_port(f"i-{host}", f"p{port}-{host}", port)
            switch.ofctl("add-meter", f"i-{host}", "meter=1,pktps,burst,bands=type=drop,rate=1000,burst_size=1000")
        self._numbers: dict[int, tuple[str, int]] = {}
        bridge = ""
        for line in switch.appctl("dpif/show").splitlines():
            if found := re.match(r"  (\S+):$", line):
                bridge = found[1]
            elif found := re.match(r"    \S+ (\d+)/(\d+):", line):
                self._numbers[int(found[2])] = bridge, int(found[1])

    def install(self, host: str, entries: Iterable[Entry]) -> None:
        """Exactly these flows."""
        lines: dict[str, list[str]] = {"i": [], "t": []}
        for e in entries:
            if isinstance(e.item, Flow):
                lines["i" if e.bridge == "br-int" else "t"].append(text(e.item))
            else:
                assert isinstance(e.item, MeterConfig)
        for letter, flows in lines.items():
            self._switch.ofctl("replace-flows", f"{letter}-{host}", "-", options=["--bundle"], stdin="\n".join(flows))

    def trace(self, host: str, bridge: str, flow: str) -> Trace:
        return Trace(self._ask("ofproto/trace", f"{bridge}-{host}", flow), self._numbers)

    def deliver(self, port: Port, packet: Mapping[str, str]) -> dict[Port, int]:
        """Where a packet from a VM's port comes out, over all hosts: port -> how many copies."""
        host, number = port
        first = self.trace(host, "i", _text({"in_port": str(number)} | dict(packet)))
        reached = self._local(first)
        for address in first.tunnels:
            there = next(h for h, a in self._addresses.items() if a == address)
            assert there != host, "sent to itself"
            carried = dict(packet) | {"dl_dst": first.last(_ETH_DST) or packet["dl_dst"]}
            arriving = {"in_port": str(VXLAN), "tun_id": first.last(_TUN_ID), "tun_src": self._addresses[host]}
            second = self.trace(there, "t", _text(arriving | carried))
            assert not second.tunnels, "came from a tunnel and goes into one"
            for at, copies in self._local(second).items():
                reached[at] = reached.get(at, 0) + copies
        return reached

    def count(self, port: Port, packet: Mapping[str, str]) -> dict[str, int]:
        """Host -> recirculations of a packet that reaches one port."""
        host, number = port
        first = self.trace(host, "i", _text({"in_port": str(number)} | dict(packet)))
        counts = {host: first.recirculations}
        for address in first.tunnels:
            there = next(h for h, a in self._addresses.items() if a == address)
            arriving = {"in_port": str(VXLAN), "tun_id": first.last(_TUN_ID), "tun_src": self._addresses[host]}
            counts[there] = self.trace(there, "t", _text(arriving | dict(packet))).recirculations
        return counts

    def _local(self, trace: Trace) -> dict[Port, int]:
        reached: dict[Port, int] = {}
        for bridge, number in trace.outputs:
            if bridge.startswith("i-"):
                reached[bridge[2:], number] = reached.get((bridge[2:], number), 0) + 1
        return reached

    def _ask(self, method: str, *params: str) -> str:
        """One command over vswitchd's control socket: JSON-RPC, without the cost of a process."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(20)
            control.connect(str(self._switch.directory / "ovs-vswitchd.ctl"))
            control.sendall(json.dumps({"method": method, "params": params, "id": 0}).encode())
            answer = b""
            while True:
                answer += control.recv(1 << 16)
                try:
                    reply = json.loads(answer)
                    break
                except ValueError:
                    continue
        assert reply["error"] is None, reply["error"]
        return str(reply["result"])


def _text(packet: Mapping[str, str]) -> str:
    """Protocol words have no value."""
    return ",".join(f"{name}={value}" if value else name for name, value in packet.items())
