"""A virtual machine of the lab: a namespace whose eth0 is a veth into its host, with the port's MAC."""

import signal
import subprocess
from pathlib import Path

from tests.hosts import process
from tests.hosts.host import Host
from tests.hosts.lease import Lease, next_lease
from tests.hosts.machine import Machine
from tests.hosts.namespace import entering, ip, settings

LEASE_SCRIPT = Path(__file__).with_name("lease.sh")
OPTIONS = ("subnet", "router", "dns", "hostname", "domain", "broadcast", "lease", "mtu", "staticroutes")


class Vm(Machine):
    def __init__(self, name: str, namespace: str, host: Host, port_id: str, mac: str, directory: Path) -> None:
        super().__init__(name, namespace, mac)
        self.host = host
        self.port_id = port_id
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
        self.power_on()
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
