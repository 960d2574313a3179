"""A host's bridges, ports and interfaces by name and by place, kept current from the rows of its database."""

from collections.abc import Iterable, Mapping
from typing import Any

from controller.ovsdb.replica import Row, RowChange
from flows.tables import BR_INT

TAG_KEY = "tunbridge-tag-"
"""Prefix of the keys in br-int's external_ids under which a host keeps which local VLAN tag is whose."""
IFACE_ID = "iface-id"
"""Key of Interface external_ids by which hypervisors say which port of the network an interface is."""


class Layout:
    """Reads the tables of a Replica; :meth:`apply` follows each of its changes at the cost of the change.

    ``interfaces``: iface-id -> OpenFlow port, of the interfaces on br-int that have got one. It is replaced, never
    changed, so a holder of the old one can tell what came and went.
    """

    def __init__(self, tables: Mapping[str, Mapping[str, Row]]) -> None:
        self._tables = tables
        self.bridges: dict[str, str] = {}
        """Name -> row id."""
        self.ports: dict[str, str] = {}
        self.interface_ids: dict[str, str] = {}
        self.bridge_of: dict[str, str] = {}
        """Port's row id -> bridge's row id."""
        self._port_of: dict[str, str] = {}
        self.interfaces: dict[str, int] = {}
        self.tags: dict[int, str] = {}
        """Local VLAN tag -> network id, as br-int's external_ids have it; replaced like ``interfaces``."""
        self._claims: dict[str, dict[str, int]] = {}
        """iface-id -> interface's row id -> OpenFlow port. Two interfaces may wrongly have the same iface-id."""
        self._claimed: dict[str, str] = {}

    def row(self, table: str, id: str) -> Row:
        return self._tables[table][id]

    @property
    def switch(self) -> tuple[str, Row] | None:
        """Id and row of the one row of table Open_vSwitch."""
        return next(iter(self._tables["Open_vSwitch"].items()), None)

    def bridge(self, name: str) -> Row | None:
        id = self.bridges.get(name)
        return None if id is None else self._tables["Bridge"].get(id)

    def interface(self, name: str) -> Row | None:
        id = self.interface_ids.get(name)
        return None if id is None else self._tables["Interface"].get(id)

    def place(self, port: str) -> str | None:
        """Name of the bridge on which a port of that name is."""
        bridge = self._tables["Bridge"].get(self.bridge_of.get(self.ports.get(port, ""), ""))
        return bridge["name"] if bridge else None

    def apply(self, changes: Iterable[RowChange]) -> None:
        """To be called with every change, after the tables have it."""
        stale: set[str] = set()
        for table, id, old, new in changes:
            if table == "Bridge":
                _rename(self.bridges, id, old, new)
                if BR_INT in ((old or {}).get("name"), (new or {}).get("name")):
                    self._keep_tags(old)
                went, came = _difference("ports", old, new)
                _reown(self.bridge_of, id, went, came)
                for port in went | came:
                    stale.update(self._tables["Port"].get(port, {}).get("interfaces", ()))
            elif table == "Port":
                _rename(self.ports, id, old, new)
                went, came = _difference("interfaces", old, new)
                _reown(self._port_of, id, went, came)
                stale |= went | came
            elif table == "Interface":
                _rename(self.interface_ids, id, old, new)
                stale.add(id)
        touched = {key for id in stale for key in self._reclaim(id)}
        if touched:
            self._publish(touched)

    def _keep_tags(self, old: Row | None) -> None:
        bridge = self.bridge(BR_INT)
        ids = bridge["external_ids"] if bridge else {}
        if old is not None and ids is old["external_ids"]:
            return
        self.tags = {
            int(tag): network
            for key, network in ids.items()
            if key.startswith(TAG_KEY) and (tag := key.removeprefix(TAG_KEY)).isdecimal()
        }

    def _reclaim(self, id: str) -> Iterable[str]:
        """Judges one interface anew; gives the iface-ids that this may have changed."""
        row = self._tables["Interface"].get(id)
        bridge = self.bridge_of.get(self._port_of.get(id, ""))
        new = ""
        if row is not None and bridge is not None and bridge == self.bridges.get(BR_INT) and (row["ofport"] or 0) > 0:
            new = row["external_ids"].get(IFACE_ID, "")
        old = self._claimed.pop(id, "")
        if old:
            del self._claims[old][id]
            yield old
        if new and row is not None:
            self._claimed[id] = new
            self._claims.setdefault(new, {})[id] = row["ofport"]
            yield new

    def _publish(self, touched: set[str]) -> None:
        now = {key: min(self._claims[key].values(), default=0) for key in touched}
        for key in touched:
            if not self._claims[key]:
                del self._claims[key]
        if all(self.interfaces.get(key, 0) == ofport for key, ofport in now.items()):
            return
        interfaces = self.interfaces | now
        for key in [key for key, ofport in now.items() if not ofport]:
            del interfaces[key]
        self.interfaces = interfaces


def _rename(names: dict[str, str], id: str, old: Row | None, new: Row | None) -> None:
    # A name may pass from one row to another in one transaction, in either order.
    if old is not None and (new is None or new["name"] != old["name"]) and names.get(old["name"]) == id:
        del names[old["name"]]
    if new is not None:
        names[new["name"]] = id


def _reown(owners: dict[str, str], id: str, went: set[str], came: set[str]) -> None:
    for member in went:
        if owners.get(member) == id:
            del owners[member]
    for member in came:
        owners[member] = id


def _difference(column: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> tuple[set[str], set[str]]:
    """What has left a set column, and what has come."""
    before = old[column] if old is not None else ()
    after = new[column] if new is not None else ()
    if before is after:
        return set(), set()
    return set(before) - set(after), set(after) - set(before)
