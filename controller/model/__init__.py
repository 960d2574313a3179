"""The typed records. One noun a file."""

from controller.model.control import Control
from controller.model.host import Host
from controller.model.neighbour import Neighbour
from controller.model.network import Network, Segment
from controller.model.port import AddressPair, DhcpOption, FixedIP, Port
from controller.model.record import Column, Record, columns
from controller.model.router import FloatingIP, PortForwarding, Router
from controller.model.security_group import AddressGroup, SecurityGroup, SecurityGroupRule
from controller.model.subnet import Pool, Route, Subnet
from controller.model.subnet_pool import AddressScope, SubnetPool

RECORDS: tuple[type[Record], ...] = (
    Segment,
    Network,
    AddressScope,
    SubnetPool,
    Subnet,
    FixedIP,
    SecurityGroup,
    AddressGroup,
    SecurityGroupRule,
    Port,
    Router,
    FloatingIP,
    PortForwarding,
    Neighbour,
    Host,
    Control,
)
"""Every kind of row in the database."""

__all__ = [
    "RECORDS",
    "AddressGroup",
    "AddressPair",
    "AddressScope",
    "Column",
    "Control",
    "DhcpOption",
    "FixedIP",
    "FloatingIP",
    "Host",
    "Neighbour",
    "Network",
    "Pool",
    "Port",
    "PortForwarding",
    "Record",
    "Route",
    "Router",
    "SecurityGroup",
    "SecurityGroupRule",
    "Segment",
    "Subnet",
    "SubnetPool",
    "columns",
]
