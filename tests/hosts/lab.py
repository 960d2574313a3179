"""Several hosts on one machine, with real switches and real packets, in network namespaces.

    machine ── tbN ── rack: a Linux bridge, the underlay ── eth-u, br-phy of each host
                                                            br-int of each host ── tap… ── eth0 of a virtual machine

The controller runs on the machine itself, at the slot's address.
"""

from types import TracebackType

from tests.hosts.host import UNDERLAY_MTU, Host, route_pings
from tests.hosts.namespace import ip, run
from tests.hosts.process import owned, stop
from tests.hosts.slot import Slot
from tests.hosts.vm import Vm


class Lab:
    """Made in a free slot; ``close`` removes all of it, and so does the next lab when this one is killed."""

    def __init__(self) -> None:
        self.slot = Slot.take()
        self.directory = self.slot.directory
        self.address = self.slot.address
        self.hosts: dict[str, Host] = {}
        self.vms: dict[str, Vm] = {}
        try:
            self._rack()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Lab":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rack(self) -> None:
        rack, link = f"{self.slot.prefix}rack", self.slot.link
        ip(
            [
                f"netns add {rack}",
                f"link add {link} mtu {UNDERLAY_MTU} type veth peer name machine netns {rack} mtu {UNDERLAY_MTU}",
                f"addr add {self.address}/24 dev {link}",
                f"link set {link} up",
            ]
        )
        ip(
            [
                "link add under type bridge mcast_snooping 0 stp_state 0 forward_delay 0",
                f"link set under mtu {UNDERLAY_MTU} up",
                "link set machine master under",
                "link set machine up",
            ],
            rack,
        )
        # Hosts read these frames in userspace: the checksum must be in them.
        run(["ethtool", "-K", link, "tx", "off"])

    def add_host(self, name: str, *, system_id: bool = True) -> Host:
        """A host that has not joined yet. Debian's start script gives it a system-id; here that is its name."""
        namespace, rack = self.slot.prefix + name, f"{self.slot.prefix}rack"
        ip(
            [
                f"netns add {namespace}",
                f"link add eth-u netns {namespace} mtu {UNDERLAY_MTU} type veth"
                f" peer name {name} netns {rack} mtu {UNDERLAY_MTU}",
            ]
        )
        ip([f"link set {name} master under", f"link set {name} up"], rack)
        host = Host(name, namespace, self.directory / name, self.slot.nth(11 + len(self.hosts)))
        self.hosts[name] = host
        host.create(system_id=system_id)
        return host

    def warm(self) -> None:
        """Hosts learn each other's MAC."""
        route_pings(list(self.hosts.values()))

    def add_vm(self, name: str, host: Host | str, port_id: str, mac: str, mtu: int = 1450) -> Vm:
        """A virtual machine on a host that has joined (or will within seconds), plugged by its port's id."""
        where = self.hosts[host] if isinstance(host, str) else host
        vm = Vm(name, self.slot.prefix + name, where, port_id, mac, self.directory)
        ip([f"netns add {vm.namespace}"])
        self.vms[name] = vm
        vm.create(mtu)
        return vm

    def remove_vm(self, vm: Vm) -> None:
        del self.vms[vm.name]
        vm.destroy()

    def close(self) -> None:
        """Idempotent."""
        for vm in self.vms.values():
            vm.stop_client()
        for host in self.hosts.values():
            host.close()
        self.hosts, self.vms = {}, {}
        stop(owned(self.directory))
        self.slot.clean()
        self.slot.release()
