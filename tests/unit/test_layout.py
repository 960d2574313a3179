"""A host's layout, followed change by change, is what one that reads all at once would find."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.ovsdb.replica import RowChange
from controller.southbound.kept import KINDS, PEERS, TAGS, ZONES
from controller.southbound.layout import Layout

Tables = dict[str, dict[str, dict[str, Any]]]
BRIDGES = ("br-int", "br-a", "br-b")
NAMES = ("bfd-60001", "bfd-60002", "patch-int-ex", "vm", "nic")
KEYS = ("tunbridge-tag-1", "tunbridge-tag-2", "tunbridge-tag-x", "tunbridge-zone-4096", "tunbridge-peer-60001", "mine")


@st.composite
def worlds(draw: st.DrawFn) -> Tables:
    """The tables at one moment. A row's name never changes; another row may have it later."""
    bridges = {f"{name} {draw(st.booleans())}": name for name in BRIDGES if draw(st.integers(0, 5))}
    place = {
        name: draw(st.sampled_from([*bridges][:1] * 3 + [*bridges]))
        for name in NAMES
        if bool(bridges) and draw(st.integers(0, 5))
    }
    ports = {name: f"{name} {draw(st.booleans())}" for name in place}
    # Usually a port's interface is the one of its own name.
    member = {name: draw(st.sampled_from([name, name, *place])) for name in place if draw(st.integers(0, 5))}
    rows = {name: f"{name} {draw(st.booleans())}" for name in member}
    return {
        "Bridge": {
            id: {
                "name": name,
                "ports": tuple(sorted(ports[port] for port, bridge in place.items() if bridge == id)),
                "external_ids": draw(st.dictionaries(st.sampled_from(KEYS), st.sampled_from("ab"))),
            }
            for id, name in bridges.items()
        },
        "Port": {
            id: {"name": name, "interfaces": tuple(sorted(rows[i] for i, port in member.items() if port == name))}
            for name, id in ports.items()
        },
        "Interface": {id: draw(interfaces(name)) for name, id in rows.items()},
    }


def interfaces(name: str) -> st.SearchStrategy[dict[str, Any]]:
    number = int(name.removeprefix("bfd-")) if name.startswith("bfd-") else 3
    options = {"peer": name.replace("bfd", "peer")}
    good = {
        "name": st.just(name),
        "type": st.just("patch"),
        "options": st.just(options),
        "ofport": st.just(number),
        "external_ids": st.sampled_from([{"tunbridge-peer": "p"}, {"tunbridge-peer": "q"}, {"iface-id": "p"}]),
        "link_state": st.sampled_from(["up", "down"]),
        "bfd_status": st.sampled_from([{"forwarding": "true"}, {"forwarding": "false", "flap_count": "2"}]),
    }
    other = good | {
        "type": st.sampled_from(["patch", "internal", ""]),
        "options": st.sampled_from([options, {}]),
        "ofport": st.sampled_from([number, None, -1, 60001]),
        "link_state": st.sampled_from(["up", None]),
        "bfd_status": st.sampled_from([{"forwarding": "true"}, {}]),
    }
    return st.one_of(st.fixed_dictionaries(good), st.fixed_dictionaries(other))


def seen(layout: Layout) -> dict[str, object]:
    return {
        "interfaces": layout.interfaces,
        "tags": layout.kept[TAGS],
        "live": layout.live,
        "met": layout.met,
        "own": layout.own,
        "connected": {bridge for bridge in BRIDGES if layout.connected(bridge)},
        "places": {name: bridge for name in NAMES if (bridge := layout.place(name))},
    }


def read(tables: Tables) -> dict[str, object]:
    """The same, from the rows as they are."""
    found = [
        (bridge["name"], interface)
        for bridge in tables["Bridge"].values()
        for port in bridge["ports"]
        for id in tables["Port"][port]["interfaces"]
        if (interface := tables["Interface"].get(id))
    ]
    inside = [row for bridge, row in found if bridge == "br-int" and (row["ofport"] or 0) > 0]
    ids: dict[str, str] = next(
        (row["external_ids"] for row in tables["Bridge"].values() if row["name"] == "br-int"), {}
    )
    ports = tables["Port"]
    interfaces: dict[str, int] = {}
    for row in inside:
        if (key := row["external_ids"].get("iface-id")) is not None:
            interfaces[key] = min(row["ofport"], interfaces.get(key, row["ofport"]))
    watched = [
        (row["external_ids"]["tunbridge-peer"], row["bfd_status"])
        for row in inside
        if row["name"] == f"bfd-{row['ofport']}" and row["type"] == "patch"
        if row["options"] == {"peer": f"peer-{row['ofport']}"} and "tunbridge-peer" in row["external_ids"]
    ]
    return {
        "interfaces": interfaces,
        "tags": {n: ids[f"tunbridge-tag-{n}"] for n in (1, 2) if f"tunbridge-tag-{n}" in ids},
        "live": {id for id, status in watched if status.get("forwarding") == "true"},
        "met": {id for id, status in watched if status.get("forwarding") == "true" or "flap_count" in status},
        "own": {port["name"] for port in ports.values() if port["name"] not in ("vm", "nic")},
        "connected": {
            bridge
            for bridge, row in found
            if row["link_state"] == "up" and row["type"] != "internal"
            if (row["name"], row["type"]) != ("patch-int-ex", "patch")
        },
        "places": {ports[id]["name"]: row["name"] for row in tables["Bridge"].values() for id in row["ports"]},
    }


@given(st.lists(worlds(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_following_is_reading_anew(moments: list[Tables], order: Any) -> None:
    tables: Tables = {"Bridge": {}, "Port": {}, "Interface": {}}
    layout = Layout(tables)
    for moment in moments:
        before = seen(layout)
        changes = [
            RowChange(table, id, rows.get(id), moment[table].get(id))
            for table, rows in tables.items()
            for id in sorted(rows.keys() | moment[table].keys())
            if rows.get(id) != moment[table].get(id)
        ]
        order.shuffle(changes)
        for table, rows in tables.items():
            rows.clear()
            rows |= moment[table]
        layout.apply(changes)
        now = seen(layout)
        assert now == read(moment)
        for fact in ("interfaces", "live"):
            assert (now[fact] is before[fact]) == (now[fact] == before[fact]), "replaced just when it differs"


def test_numbers_in_range_count() -> None:
    assert [kind.number(f"{kind.prefix}{n}") for kind in KINDS for n in (kind.first, kind.last)] == [
        1, 4094, 4096, 65535, 60001, 64999,
    ]  # fmt: skip
    assert (
        TAGS.number("tunbridge-tag-4095") == ZONES.number("tunbridge-zone-4095") == PEERS.number("tunbridge-tag-1") == 0
    )
