"""Hosts with real switches, each a vswitchd with a dummy data path, and the cables between them in Python: frames go in
by dummy ports and are read off their captures, through tunnels and uplinks too, with conntrack and all."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import NamedTuple, Self

from controller.compile.ledger import Entry
from controller.southbound.packet import packet_out
from flows.actions import Action
from flows.fields import PORT_LOCAL
from flows.flow import Flow, MeterConfig
from flows.tables import PATCH_EX, PATCH_INT, PATCH_TUN, VXLAN
from flows.text import text
from flows.wire import action_bytes
from tests.laws.unixctl import ask, lookups
from tests.switch.capture import Capture
from tests.switch.vswitch import Vswitch
from tests.switch.wire import Wire

BFD_KEY = 0xFFFFFF
BFD_TO = bytes.fromhex("002320000001")
"""Where BFD's own packets go (bfd:remote_dst_mac's default in ovs-vswitchd.conf.db(5))."""
_TURNS = 200
"""A frame that is still on its way after so many hops goes in circles."""


class Out(NamedTuple):
    """A frame that has left: by a VM's port, or by the uplink (port 0)."""

    host: str
    port: int
    frame: bytes


class _Host:
    def __init__(self, switch: Vswitch, name: str, addresses: Mapping[str, str], ports: int) -> None:
        self.name, self._switch = name, switch
        hosts = list(addresses)
        self._captures: dict[int | str, Capture] = {}
        for number, bridge in enumerate(("br-int", "br-tun", "under"), 1):
            switch.add_bridge(bridge, number, **{"other_config:hwaddr": underlay_mac(hosts.index(name))})
        patch = {"type": "patch", "options:peer": "to-int"}
        switch.add_port("br-int", "to-tun", PATCH_TUN, **patch)
        switch.add_port("br-tun", "to-int", PATCH_INT, **patch | {"options:peer": "to-tun"})
        for port in range(1, ports + 1):
            self._dummy("br-int", port, port)
        self._dummy("br-int", "uplink", PATCH_EX)
        self._dummy("under", "cable", 1)
        switch.add_port("br-tun", "vxlan", VXLAN, type="vxlan", **{"options:remote_ip": "flow", "options:key": "flow"})
        self.peers: dict[str, int] = {}
        for number, (other, address) in enumerate(addresses.items()):
            if other == name:
                continue
            self.peers[other] = 60001 + number
            options = {"options:remote_ip": address, "options:key": str(BFD_KEY), "bfd:enable": "true"}
            switch.add_port("br-int", f"bfd-{other}", self.peers[other], type="vxlan", **options)
        switch.ofctl("add-flows", "under", "-", stdin="in_port=LOCAL actions=1\nin_port=1 actions=LOCAL\n")
        self.ask("netdev-dummy/ip4addr", "under", f"{addresses[name]}/24")
        self.ask("ovs/route/add", f"{addresses[name]}/24", "under")
        for number, (other, address) in enumerate(addresses.items()):
            if other != name:
                self.ask("tnl/neigh/set", "under", address, underlay_mac(number))
        for other in self.peers:
            self.live(other, True)
        self._meters: set[int] = set()

    def ask(self, method: str, *params: str) -> str:
        return ask(self._switch.directory, method, *params)

    def _dummy(self, bridge: str, name: int | str, number: int) -> None:
        path = self._switch.directory / f"{name}.pcap"
        self._switch.add_port(bridge, f"p-{name}", number, **{"options:tx_pcap": str(path)})
        self._captures[name] = Capture(path)

    def live(self, other: str, alive: bool) -> None:
        """What BFD says of the way to another host."""
        self.ask("bfd/set-forwarding", f"bfd-{other}", "true" if alive else "false")

    def install(self, entries: Iterable[Entry]) -> None:
        lines: dict[str, list[str]] = {"br-int": [], "br-tun": []}
        for e in entries:
            if isinstance(e.item, Flow):
                lines[e.bridge].append(text(e.item))
            elif e.item.id not in self._meters:
                assert isinstance(e.item, MeterConfig)
                band = f"meter={e.item.id},pktps,burst,bands=type=drop,rate=1000,burst_size=1000"
                self._switch.ofctl("add-meter", "br-int", band)
                self._meters.add(e.item.id)
        for bridge, flows in lines.items():
            self._switch.ofctl("replace-flows", bridge, "-", options=["--bundle"], stdin="\n".join(flows))

    def forget(self) -> None:
        """Connections; and, so that what has changed holds now, what the data path has kept of earlier decisions."""
        self.ask("dpctl/flush-conntrack")
        self.ask("revalidator/purge")

    def inject(self, name: int | str, frame: bytes) -> None:
        self.ask("netdev-dummy/receive", f"p-{name}", frame.hex())

    def lookups(self) -> int:
        return lookups(self._switch.directory)

    def say(self, frame: bytes, *actions: Action) -> None:
        """As the controller sends a frame through actions."""
        with Wire(self._switch.management("br-int")) as wire:
            assert wire.send([packet_out(0, PORT_LOCAL, frame, b"".join(map(action_bytes, actions)))]) == []

    def outputs(self) -> list[tuple[int | str, bytes]]:
        self.ask("version")
        return [(name, frame) for name, capture in self._captures.items() for frame in capture.read()]

    def close(self) -> None:
        for capture in self._captures.values():
            capture.close()


