"""A host of the lab: a namespace with an ovsdb-server and an ovs-vswitchd of its own, as a hypervisor has them.

What its operator has set up before it joins: br-phy holds the network card, and the host's address is on br-phy's
local port, because the userspace data path reads its tunnels' routes and neighbours there. One address serves for the
controller and for tunnels. A host with an uplink has a second network card, and that on br-ex. Everything else is the
controller's work.
"""

import os
import re
import signal
import subprocess
from functools import cache, cached_property
from pathlib import Path

from ovsdbapp.backend.ovs_idl.connection import Connection, OvsdbIdl
from ovsdbapp.schema.open_vswitch.impl_idl import OvsdbIdl as OpenVSwitch

from tests.hosts import process
from tests.hosts.namespace import ip, run, settings
from tests.hosts.until import PATIENCE

UNDERLAY_MTU, OUTSIDE_MTU = 1600, 1500
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
DATAPATH = os.environ.get("LAB_DATAPATH", "netdev")
"""``netdev``, the one in userspace, which needs nothing of the kernel; or ``system``, the kernel's."""
DAEMONS = ("ovs-vswitchd", "ovsdb-server")


class Host:
    def __init__(self, name: str, namespace: str, directory: Path, address: str) -> None:
        self.name = name
        self.namespace = namespace
        self.directory = directory
        self.address = address
        self.socket = f"unix:{directory}/db.sock"
        self.uplink = False

    def create(self, *, system_id: bool, uplink: bool, gateway: bool) -> None:
        """The host as it is before it joins: started, on the underlay, nothing of Tunbridge in it."""
        self.uplink = uplink
        self.directory.mkdir()
        settings(self.namespace, {"ipv6/conf/all/disable_ipv6": "1", "ipv6/conf/default/disable_ipv6": "1"})
        ip(["link set lo up"], self.namespace)
        self._cards("up")
        run(["ovsdb-tool", "create", f"{self.directory}/conf.db", SCHEMA])
        self._start_daemons()
        with self.ovsdb.transaction(check_error=True) as change:
            ids = {"hostname": self.name} | ({"system-id": self.name} if system_id else {})
            if gateway:
                ids["ovn-cms-options"] = "enable-chassis-as-gw"
            change.add(self.ovsdb.db_set("Open_vSwitch", ".", ("external_ids", ids), ("ovs_version", _version())))
            for bridge, card in (("br-phy", "eth-u"), ("br-ex", "eth-x"))[: 1 + uplink]:
                change.add(self.ovsdb.add_br(bridge, datapath_type=DATAPATH))
                change.add(self.ovsdb.db_set("Bridge", bridge, ("fail_mode", "standalone")))
                change.add(self.ovsdb.add_port(bridge, card))
        self._address()

    def start(self) -> None:
        """After ``crash``: the daemons again, with the database as it was."""
        self._start_daemons()
        self._cards("up")
        self._address()

    def start_switch(self) -> None:
        """After ``crash("ovs-vswitchd")``."""
        self._start_switch()
        self._address()

    def _start_daemons(self) -> None:
        self.start_database()
        self._start_switch()

    def start_database(self) -> None:
        """After ``crash("ovsdb-server")``."""
        folder = self.directory
        self._daemon(
            "ovsdb-server",
            f"{folder}/conf.db",
            f"--remote=p{self.socket}",
            "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
            f"--unixctl={folder}/ovsdb.ctl",
        )
        self.vsctl("--no-wait", "init")

    def _start_switch(self) -> None:
        userspace = ["--disable-system"] if DATAPATH == "netdev" else []
        self._daemon("ovs-vswitchd", self.socket, *userspace, f"--unixctl={self.directory}/vswitchd.ctl")

    def _daemon(self, name: str, *arguments: str) -> None:
        """Returns when the daemon serves (``--detach``). As urgent as ovs-ctl makes it: BFD tells others within 300 ms
        that a switch which waits for the processor is dead."""
        folder = self.directory
        places = [f"{key}={folder}" for key in ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")]
        files = [f"--pidfile={folder}/{name}.pid", f"--log-file={folder}/{name}.log"]
        common = ["-vconsole:off", "--detach", "--no-chdir"]
        run(["nice", "-n", "-10", "env", *places, name, *arguments, *files, *common], namespace=self.namespace)

    def _address(self) -> None:
        """On br-phy's local port, which goes with its vswitchd."""
        lines = [
            f"link set br-phy mtu {UNDERLAY_MTU}",
            "link set br-phy up",
            f"addr replace {self.address}/24 dev br-phy",
        ]
        ip(lines, self.namespace)

    def crash(self, *daemons: str) -> None:
        """kill -9 of both daemons, or of those named."""
        pids = [self.pid(name) for name in daemons or DAEMONS]
        if DATAPATH == "system" and len(pids) == len(DAEMONS):
            # It stands for a host that dies, which takes its kernel along. Here that would go on with what it knows.
            # The cards are first, or others would learn of a death by BFD before anything is lost.
            self._cards("down")
        for pid in pids:
            process.send(pid, signal.SIGKILL)
        process.wait_gone(pids, 5.0)

    def _cards(self, state: str) -> None:
        ip([f"link set {card} {state}" for card in ("eth-u", "eth-x")[: 1 + self.uplink]], self.namespace)

    def pid(self, daemon: str) -> int:
        pid = process.read_pid(self.directory / f"{daemon}.pid")
        if pid is None or not process.is_ours(pid, self.directory):
            raise LookupError(f"{daemon} of {self.name} is not running")
        return pid

    def runs(self, daemon: str) -> bool:
        try:
            self.pid(daemon)
        except LookupError:
            return False
        return True

    @cached_property
    def ovsdb(self) -> OpenVSwitch:
        # ovsdbapp keeps one connection a class, so each host has a class.
        own = type(f"OpenVSwitch_{self.name}", (OpenVSwitch,), {"_ovsdb_connection": None})
        return own(Connection(OvsdbIdl.from_server(self.socket, "Open_vSwitch"), timeout=int(20 * PATIENCE)))

    def close(self) -> None:
        if "ovsdb" in self.__dict__:
            self.ovsdb.ovsdb_connection.stop()

    def join(self, controller: str) -> None:
        """All that an operator does on a host. ``controller`` is ADDRESS:PORT."""
        self.vsctl("set-manager", f"tcp:{controller}")

    def plug(self, tap: str, port_id: str, mac: str) -> None:
        """What nova and libvirt do when a virtual machine starts here."""
        self.wait_bridge("br-int")
        ids = [f"external_ids:iface-id={port_id}", f'external_ids:attached-mac="{mac}"']
        self.vsctl("--no-wait", "--", "add-port", "br-int", tap, "--", "set", "Interface", tap, *ids)

    def unplug(self, tap: str) -> None:
        self.vsctl("--no-wait", "del-port", "br-int", tap)

    def wait_bridge(self, name: str, timeout: int = 15) -> None:
        """Until the bridge stands in the host's database (the controller creates br-int after the host has joined)."""
        self.vsctl("wait-until", "Bridge", name, timeout=timeout)

    def vsctl(self, *arguments: str, timeout: int = 15) -> str:
        limit = f"--timeout={timeout * PATIENCE:.0f}"
        return run(["ovs-vsctl", "--no-syslog", f"--db={self.socket}", limit, *arguments])

    def appctl(self, *arguments: str) -> str:
        return run(["ovs-appctl", "-t", f"{self.directory}/vswitchd.ctl", *arguments])

    def ofctl(self, command: str, bridge: str, *arguments: str, text: str | None = None) -> str:
        there = f"unix:{self.directory}/{bridge}.mgmt"
        return run(["ovs-ofctl", "-O", "OpenFlow15", command, there, *arguments], text=text)

    def ofport(self, tap: str) -> int:
        answer = self.ovsdb.db_get("Interface", tap, "ofport").execute(check_error=True)
        return int(answer) if isinstance(answer, int) else 0

    def flows(self, bridge: str) -> dict[str, "InstalledFlow"]:
        """By table, priority, match and actions, in ovs-ofctl's words."""
        found = (InstalledFlow.parse(line) for line in self.ofctl("dump-flows", bridge).splitlines())
        return {flow.text: flow for flow in found if flow}

    def live(self) -> dict[str, bool]:
        """Of each of its BFD ports: have both ends heard each other, so that from now on a death shows within the
        interval agreed upon? (RFC 5880, section 6.8.3: before that they speak once a second.)"""
        sessions = re.split(r"^---- (\S+) ----$", self.appctl("bfd/show"), flags=re.MULTILINE)[1:]
        ends = [r"Local Session State: up$", r"Remote Session State: up$"]
        return {
            name: all(re.search(end, said, re.MULTILINE) for end in ends)
            for name, said in zip(sessions[::2], sessions[1::2], strict=True)
        }

    def deaths_heard(self) -> int:
        """How often a BFD session of its has ended, by its log: whether or not the other had died."""
        return self._log("ovs-vswitchd").count("BFD state change: up->down")

    def log_tail(self, daemon: str = "ovs-vswitchd", lines: int = 20) -> str:
        return "\n".join(self._log(daemon).splitlines()[-lines:])

    def _log(self, daemon: str) -> str:
        return (self.directory / f"{daemon}.log").read_text(errors="replace")


class InstalledFlow:
    """One line of ``ovs-ofctl dump-flows``."""

    def __init__(self, text: str, cookie: int, seconds: float, packets: int) -> None:
        self.text = text
        self.cookie = cookie
        self.seconds = seconds
        """Since it was installed: a flow that was rewritten is young."""
        self.packets = packets

    @classmethod
    def parse(cls, line: str) -> "InstalledFlow | None":
        parts = line.strip().split(", ")
        if not parts[0].startswith("cookie="):
            return None
        # cookie=0x…, duration=…s, table=…, n_packets=…, n_bytes=…, [idle_age=…,] priority=…,match actions=…
        values = dict(part.split("=", 1) for part in parts[:-1])
        text = f"table={values['table']} {parts[-1]}"
        return cls(text, int(values["cookie"], 16), float(values["duration"].rstrip("s")), int(values["n_packets"]))


@cache
def _version() -> str:
    """What Debian's start script writes into the host's database."""
    return run(["ovs-vswitchd", "--version"]).split("\n")[0].split()[-1]


def route_pings(hosts: list[Host]) -> None:
    """Each host asks for each other's address, so that tunnels find their neighbours known.

    The userspace data path drops the packet that makes it ask; in a test that packet would count.
    """
    asking = [
        subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{one.namespace}", "ping", "-nq", "-c1", "-W2", other.address],
            stdout=subprocess.DEVNULL,
        )
        for one in hosts
        for other in hosts
        if one is not other
    ]
    for ping in asking:
        ping.wait(5.0)
