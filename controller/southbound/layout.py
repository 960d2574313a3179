"""A host's bridges, ports and interfaces by name and by place, kept current from the rows of its database."""

from collections.abc import Iterable, Mapping
from typing import Any

from controller.ovsdb.replica import Row, RowChange
from controller.southbound.kept import KINDS, Kind, changed
from controller.southbound.own import PEER_KEY, bfd_port, is_patch, may_be_own
from flows.tables import BR_INT

IFACE_ID = "iface-id"
"""Key of Interface external_ids by which hypervisors say which port of the network an interface is."""
STATE = ("bfd_status", "link_state")
"""Columns of an Interface that say how it is, not what."""


class Layout:
    """Reads the tables of a Replica; :meth:`apply` follows each of its changes at the cost of the change.

    ``interfaces``: iface-id -> OpenFlow port, of the interfaces on br-int that have got one. It is replaced, never
    changed, so a holder of the old one can tell what came and went; ``kept`` and ``live`` likewise.
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
        self.kept: dict[Kind, dict[int, str]] = {kind: {} for kind in KINDS}
        """Number -> whose it is, as br-int's external_ids have it."""
        self._ids: Mapping[str, str] = {}
        """Those external_ids."""
        self.live: frozenset[str] = frozenset()
        """System-ids of the peers that BFD says can be reached."""
        self.own: set[str] = set()
        """Ports with a name that the controller may have given, wanted or not."""
        self._claims: dict[str, dict[str, int]] = {}
        """iface-id -> interface's row id -> OpenFlow port. Two interfaces may wrongly have the same iface-id."""
        self._claimed: dict[str, str] = {}
        self.met: frozenset[str] = frozenset()
        """System-ids of the hosts that BFD has reached at some time since this switch began."""
        self._met: dict[str, tuple[str, bool]] = {}
        """Interface's row id -> the peer behind it that has been met, and whether it lives."""
        self._up: dict[str, str] = {}
        """Interface's row id -> row id of the bridge that it connects with the world outside."""
        self._links: dict[str, set[str]] = {}
        """The same by bridge."""

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

    def connected(self, bridge: str) -> bool:
        """Has the bridge of that name an interface, neither internal nor a patch of ours, whose link is up?"""
        return bool(self._links.get(self.bridges.get(bridge, "")))

    def apply(self, changes: Iterable[RowChange]) -> bool:
        """To be called with every change, after the tables have it. Has more changed than the state of interfaces?"""
        stale: set[str] = set()
        more = False
        for table, id, old, new in changes:
            if table == "Bridge":
                _rename(self.bridges, id, old, new)
                if BR_INT in ((old or {}).get("name"), (new or {}).get("name")):
                    self._keep()
                went, came = _difference("ports", old, new)
                _reown(self.bridge_of, id, went, came)
                for port in went | came:
                    stale.update(self._tables["Port"].get(port, {}).get("interfaces", ()))
            elif table == "Port":
                _rename(self.ports, id, old, new)
                for row in (old, new):
                    if row is not None and may_be_own(row["name"]):
                        (self.own.add if row["name"] in self.ports else self.own.discard)(row["name"])
                went, came = _difference("interfaces", old, new)
                _reown(self._port_of, id, went, came)
                stale |= went | came
            elif table == "Interface":
                _rename(self.interface_ids, id, old, new)
                stale.add(id)
            more = more or table != "Interface" or old is None or new is None or _differ(old, new)
        touched = {key for id in stale for key in self._reclaim(id)}
        if touched:
            self._publish(touched)
        watched = [self._watch(id) for id in stale]
        if any(watched):
            live = frozenset(peer for peer, lives in self._met.values() if lives)
            met = frozenset(peer for peer, _ in self._met.values())
            self.live = self.live if live == self.live else live
            self.met = self.met if met == self.met else met
        return more

    def _keep(self) -> None:
        """The numbers in br-int's external_ids."""
        bridge = self.bridge(BR_INT)
        before, self._ids = self._ids, bridge["external_ids"] if bridge else {}
        if before is not self._ids:
            self.kept = {kind: changed(kind, kept, before, self._ids) for kind, kept in self.kept.items()}

    def _owner(self, id: str) -> str | None:
        """Row id of the bridge on which an interface is."""
        return self.bridge_of.get(self._port_of.get(id, ""))

    def _numbered(self, id: str) -> Row | None:
        """The interface, if it is on br-int and has an OpenFlow port there."""
        row, bridge = self._tables["Interface"].get(id), self._owner(id)
        inside = row is not None and bridge is not None and bridge == self.bridges.get(BR_INT)
        return row if inside and row is not None and (row["ofport"] or 0) > 0 else None

    def _reclaim(self, id: str) -> Iterable[str]:
        """Judges one interface anew; gives the iface-ids that this may have changed."""
        row = self._numbered(id)
        new = row["external_ids"].get(IFACE_ID, "") if row is not None else ""
        old = self._claimed.pop(id, "")
        if old:
            del self._claims[old][id]
            yield old
        if new and row is not None:
            self._claimed[id] = new
            self._claims.setdefault(new, {})[id] = row["ofport"]
            yield new

    def _watch(self, id: str) -> bool:
        """Follows the state of one interface. Has a peer come to life, or died?"""
        row = self._tables["Interface"].get(id)
        self._link(id, self._owner(id) if row is not None and _leads_out(row) else None)
        row, peer, lives = self._numbered(id), "", False
        if row is not None and bfd_port(row) == row["ofport"]:
            lives = row["bfd_status"].get("forwarding") == "true"
            if lives or row["bfd_status"].get("flap_count", "0") != "0":
                peer = row["external_ids"].get(PEER_KEY, "")
        before = self._met.pop(id, None)
        if peer:
            self._met[id] = peer, lives
        return before != self._met.get(id)

    def _link(self, id: str, bridge: str | None) -> None:
        before = self._up.pop(id, None)
        if before is not None:
            self._links[before].discard(id)
            if not self._links[before]:
                del self._links[before]
        if bridge is not None:
            self._up[id] = bridge
            self._links.setdefault(bridge, set()).add(id)

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


def _leads_out(interface: Row) -> bool:
    return interface["link_state"] == "up" and interface["type"] != "internal" and not is_patch(interface)


def _differ(old: Row, new: Row) -> bool:
    """In more than STATE? Columns that did not change are the same objects."""
    return any(value is not old[column] for column, value in new.items() if column not in STATE)


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
