"""A virtual machine of the lab: a namespace whose eth0 is a veth into its host, with the port's MAC."""

import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hosts import frame, process
from tests.hosts.host import Host
from tests.hosts.lease import Lease, next_lease
from tests.hosts.namespace import entering, ip, open_socket, run, settings
from tests.hosts.ping import Ping, RunningPing
from tests.hosts.sniffer import Sniffer

LEASE_SCRIPT = Path(__file__).with_name("lease.sh")
OPTIONS = ("subnet", "router", "dns", "hostname", "domain", "broadcast", "lease", "mtu", "staticroutes")


class Vm:
    def __init__(self, name: str, namespace: str, host: Host, port_id: str, mac: str, directory: Path) -> None:
        self.name = name
        self.namespace = namespace
        self.host = host
        self.port_id = port_id
        self.mac = mac
        self.directory = directory
        self.tap = f"tap{port_id[:11]}"
        self.lease: Lease | None = None
        self._client: subprocess.Popen[bytes] | None = None
        self._lines: process.Lines | None = None

    def create(self, mtu: int) -> None:
        """The namespace exists; make the cable and plug it."""
        ip(
            [
                f"link add {self.tap} netns {self.host.namespace} mtu {mtu} type veth"
                f" peer name eth0 netns {self.namespace} mtu {mtu} address {self.mac}"
            ]
        )
        # Nobody else can hold our addresses, so there is no duplicate to detect; and addresses come from the test.
        settings(self.namespace, {"ipv6/conf/eth0/accept_dad": "0", "ipv6/conf/eth0/accept_ra": "0"})
        # The userspace data path reads frames whose checksum the card was to fill in: ping works, TCP does not.
        run(["ethtool", "-K", "eth0", "tx", "off"], namespace=self.namespace)
        ip(["link set lo up", "link set eth0 up"], self.namespace)
        self._tap_up()
        self.host.plug(self.tap, self.port_id, self.mac)

    def _tap_up(self) -> None:
        # The host's kernel has nothing to say on a tap.
        settings(self.host.namespace, {f"ipv6/conf/{self.tap}/disable_ipv6": "1"})
        ip([f"link set {self.tap} up"], self.host.namespace)

    def destroy(self) -> None:
        self.stop_client()
        self.host.unplug(self.tap)
        ip([f"netns del {self.namespace}"])

    def move(self, host: Host) -> None:
        """Live migration: it keeps running while its cable goes to another host."""
        self.host.unplug(self.tap)
        ip([f"link set {self.tap} netns {host.namespace}"], self.host.namespace)
        self.host = host
        self._tap_up()
        host.plug(self.tap, self.port_id, self.mac)

    def give(self, *addresses: str) -> None:
        """Static addresses, each with its prefix length."""
        ip([f"addr add {one} dev eth0{' nodad' if ':' in one else ''}" for one in addresses], self.namespace)

    def take(self, *addresses: str) -> None:
        ip([f"addr del {one} dev eth0" for one in addresses], self.namespace)

    # DHCP, by a real client that goes on running as in a virtual machine

    def dhcp(self, timeout: float = 15.0) -> Lease:
        """Ask for a lease. Raises NoLease."""
        self.stop_client()
        asked = [word for option in OPTIONS for word in ("-O", option)]
        with self._log("dhcp").open("ab") as log:
            self._client = subprocess.Popen(
                [
                    *entering(self.namespace),
                    *("udhcpc", "-f", "-i", "eth0", "-s", str(LEASE_SCRIPT), "-p", str(self._client_pid)),
                    *("-t", "20", "-T", "1", "-A", "1", "-o", *asked),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._lines = process.Lines(self._client, f"DHCP client of {self.name}")
        self.lease = next_lease(self._lines, timeout)
        return self.lease

    def renew(self, timeout: float = 10.0) -> Lease:
        """Ask the server that gave the lease for more time: by unicast (RFC 2131, section 4.4.5)."""
        assert self._client and self._lines, f"{self.name} has no lease"
        self._client.send_signal(signal.SIGUSR1)
        self.lease = next_lease(self._lines, timeout)
        return self.lease

    @property
    def _client_pid(self) -> Path:
        return self.directory / f"{self.name}.pid"

    def _log(self, what: str) -> Path:
        return self.directory / f"{self.name}.{what}.log"

    def stop_client(self) -> None:
        if self._client:
            self._client.kill()
            self._client.wait(5.0)
            assert self._client.stdout
            self._client.stdout.close()
            self._client = None
            self._client_pid.unlink(missing_ok=True)

    # What a tenant tries

    def ping(
        self,
        address: str,
        *,
        count: int = 2,
        interval: float = 0.2,
        wait: float = 1.0,
        size: int = 56,
        whole: bool = False,
        source: str = "",
    ) -> Ping:
        """``size``: bytes after the ICMP header; ``whole``: must not be fragmented."""
        options = ["-M", "do"] if whole else []
        options += ["-I", source] if source else []
        command = ["ping", "-n", f"-c{count}", f"-i{interval}", f"-W{wait}", f"-s{size}", *options, address]
        limit = count * interval + wait + 10
        return Ping.parse(run(command, namespace=self.namespace, check=False, timeout=limit))

    @contextmanager
    def pinging(self, address: str, *, interval: float = 0.01) -> Iterator[RunningPing]:
        """A ping that runs meanwhile, ``1 / interval`` a second."""
        running = RunningPing(self.namespace, address, interval)
        try:
            yield running
        finally:
            running.stop()

    def arp(self, target: str, *, sender: str, timeout: float = 1.0, probes: int = 3) -> list[frame.Arp]:
        """Every answer to a broadcast request for the address; waits a little for a second answer."""
        with self.sniffer() as heard:
            for _ in range(probes):
                heard.send(frame.arp_request(self.mac, sender, target))
                if answer := heard.wait(lambda data: _answers(data, target), timeout / probes):
                    more = heard.collect(lambda data: _answers(data, target), 0.1)
                    return [arp for data in (answer, *more) if (arp := frame.parse_arp(data))]
        return []

    def neighbour(self, address: str) -> str:
        """The MAC that the machine holds for an address; empty when it has none."""
        found = re.search(
            r"lladdr ([0-9a-f:]{17})", run(["ip", "neigh", "show", "to", address], namespace=self.namespace)
        )
        return found[1] if found else ""

    def sniffer(self, *, own: bool = False) -> Sniffer:
        """Hears everything that arrives at eth0 from now on, until closed; with ``own`` also what it sends."""
        return Sniffer(self.namespace, own)

    @contextmanager
    def serve(self, port: int = 8080) -> Iterator[None]:
        """Answers each TCP connection with the machine's name."""
        listener = open_socket(self.namespace, socket.AF_INET6, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::", port))
        listener.listen()
        thread = threading.Thread(target=_tell_name, args=(listener, self.name.encode()), daemon=True)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept
            thread.join(5.0)
            listener.close()

    def connect(self, address: str, port: int = 8080, timeout: float = 3.0) -> str:
        """What the TCP server there says; empty when there was no answer in time."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with open_socket(self.namespace, family, socket.SOCK_STREAM) as client:
            client.settimeout(timeout)
            try:
                client.connect((address, port))
                return client.recv(100).decode()
            except OSError:
                return ""


def _tell_name(listener: socket.socket, name: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.sendall(name)


def _answers(data: bytes, target: str) -> bool:
    arp = frame.parse_arp(data)
    return arp is not None and arp.operation == frame.REPLY and arp.sender == target
