"""OVN from Debian's packages, unpacked but not installed: its databases, northd, a controller, a switch of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.peers.topology import A_NETWORK, Topology, address, mac
from tests.switch.vswitch import Vswitch

PACKAGES = ("ovn-common", "ovn-host", "ovn-central")
WAIT = 900.0


def unpack(folder: Path) -> Path:
    """Where the packages' files are; fetched by apt-get when they are not there. RuntimeError says what failed."""
    root = (folder / "root").resolve()
    if not (root / "usr/bin/ovn-northd").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for command in (["apt-get", "-qq", "update"], ["apt-get", "-qq", "download", *PACKAGES]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{' '.join(command)}: {done.stderr[-500:]}")
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
    return root


class Ovn:
    """``with ovn(root) as made``: empty. Everything runs in a scratch folder, and ends with it."""

    def __init__(self, root: Path, folder: Path, switch: Vswitch) -> None:
        self.folder, self.switch = folder, switch
        self._root = root
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._options: dict[int, str] = {}
        """Number of a network -> its row of DHCP options."""
        self._environment = os.environ | {
            **dict.fromkeys(("OVN_RUNDIR", "OVN_LOGDIR", "OVN_DBDIR", "OVN_SYSCONFDIR"), str(folder)),
            **dict.fromkeys(("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"), str(switch.directory)),
        }

    @property
    def version(self) -> str:
        return self._run(str(self._root / "usr/bin/ovn-northd"), "--version").splitlines()[0].split()[-1]

    @property
    def control(self) -> list[int]:
        """Pids of what computes: northd and the host's controller."""
        return [self._processes[name].pid for name in ("ovn-northd", "ovn-controller")]

    @property
    def all(self) -> list[int]:
        return [process.pid for process in self._processes.values()]

    def start(self) -> None:
        for name in ("nb", "sb"):
            schema = self._root / f"usr/share/ovn/ovn-{name}.ovsschema"
            self._run("ovsdb-tool", "create", f"{self.folder}/{name}.db", str(schema))
            self._spawn(name, "ovsdb-server", f"{name}.db", f"--remote=punix:{self.folder}/{name}.sock")
            self._appears(f"{name}.sock")
        self._nb("init")
        self._run(str(self._root / "usr/bin/ovn-sbctl"), f"--db=unix:{self.folder}/sb.sock", "init")
        remote = f"external_ids:ovn-remote=unix:{self.folder}/sb.sock"
        encap = ("external_ids:ovn-encap-type=geneve", "external_ids:ovn-encap-ip=127.0.0.1")
        self.switch.vsctl("set", "Open_vSwitch", ".", "external_ids:system-id=ovn", remote, *encap)
        self.start_control()
        self.switch.vsctl("wait-until", "Bridge", "br-int")
        sb = (str(self._root / "usr/bin/ovn-sbctl"), f"--db=unix:{self.folder}/sb.sock", f"--timeout={WAIT:.0f}")
        self._run(*sb, "wait-until", "Chassis", "ovn")  # before that a sync waits for nobody
        self.nb("--wait=hv", "sync")

    def start_control(self, *names: str) -> None:
        """What computes, or those named."""
        databases = [f"--ovn{name}-db=unix:{self.folder}/{name}.sock" for name in ("nb", "sb")]
        given = {"ovn-northd": databases, "ovn-controller": [self.switch.database]}
        for name in names or given:
            self._spawn(name, str(self._root / f"usr/bin/{name}"), *given[name])

    def kill_control(self, *names: str) -> None:
        for name in names:
            process = self._processes.pop(name)
            process.send_signal(signal.SIGKILL)
            process.wait()

    def stop(self) -> None:
        for process in reversed(self._processes.values()):
            process.kill()
            process.wait()

    def nb(self, *words: str) -> float:
        """Milliseconds that an ovn-nbctl command took."""
        begun = time.perf_counter()
        self._nb(*words)
        return (time.perf_counter() - begun) * 1e3

    def change(self, *words: str) -> float:
        """Milliseconds until the host's controller has said that its switch has confirmed it."""
        return self.nb("--wait=hv", *words)

    # ---- the topology
    def build(self, topology: Topology) -> None:
        """Router, networks, ports in one group; all their interfaces are on the switch already."""
        self._nb("lr-add", "r", "--", "pg-add", "all")
        self._nb("ls-add", "out", "--", "lsp-add", "out", "out-net", "--", "lsp-set-type", "out-net", "localnet",
                 "--", "lsp-set-addresses", "out-net", "unknown", "--", "lsp-set-options", "out-net",
                 "network_name=external")  # fmt: skip
        self._attach("out", "02:00:00:00:ff:01", ["203.0.0.1/16"])
        # A distributed router, as Neutron's driver for OVN makes it.
        self._nb("lrp-set-gateway-chassis", "r-out", "ovn")
        self._nb("lr-nat-add", "r", "snat", "203.0.0.1", "10.0.0.0/8")
        for rule in (("from-lport", "inport==@all && ip", ""), ("to-lport", "outport==@all && ip4.src==$all_ip4", ""),
                     ("to-lport", "outport==@all && ip6.src==$all_ip6", "")):  # fmt: skip
            self._nb("acl-add", "all", rule[0], "1001", rule[1], "allow-related")
        self._nb("acl-add", "all", "from-lport", "1000", "inport==@all && ip", "drop")
        self._nb("acl-add", "all", "to-lport", "1000", "outport==@all && ip", "drop")
        for number in range(topology.networks):
            self.network(number)
        for begin in range(0, topology.ports, 200):
            many = range(begin, min(begin + 200, topology.ports))
            self._nb(*[word for port in many for word in ("--", *self.port(port))][1:])

    def network(self, number: int) -> None:
        self._nb("ls-add", f"n{number}")
        self._attach(f"n{number}", f"02:00:00:01:{number // 256:02x}:{number % 256:02x}",
                     [f"10.{number}.0.1/16", f"fd00:{number:x}::1/64"])  # fmt: skip
        served = {"server_id": f"10.{number}.0.1", "server_mac": "02:00:00:00:00:01", "lease_time": "3600",
                  "router": f"10.{number}.0.1"}  # fmt: skip
        pairs = ",".join(f'{key}="{value}"' for key, value in served.items())
        options = self._nb("create", "DHCP_Options", f"cidr=10.{number}.0.0/16", f"options={{{pairs}}}")
        self._options[number] = options.strip()

    def _attach(self, switch: str, ethernet: str, networks: list[str]) -> None:
        self._nb(*self.interface(switch, ethernet, networks))

    def interface(self, switch: str, ethernet: str, networks: list[str]) -> list[str]:
        """Words of a command: a router interface on a logical switch."""
        port = f"r-{switch}"
        return [
            *("lrp-add", "r", port, ethernet, *networks, "--", "lsp-add", switch, f"{switch}-r"),
            *("--", "lsp-set-type", f"{switch}-r", "router", "--", "lsp-set-addresses", f"{switch}-r", "router"),
            *("--", "lsp-set-options", f"{switch}-r", f"router-port={port}"),
        ]

    def port(self, number: int) -> list[str]:
        """Words of a command: one port, in the group, with DHCP."""
        network, name = number // A_NETWORK, f"p{number}"
        where = f'"{mac(number)} {address(number, 4)} {address(number, 6)}"'
        return [
            *(f"--id=@{name}", "create", "Logical_Switch_Port", f"name={name}", f"addresses={where}"),
            *(f"port_security={where}", f"dhcpv4_options={self._options[network]}"),
            *("--", "add", "Logical_Switch", f"n{network}", "ports", f"@{name}"),
            *("--", "add", "Port_Group", "all", "ports", f"@{name}"),
        ]

    # ---- processes
    def _nb(self, *words: str) -> str:
        own = [str(self._root / "usr/bin/ovn-nbctl"), f"--db=unix:{self.folder}/nb.sock", f"--timeout={WAIT:.0f}"]
        return self._run(*own, *words)

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self._environment, cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)[:500]}: {done.stderr.strip()[:500]}")
        return done.stdout

    def _spawn(self, name: str, program: str, *arguments: str) -> None:
        self._processes[name] = subprocess.Popen(
            [program, *arguments, f"--log-file={self.folder}/{name}.log", "-vconsole:off", "-vsyslog:off"],
            cwd=self.folder, env=self._environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _appears(self, name: str) -> None:
        end = time.monotonic() + 20
        while not (self.folder / name).exists():
            if time.monotonic() > end:
                raise RuntimeError(f"{name} did not appear within 20 s")
            time.sleep(0.01)  # nothing tells when a socket appears


@contextmanager
def ovn(root: Path) -> Iterator[Ovn]:
    folder = Path(tempfile.mkdtemp(prefix="tbo-"))
    try:
        with Vswitch() as switch:
            made = Ovn(root, folder, switch)
            try:
                made.start()
                yield made
            finally:
                made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def plug(switch: Vswitch, numbers: Iterable[int]) -> None:
    """Interfaces for ports that are there, or will be."""
    words: list[str] = []
    for number in numbers:
        words += ["--", "add-port", "br-int", f"t{number}", "--", "set", "Interface", f"t{number}", "type=dummy"]
        words += [f"external_ids:iface-id=p{number}"]
    switch.vsctl(*words[1:])
