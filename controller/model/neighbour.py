"""Who has an address that is no port's: found out by ARP or neighbour discovery."""

from typing import Annotated, ClassVar

from controller.model.record import READ_ONLY, Record


class Neighbour(Record, frozen=True, kw_only=True):
    """Written by control alone. Kept, so that a restart of control forgets no next hop."""

    table: ClassVar[str] = "Neighbour"
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (("network_id", "ip_address"),)

    network_id: Annotated[str, READ_ONLY]
    ip_address: Annotated[str, READ_ONLY]
    mac_address: Annotated[str, READ_ONLY]
