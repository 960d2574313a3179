"""The attributes of a resource: derived from its record, with what the record does not say.

A record's columns give the names, which of them may be given (POST) and changed (PUT), and the defaults. `Rule` adds
the check of the value and what may be filtered and sorted by. Attributes that are no column have a rule with `get`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from controller.model import Record, columns
from controller.northbound import values
from controller.northbound.values import Check

Find = Callable[[str], Iterable[str]]


class Rule(msgspec.Struct, frozen=True):
    check: Check | None = None
    """What a given value may be; without one the attribute is read only."""
    get: Callable[[Any], Any] | None = None
    """The value as shown, from the record; the column itself without it."""
    filter: bool = True
    sort: bool = True
    matches: Check | None = None
    """What the text of a filter is turned to before it is compared; text without it."""
    find: Find | None = None
    """Ids of the records that a filter's text fits, where an index knows them: then no record is looked at."""
    visible: bool = True
    sparse: bool = False
    """Shown only where it has something to say."""
    post: bool | UnsetType = UNSET
    put: bool | UnsetType = UNSET
    required: bool | UnsetType = UNSET
    type: Any = UNSET
    """Type as shown, for OpenAPI, where it is not the column's."""


class Attribute(msgspec.Struct, frozen=True):
    """One attribute of a resource, complete."""

    name: str
    field: str
    """The record's field that holds it; empty for one that is computed."""
    type: Any
    get: Callable[[Any], Any]
    check: Check
    post: bool
    put: bool
    required: bool
    visible: bool
    sparse: bool
    filter: bool
    sort: bool
    matches: Check
    find: Find | None


def _as_text(value: Any) -> str:
    return str(value)


def _no_check(value: Any) -> Any:
    return value


def _column_getter(field: str) -> Callable[[Any], Any]:
    return lambda record: getattr(record, field)


STANDARD: dict[str, Rule] = {
    "id": Rule(),
    "name": Rule(values.name),
    "project_id": Rule(values.short_text),
    "description": Rule(values.short_text, sort=False),
    "created_at": Rule(filter=False, sort=False),
    "updated_at": Rule(filter=False, sort=False),
    "revision_number": Rule(sort=False, matches=values.integer),
    "tags": Rule(sort=False),
}
"""Of every resource (neutron: ``standard_attr``)."""

TAG_FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")
"""Filters by tag; each takes a comma-separated list."""


def attributes(kind: type[Record], rules: Mapping[str, Rule], without: Collection[str] = ()) -> dict[str, Attribute]:
    """API name -> attribute, columns first. ``tenant_id`` follows ``project_id`` as its other name.

    The API knows nothing of the columns `without`.
    """
    rules = {**STANDARD, **rules}
    defaults = {field.name: field for field in msgspec.structs.fields(kind)}
    answer: dict[str, Attribute] = {}
    for field, (hint, column) in columns(kind).items():
        name = column.api or field
        if name in without:
            continue
        rule = rules.pop(name, None)
        if rule is None:
            raise TypeError(f"{kind.__name__}.{field} has no rule for the API")
        post = column.post if rule.post is UNSET else rule.post
        required = post and defaults[field].required if rule.required is UNSET else rule.required
        answer[name] = Attribute(
            name=name,
            field=field,
            type=hint if rule.type is UNSET else rule.type,
            get=rule.get or _column_getter(field),
            check=rule.check or _no_check,
            post=post,
            put=column.put if rule.put is UNSET else rule.put,
            required=required,
            visible=rule.visible,
            sparse=rule.sparse,
            filter=rule.filter,
            sort=rule.sort,
            matches=rule.matches or _as_text,
            find=rule.find,
        )
        if name == "project_id":
            answer["tenant_id"] = msgspec.structs.replace(answer[name], name="tenant_id")
    return answer | computed({name: rule for name, rule in rules.items() if name not in without})


def computed(rules: Mapping[str, Rule]) -> dict[str, Attribute]:
    """Attributes that are no column: all of what they are stands in the rule."""
    return {
        name: Attribute(
            name=name,
            field="",
            type=Any if rule.type is UNSET else rule.type,
            get=rule.get or _no_check,
            check=rule.check or _no_check,
            post=rule.post is True,
            put=rule.put is True,
            required=rule.required is True,
            visible=rule.visible,
            sparse=rule.sparse,
            filter=rule.filter,
            sort=rule.sort,
            matches=rule.matches or _as_text,
            find=rule.find,
        )
        for name, rule in rules.items()
    }


def shown(attributes: Mapping[str, Attribute], record: Any) -> dict[str, Any]:
    """API name -> value, as answered."""
    answer = {}
    for name, attribute in attributes.items():
        if attribute.visible:
            value = attribute.get(record)
            if value or not attribute.sparse:
                answer[name] = value
    return answer
