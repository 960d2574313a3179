"""Lists: which records, in what order, which page of them, and which of their attributes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from controller.northbound.attributes import TAG_FILTERS, Attribute
from controller.northbound.faults import BadRequest, Fault, HTTPBadRequest, InvalidInput
from controller.northbound.values import Reason, ip_address

R = TypeVar("R")
Params = Sequence[tuple[str, str]]
Test = Callable[[Any], bool]

NOT_FILTERS = ("fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse")


class Query(msgspec.Struct, frozen=True):
    tests: tuple[Test, ...] = ()
    """All of them must pass."""
    ids: frozenset[str] | None = None
    """Only these, where the request names ids."""
    sorts: tuple[tuple[Attribute, bool], ...] = ()
    """Attribute, ascending; the id decides last."""
    fields: tuple[str, ...] = ()
    """Only these attributes; all when empty."""
    limit: int = 0
    marker: str = ""
    reverse: bool = False


def parse(attributes: Mapping[str, Attribute], params: Params) -> Query:
    """The query of a list request, from its parameters in their order."""
    by_name: dict[str, list[str]] = {}
    for name, value in params:
        by_name.setdefault(name, []).append(value)
    tests, ids = _filters(attributes, {name: by_name[name] for name in by_name if name not in NOT_FILTERS})
    limit = _limit(by_name.get("limit", ["0"])[-1])
    return Query(
        tests=tests,
        ids=ids,
        sorts=_sorts(attributes, by_name),
        fields=tuple(name for name in dict.fromkeys(by_name.get("fields", ())) if name),
        limit=limit,
        marker=by_name.get("marker", [""])[-1] if limit else "",
        reverse=by_name.get("page_reverse", [""])[-1].lower() == "true",
    )


def select(query: Query, rows: Mapping[str, R], missing: type[Fault]) -> list[R]:
    """The page of `rows` (id -> record) that the query asks for."""
    if query.marker and query.marker not in rows:
        raise missing(id=query.marker)
    if query.ids is None:
        found: Iterable[str] = rows
    else:
        found = (id for id in query.ids if id in rows)
    if query.tests:
        found = [id for id in found if all(test(rows[id]) for test in query.tests)]
    ordered = sorted(found)
    marker_at = len(ordered) if query.reverse else 0
    if query.marker:
        # The marker has its place in the order even when the filters leave it out.
        inside = query.marker in ordered
        ordered = ordered if inside else sorted([*ordered, query.marker])
        ordered = _sort(query, ordered, rows)
        marker_at = ordered.index(query.marker)
        if not inside:
            del ordered[marker_at]
        elif not query.reverse:
            marker_at += 1
    else:
        ordered = _sort(query, ordered, rows)
    if query.limit:
        ordered = (
            ordered[max(0, marker_at - query.limit) : marker_at]
            if query.reverse
            else ordered[marker_at : marker_at + query.limit]
        )
    return [rows[id] for id in ordered]


def links(url: str, params: Params, query: Query, page: Sequence[Any]) -> list[dict[str, str]]:
    """Where the pages beside this one are."""
    if not query.limit:
        return []
    rest = [(name, value) for name, value in params if name not in ("marker", "page_reverse")]
    answer = []
    if query.reverse or len(page) == query.limit:
        marker = [("marker", page[-1].id)] if page else []
        answer.append({"rel": "next", "href": f"{url}?{urlencode(rest + marker)}"})
    if not query.reverse or len(page) == query.limit:
        marker = [("marker", page[0].id)] if page else []
        answer.append({"rel": "previous", "href": f"{url}?{urlencode([*rest, *marker, ('page_reverse', 'True')])}"})
    return answer


def _sort(query: Query, ids: list[str], rows: Mapping[str, Any]) -> list[str]:
    for attribute, ascending in reversed(query.sorts):

        def key(id: str, get: Callable[[Any], Any] = attribute.get) -> tuple[bool, Any]:
            value = get(rows[id])
            return value is not None, value

        ids = sorted(ids, key=key, reverse=not ascending)
    return ids


def _limit(value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    raise BadRequest(f"Limit must be an integer 0 or greater and not '{value}'", resource="limit")


def _sorts(attributes: Mapping[str, Attribute], by_name: Mapping[str, list[str]]) -> tuple[tuple[Attribute, bool], ...]:
    keys = [key for key in by_name.get("sort_key", ()) if key]
    directions = [direction for direction in by_name.get("sort_dir", ()) if direction]
    if len(keys) != len(directions):
        raise HTTPBadRequest("The number of sort_keys and sort_dirs must be same")
    absent = [key for key in keys if key not in attributes or not attributes[key].sort]
    if absent:
        raise HTTPBadRequest(f"{absent} is invalid attribute for sort_keys")
    invalid = [direction for direction in directions if direction not in ("asc", "desc")]
    if invalid:
        raise HTTPBadRequest(f"{invalid} is invalid value for sort_dirs, valid value is 'asc' and 'desc'")
    return tuple((attributes[key], way == "asc") for key, way in zip(keys, directions, strict=True))


def _filters(
    attributes: Mapping[str, Attribute], filters: Mapping[str, list[str]]
) -> tuple[tuple[Test, ...], frozenset[str] | None]:
    tagged = "tags" in attributes
    special = (*TAG_FILTERS, "changed_since") if tagged else ()
    invalid = [
        name for name in filters if name not in special and (name not in attributes or not attributes[name].filter)
    ]
    if invalid:
        raise HTTPBadRequest(f"{invalid} is invalid attribute for filtering")
    tests: list[Test] = []
    ids: frozenset[str] | None = None
    for name, wanted in filters.items():
        find = attributes[name].find if name in attributes else None
        if name == "id" or find is not None:
            found = frozenset(id for value in wanted for id in (find(value) if find else (value,)))
            ids = found if ids is None else ids & found
        elif name in TAG_FILTERS and tagged:
            tests.append(_tag_test(name, wanted))
        elif name == "changed_since" and tagged:
            tests.append(_since_test(wanted[0]))
        elif name == "fixed_ips":
            tests += _fixed_ip_tests(wanted)
        else:
            tests.append(_value_test(attributes[name], wanted))
    return tuple(tests), ids


def _value_test(attribute: Attribute, wanted: Sequence[str]) -> Test:
    get = attribute.get
    try:
        allowed = frozenset(attribute.matches(value) for value in wanted)
    except Reason as reason:
        raise InvalidInput(str(reason)) from None
    return lambda record: get(record) in allowed


def _tag_test(name: str, wanted: Sequence[str]) -> Test:
    tags = frozenset(tag for value in wanted for tag in value.split(","))
    if name == "tags":
        return lambda record: tags <= set(record.tags)
    if name == "tags-any":
        return lambda record: not tags.isdisjoint(record.tags)
    if name == "not-tags":
        return lambda record: not tags <= set(record.tags)
    return lambda record: tags.isdisjoint(record.tags)


def _since_test(wanted: str) -> Test:
    shape = "".join("0" if character.isdigit() else character for character in wanted)
    if shape != "0000-00-00T00:00:00Z":
        raise InvalidInput("The input changed_since must be in the following format: YYYY-MM-DDTHH:MM:SSZ")
    return lambda record: bool(record.updated_at >= wanted)


def _fixed_ip_tests(wanted: Sequence[str]) -> list[Test]:
    """``fixed_ips=ip_address=A``, ``ip_address_substr=A``, ``subnet_id=S``: values of one key are alternatives."""
    by_key: dict[str, set[str]] = {}
    for each in wanted:
        key, equals, value = (part.strip() for part in each.partition("="))
        if not equals or not key:
            raise InvalidInput(f"'{each}' is not of the form <key>=[value]")
        by_key.setdefault(key, set()).add(value)
    tests: list[Test] = []
    if addresses := {_canonical(value) for value in by_key.get("ip_address", ())}:
        tests.append(lambda port: any(each.ip_address in addresses for each in port.fixed_ips))
    if parts := by_key.get("ip_address_substr"):
        tests.append(lambda port: any(part in each.ip_address for each in port.fixed_ips for part in parts))
    if subnets := by_key.get("subnet_id"):
        tests.append(lambda port: any(each.subnet_id in subnets for each in port.fixed_ips))
    return tests


def _canonical(address: str) -> str:
    try:
        return ip_address(address)
    except Reason:
        return address
