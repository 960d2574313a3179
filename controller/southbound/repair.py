"""What to change in a host's database so that its bridges are as wished. Pure: rows in, operations out."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from controller.ovsdb.replica import Row
from controller.southbound.layout import Layout
from controller.southbound.own import OwnPort, bfd_port, is_unchanged_patch
from controller.southbound.wish import Wish
from flows.tables import BR_INT, BR_TUN

Operation = dict[str, Any]
Ref = list[str]

MAX_BACKOFF = 1000
"""Milliseconds (the least that OVS takes) after which a host tries again to reach a controller that was away."""


class Repair(msgspec.Struct, frozen=True):
    """One transaction. Empty when all is well."""

    what: tuple[str, ...]
    """In words, for the log."""
    operations: tuple[Operation, ...]
    vital: bool
    """The host is not ready without it."""


def repair(layout: Layout, wish: Wish) -> Repair:
    """What is vital first; the BFD ports when that is done."""
    plan = _Plan(layout, wish)
    if layout.switch is None:
        return Repair((), (), True)
    plan.host(*layout.switch)
    if wish.datapath_type is not None:  # else ovs-vswitchd has not said yet what it can do
        plan.bridges()
        plan.ports(wish.ports)
        plan.remove(unwanted(layout, wish.ports, is_unchanged_patch))
        plan.finish()
    vital = bool(plan.operations)
    if not vital and wish.watched is not None and layout.bridge(BR_INT) is not None:
        plan.ports(wish.watched)
        plan.remove(unwanted(layout, wish.watched, bfd_port))
        plan.finish()
    return Repair(tuple(plan.what), tuple(plan.operations), vital)


class _Plan:
    def __init__(self, layout: Layout, wish: Wish) -> None:
        self.layout, self.wish = layout, wish
        self.what: list[str] = []
        self.operations: list[Operation] = []
        self._names = (f"row{number}" for number in itertools.count())
        self._new_bridges: dict[str, dict[str, Any]] = {}
        self._new_ports: dict[str, list[Ref]] = {}
        self._lost_ports: dict[str, list[Ref]] = {}

    # ---- the host itself
    def host(self, id: str, switch: Row) -> None:
        if switch["external_ids"].get("system-id", "") == "":
            self.what.append(f"named {self.wish.system_id}")
            pair = {"system-id": self.wish.system_id}
            self._mutate(
                "Open_vSwitch", id, ["external_ids", "delete", _set(pair)], ["external_ids", "insert", _map(pair)]
            )
        managers = {id: self.layout.row("Manager", id) for id in switch["manager_options"]}
        active = {id: row for id, row in managers.items() if row["target"].startswith(("tcp:", "ssl:"))}
        for manager, row in active.items():
            ours = len(active) == 1 or row["target"].endswith(f":{self.wish.endpoint}")
            if ours and row["max_backoff"] != MAX_BACKOFF:
                self._update("Manager", manager, {"max_backoff": MAX_BACKOFF}, "manager's max_backoff")

    # ---- bridges
    def bridges(self) -> None:
        for name in (BR_INT, BR_TUN):
            self._ours(name)
        for name in self.wish.externals:
            if self.layout.bridge(name) is None:  # one that is there keeps all that it has
                self._make(name, {"fail_mode": "standalone"})

    def _ours(self, name: str) -> None:
        bridge = self.layout.bridge(name)
        settings = {"disable-in-band": "true"}
        if bridge is None:
            columns = {"fail_mode": "secure", "protocols": "OpenFlow15", "other_config": _map(settings)}
            self._make(name, columns | {"controller": self._controller()})
            return
        columns = {}
        if bridge["fail_mode"] != "secure":
            columns["fail_mode"] = "secure"
        if "OpenFlow15" not in bridge["protocols"]:
            columns["protocols"] = _set([*bridge["protocols"], "OpenFlow15"])
        if bridge["other_config"].get("disable-in-band") != "true":
            columns["other_config"] = _map(bridge["other_config"] | settings)
        controllers = bridge["controller"]
        ours = [id for id in controllers if self.layout.row("Controller", id)["target"] == self.wish.controller]
        if not ours:
            columns["controller"] = self._controller()
        else:
            if len(controllers) > 1:
                columns["controller"] = _set([_uuid(ours[0])])
            if self.layout.row("Controller", ours[0])["max_backoff"] != MAX_BACKOFF:
                self._update("Controller", ours[0], {"max_backoff": MAX_BACKOFF}, f"{name}: controller's max_backoff")
        if columns:
            self._update("Bridge", self.layout.bridges[name], columns, f"{name}: {', '.join(columns)}")

    def _controller(self) -> Ref:
        return self._insert("Controller", {"target": self.wish.controller, "max_backoff": MAX_BACKOFF})

    def _make(self, name: str, columns: dict[str, Any]) -> None:
        self.what.append(f"{name}: made")
        self._new_bridges[name] = columns | {"name": name, "datapath_type": self.wish.datapath_type}
        self._new_ports[name] = [self._port(name, {"type": "internal"})]

    # ---- ports
    def ports(self, wanted: Iterable[OwnPort]) -> None:
        for own in wanted:
            self._own(own)

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            if (place := self.layout.place(name)) is not None:
                self.what.append(f"{name}: removed")
                self._lost_ports.setdefault(place, []).append(_uuid(self.layout.ports[name]))

    def _own(self, own: OwnPort) -> None:
        layout = self.layout
        place = layout.place(own.name)
        interface = layout.interface(own.name)
        if misplaced(layout, own):
            return
        if place is not None:
            port = layout.ports[own.name]
            if layout.row("Port", port)["interfaces"] != (layout.interface_ids.get(own.name),) or interface is None:
                self.what.append(f"{own.name}: made anew, its interfaces were others")
                self._lost_ports.setdefault(place, []).append(_uuid(port))
            else:
                if place != own.bridge:
                    self.what.append(f"{own.name}: moved from {place} to {own.bridge}")
                    self._lost_ports.setdefault(place, []).append(_uuid(port))
                    self._new_ports.setdefault(own.bridge, []).append(_uuid(port))
                columns: dict[str, Any] = {}
                if interface["type"] != own.type:
                    columns["type"] = own.type
                for column, pairs in (("options", own.options), ("external_ids", own.external_ids)):
                    if not pairs.items() <= interface[column].items():
                        columns[column] = _map(interface[column] | pairs)
                if own.bfd is not None and interface["bfd"] != own.bfd:
                    columns["bfd"] = _map(own.bfd)
                if own.ofport is not None and interface["ofport_request"] != own.ofport:
                    columns["ofport_request"] = own.ofport
                if columns:
                    id = layout.interface_ids[own.name]
                    self._update("Interface", id, columns, f"{own.name}: {', '.join(columns)}")
                return
        else:
            self.what.append(f"{own.name}: made")
        wanted: dict[str, Any] = {
            "type": own.type,
            "options": _map(own.options),
            "external_ids": _map(own.external_ids),
            "bfd": _map(own.bfd or {}),
        }
        if own.ofport is not None:
            wanted["ofport_request"] = own.ofport
        self._new_ports.setdefault(own.bridge, []).append(self._port(own.name, wanted))

    def _port(self, name: str, interface: dict[str, Any]) -> Ref:
        return self._insert("Port", {"name": name, "interfaces": self._insert("Interface", {"name": name} | interface)})

    # ---- operations
    def finish(self) -> None:
        made = []
        for name, columns in self._new_bridges.items():
            made.append(self._insert("Bridge", columns | {"ports": _set(self._new_ports.pop(name))}))
        if made and self.layout.switch is not None:
            self._mutate("Open_vSwitch", self.layout.switch[0], ["bridges", "insert", _set(made)])
        for name, refs in self._lost_ports.items():
            self._mutate("Bridge", self.layout.bridges[name], ["ports", "delete", _set(refs)])
        for name, refs in self._new_ports.items():
            self._mutate("Bridge", self.layout.bridges[name], ["ports", "insert", _set(refs)])

    def _insert(self, table: str, row: dict[str, Any]) -> Ref:
        name = next(self._names)
        self.operations.append({"op": "insert", "table": table, "row": row, "uuid-name": name})
        return ["named-uuid", name]

    def _update(self, table: str, id: str, row: dict[str, Any], what: str) -> None:
        self.what.append(what)
        self.operations.append({"op": "update", "table": table, "where": where(id), "row": row})

    def _mutate(self, table: str, id: str, *mutations: list[Any]) -> None:
        self.operations.append({"op": "mutate", "table": table, "where": where(id), "mutations": [*mutations]})


def unwanted(layout: Layout, wanted: Iterable[OwnPort], made: Callable[[Row], object]) -> list[str]:
    """Ports that none of those wanted is, in order, by name. ``made``: is it an interface of a kind that we make?"""
    found = []
    for name in sorted(layout.own - {own.name for own in wanted}):
        interface = layout.interface(name)
        alone = layout.row("Port", layout.ports[name])["interfaces"] == (layout.interface_ids.get(name),)
        if alone and interface is not None and made(interface):
            found.append(name)
    return found


def misplaced(layout: Layout, own: OwnPort) -> bool:
    """Is the name taken by a port of another kind, on a bridge where it can't be one of ours?"""
    place, interface = layout.place(own.name), layout.interface(own.name)
    return place not in (None, own.bridge) and (interface is None or interface["type"] != own.type)


def where(id: str) -> list[Any]:
    return [["_uuid", "==", ["uuid", id]]]


def _uuid(id: str) -> Ref:
    return ["uuid", id]


def _set(elements: Iterable[Any]) -> list[Any]:
    return ["set", list(elements)]


def _map(pairs: Any) -> list[Any]:
    return ["map", [[key, value] for key, value in pairs.items()]]
