"""Records to store."""

import uuid
from typing import Any

from controller.model import FixedIP, Network, Pool, Port, Subnet


def new_id() -> str:
    return str(uuid.uuid4())


def network(vni: int, **fields: Any) -> Network:
    return Network(id=new_id(), vni=vni, **fields)


def subnet(of: Network, **fields: Any) -> Subnet:
    values = {"cidr": "10.0.0.0/8", "ip_version": 4, "allocation_pools": (Pool("10.0.0.2", "10.255.255.254"),)}
    return Subnet(id=new_id(), network_id=of.id, **{**values, **fields})


def address(on: Subnet, text: str) -> FixedIP:
    return FixedIP(id=new_id(), subnet_id=on.id, ip_address=text)


def port(number: int, on: Subnet, **fields: Any) -> Port:
    high, middle, low = number >> 16 & 255, number >> 8 & 255, number & 255
    values = {
        "mac_address": f"fa:16:3e:{high:02x}:{middle:02x}:{low:02x}",
        "fixed_ips": (address(on, f"10.{high}.{middle}.{low}"),),
        "project_id": "0123456789abcdef0123456789abcdef",
        "name": f"port {number}",
        "created_at": "2026-01-31T12:00:00Z",
        "updated_at": "2026-01-31T12:00:00Z",
        "device_owner": "compute:nova",
    }
    return Port(id=new_id(), network_id=on.network_id, **{**values, **fields})
