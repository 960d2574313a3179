"""What both build: one host with so many ports, 100 a network, dual stack, DHCP for IPv4, all in one security group
whose members may talk to each other; all networks behind one router, which translates to an external network."""

import msgspec

A_NETWORK = 100


class Topology(msgspec.Struct, frozen=True):
    ports: int

    @property
    def networks(self) -> int:
        """One more than the ports fill: further ones go there."""
        return self.ports // A_NETWORK + 1


def mac(number: int) -> str:
    return (0xFA163E000000 + number).to_bytes(6).hex(":")


def address(number: int, version: int) -> str:
    network, last = divmod(number, A_NETWORK)
    return f"10.{network}.0.{last + 10}" if version == 4 else f"fd00:{network:x}::{last + 16:x}"
