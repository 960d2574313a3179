"""The typed records. One noun a file."""

from controller.model.control import Control
from controller.model.host import Host
from controller.model.network import Network
from controller.model.port import AddressPair, DhcpOption, FixedIP, Port
from controller.model.record import Column, Record, columns
from controller.model.security_group import AddressGroup, SecurityGroup, SecurityGroupRule
from controller.model.subnet import Pool, Route, Subnet

RECORDS: tuple[type[Record], ...] = (
    Network,
    Subnet,
    FixedIP,
    SecurityGroup,
    AddressGroup,
    SecurityGroupRule,
    Port,
    Host,
    Control,
)
"""Every kind of row in the database."""

__all__ = [
    "RECORDS",
    "AddressGroup",
    "AddressPair",
    "Column",
    "Control",
    "DhcpOption",
    "FixedIP",
    "Host",
    "Network",
    "Pool",
    "Port",
    "Record",
    "Route",
    "SecurityGroup",
    "SecurityGroupRule",
    "Subnet",
    "columns",
]