def underlay_mac(number: int) -> str:
    return f"02:00:00:00:01:{number:02x}"


class Rack:
    """Uplinks are on one hub: whatever one host sends all others hear, gateways that stand by too."""

    def __init__(self, addresses: Mapping[str, str], ports: int) -> None:
        self._addresses, self._ports, self._stack = addresses, ports, ExitStack()
        self.hosts: dict[str, _Host] = {}
        self.uplinks: set[str] = set()
        """Hosts whose uplink has a cable."""
        self.dead: frozenset[str] = frozenset()
        """Hosts that nothing reaches."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for name in self._addresses:
                switch = stack.enter_context(Vswitch(tunnels=True))
                self.hosts[name] = _Host(switch, name, self._addresses, self._ports)
                stack.callback(self.hosts[name].close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def kill(self, dead: frozenset[str]) -> None:
        """These and no others; all others' BFD says so."""
        self.dead = dead
        for name, host in self.hosts.items():
            for other in host.peers:
                host.live(other, not {name, other} & dead)

    def forget(self) -> None:
        for host in self.hosts.values():
            host.forget()

    def from_vm(self, host: str, port: int, frame: bytes) -> list[Out]:
        """Everything that leaves by VMs' ports and uplinks in consequence."""
        return self._run([(host, port, frame)])

    def from_outside(self, frame: bytes) -> list[Out]:
        return self._run([(host, "uplink", frame) for host in sorted(self.uplinks)])

    def _run(self, due: list[tuple[str, int | str, bytes]]) -> list[Out]:
        out: list[Out] = []
        turns = 0
        while due:
            touched = {host for host, _, _ in due}
            for host, port, frame in due:
                self.hosts[host].inject(port, frame)
            due = []
            for host in sorted(touched):
                for name, frame in self.hosts[host].outputs():
                    turns += 1
                    assert turns < _TURNS, "in circles"
                    if name == "cable":
                        due += self._through_underlay(frame)
                    elif name != "uplink":
                        out.append(Out(host, int(name), frame))
                    else:
                        assert host in self.uplinks, "by a port that has no cable"
                        out.append(Out(host, 0, frame))
                        due += [(other, "uplink", frame) for other in sorted(self.uplinks - {host})]
        return out

    def _through_underlay(self, frame: bytes) -> list[tuple[str, int | str, bytes]]:
        if frame[50:56] == BFD_TO:
            return []
        other = list(self._addresses)[frame[5]]
        return [(other, "cable", frame)] if other not in self.dead else []
