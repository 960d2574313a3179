"""Several hosts on one machine, with real switches and real packets, in network namespaces.

    machine ── tbN ── rack: a Linux bridge, the underlay ── eth-u, br-phy of each host
                         │                                  br-int of each host ── tap… ── eth0 of a virtual machine
                         └─ outside: another bridge ── eth-x, br-ex of hosts with an uplink
                                             └──────── eth-x of inet

The controller runs on the machine itself, at the slot's address.
"""

from types import TracebackType

from tests.hosts.host import OUTSIDE_MTU, UNDERLAY_MTU, Host, route_pings
from tests.hosts.namespace import ip, run
from tests.hosts.outside import Outside
from tests.hosts.process import owned, stop
from tests.hosts.slot import Slot
from tests.hosts.vm import Vm
from tests.hosts.wire import Wire


class Lab:
    """Made in a free slot; ``close`` removes all of it, and so does the next lab when this one is killed."""

    def __init__(self) -> None:
        self.slot = Slot.take()
        self.directory = self.slot.directory
        self.address = self.slot.address
        self.hosts: dict[str, Host] = {}
        self.vms: dict[str, Vm] = {}
        self.outside: Outside | None = None
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

    @property
    def rack(self) -> str:
        return f"{self.slot.prefix}rack"

    def _rack(self) -> None:
        rack, link = self.rack, self.slot.link
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
                "link add outside type bridge mcast_snooping 0 stp_state 0 forward_delay 0",
                f"link set outside mtu {OUTSIDE_MTU} up",
            ],
            rack,
        )
        # Hosts read these frames in userspace: the checksum must be in them.
        run(["ethtool", "-K", link, "tx", "off"])

    def add_host(self, name: str, *, system_id: bool = True, uplink: bool = False, gateway: bool = False) -> Host:
        """A host that has not joined yet. Debian's start script gives it a system-id; here that is its name.

        ``uplink``: it has a second network card, on br-ex. ``gateway``: it asks to be a gateway.
        """
        namespace = self.slot.prefix + name
        ip([f"netns add {namespace}"])
        self._cable(namespace, "eth-u", name, "under", UNDERLAY_MTU)
        if uplink:
            self._cable(namespace, "eth-x", _outer(name), "outside", OUTSIDE_MTU)
        host = Host(name, namespace, self.directory / name, self.slot.nth(11 + len(self.hosts)))
        self.hosts[name] = host
        host.create(system_id=system_id, uplink=uplink, gateway=gateway)
        return host

    def _cable(self, namespace: str, device: str, name: str, bridge: str, mtu: int, more: str = "") -> None:
        """From a device in the namespace to the rack, where it is called ``name``."""
        ip(
            [
                f"link add {device} netns {namespace} mtu {mtu} {more} type veth"
                f" peer name {name} netns {self.rack} mtu {mtu}"
            ]
        )
        ip([f"link set {name} master {bridge}", f"link set {name} up"], self.rack)

    def add_outside(self) -> Outside:
        """What hosts' uplinks lead to: see Outside. One a lab."""
        outside = self.outside = Outside(f"{self.slot.prefix}inet")
        ip([f"netns add {outside.namespace}"])
        self._cable(outside.namespace, outside.device, "inet", "outside", OUTSIDE_MTU, f"address {outside.mac}")
        outside.create()
        return outside

    def wire(self) -> Wire:
        """Hears what the hosts that there are send by their uplinks, until it is closed."""
        return Wire(self.rack, {_outer(host.name): host.name for host in self.hosts.values() if host.uplink})

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
        if self.outside:
            self.outside.close()
        for host in self.hosts.values():
            host.close()
        self.hosts, self.vms, self.outside = {}, {}, None
        stop(owned(self.directory))
        self.slot.clean()
        self.slot.release()


def _outer(host: str) -> str:
    """The rack's end of the host's uplink."""
    return f"x-{host}"
