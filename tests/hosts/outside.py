"""What hosts' uplinks lead to: the router of an external network, and the internet behind it, as one namespace."""

from tests.hosts.machine import Machine
from tests.hosts.namespace import ip, settings
from tests.hosts.tagged import Tagged

# RFC 5737 and RFC 3849: addresses for documentation.
NETWORK, GATEWAY, GATEWAY6 = "203.0.113.0/24", "203.0.113.1", "2001:db8:113::1"
INTERNET = "198.51.100.1"


class Outside(Machine):
    """It has GATEWAY and GATEWAY6 on the wire, INTERNET behind that, and forwards between its networks."""

    def __init__(self, namespace: str) -> None:
        super().__init__("inet", namespace, "02:00:5e:71:00:01", "eth-x")
        self._tagged: list[Tagged] = []

    def create(self) -> None:
        """Namespace and cable exist."""
        values = {"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"}
        for device in ("all", self.device):
            # It may hear from any network by any path, and has no better path to tell of.
            values |= {f"ipv4/conf/{device}/rp_filter": "0", f"ipv4/conf/{device}/send_redirects": "0"}
        settings(self.namespace, values)
        self.power_on()
        self.give(f"{GATEWAY}/24", f"{GATEWAY6}/64")
        ip([f"addr add {INTERNET}/32 dev lo"], self.namespace)

    def add_vlan(self, tag: int, *addresses: str) -> str:
        """A tagged network beside the untagged one, with its own addresses; its interface."""
        vlan = Tagged(self.namespace, self.device, tag, self.mac)
        self._tagged.append(vlan)
        settings(self.namespace, {f"ipv6/conf/{vlan.device}/accept_dad": "0"})
        lines = [f"addr add {one} dev {vlan.device}{' nodad' if ':' in one else ''}" for one in addresses]
        ip([f"link set {vlan.device} up", *lines], self.namespace)
        return vlan.device

    def close(self) -> None:
        for vlan in self._tagged:
            vlan.close()
        self._tagged = []
