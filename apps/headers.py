"""os-ken's packet headers, as ``headers.arp.arp(…)``. Each module of os_ken.lib.packet is loaded when it is first
asked for: all together they take a tenth of a second, which a start of control has no use for.
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return import_module(f"os_ken.lib.packet.{name}")
