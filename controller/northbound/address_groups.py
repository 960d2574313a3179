"""Address groups: prefixes under one name, and what may be asked of them."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from controller.model import AddressGroup
from controller.northbound import body, values
from controller.northbound.attributes import Attribute, Rule, attributes
from controller.northbound.collection import Collection
from controller.northbound.draft import Draft, new_id
from controller.northbound.faults import HTTPBadRequest
from controller.northbound.index import Index
from controller.northbound.rest import Methods, Rest
from controller.northbound.security_faults import (
    AddressesAlreadyExist,
    AddressesNotFound,
    AddressGroupInUse,
    AddressGroupNotFound,
)
from controller.northbound.writer import Writer

ADDRESSES = "addresses"
ADD, REMOVE = "add_addresses", "remove_addresses"


class AddressGroups(Collection[AddressGroup]):
    name = "address_group"
    plural = "address_groups"
    kind = AddressGroup
    missing = AddressGroupNotFound

    def __init__(self, index: Index) -> None:
        super().__init__(index.address_groups, address_group_attributes())

    def create(self, draft: Draft, given: dict[str, Any]) -> AddressGroup:
        group = AddressGroup(
            id=new_id(),
            number=draft.group_number(addresses=True),
            created_at=draft.now,
            updated_at=draft.now,
            **self.fields(given),
        )
        return draft.insert(group)

    def update(self, draft: Draft, old: AddressGroup, given: dict[str, Any]) -> AddressGroup:
        return self.changed(draft, old, self.fields(given))

    def delete(self, draft: Draft, old: AddressGroup) -> None:
        if draft.index.rules_naming.get(old.id):
            raise AddressGroupInUse(id=old.id)
        draft.delete(old)

    def add(self, draft: Draft, old: AddressGroup, addresses: tuple[str, ...]) -> AddressGroup:
        held = [each for each in addresses if each in old.addresses]
        if held:
            raise AddressesAlreadyExist(addresses=held, id=old.id)
        return self.changed(draft, old, {ADDRESSES: old.addresses + addresses})

    def remove(self, draft: Draft, old: AddressGroup, addresses: tuple[str, ...]) -> AddressGroup:
        absent = [each for each in addresses if each not in old.addresses]
        if absent:
            raise AddressesNotFound(addresses=absent, id=old.id)
        return self.changed(draft, old, {ADDRESSES: tuple(each for each in old.addresses if each not in addresses)})


def address_group_attributes() -> dict[str, Attribute]:
    rules = {
        "description": Rule(values.text(1024)),
        ADDRESSES: Rule(_prefixes, filter=False, sort=False, put=False),
        "shared": Rule(get=lambda _: False, filter=False, sort=False, type=bool),
    }
    return attributes(AddressGroup, rules, without=("number",))


def _prefixes(value: Any) -> tuple[str, ...]:
    """A list of prefixes, each once in its canonical form; null is the empty one."""
    return () if value is None else tuple(dict.fromkeys(map(values.prefix, values.different(value))))


def _prefixes_or_addresses(value: Any) -> tuple[str, ...]:
    """As `_prefixes`; an address alone is the prefix of that address."""
    if isinstance(value, list):
        value = [_with_length(each) for each in value]
    return _prefixes(value)


def _with_length(value: Any) -> Any:
    try:
        address = values.ip_address(value)
    except values.Reason:
        return value
    return f"{address}/{128 if ':' in address else 32}"


class AddressGroupRest(Rest[AddressGroup]):
    """An address group's addresses change by two requests of their own."""

    def __init__(self, groups: AddressGroups, writer: Writer) -> None:
        super().__init__(groups, writer)
        self.groups = groups

    def routes(self) -> list[BaseRoute]:
        base = f"/v2.0/{self.collection.path}/{{id}}"
        return [
            *super().routes(),
            Route(f"{base}/{ADD}", Methods(PUT=self.add)),
            Route(f"{base}/{REMOVE}", Methods(PUT=self.remove)),
        ]

    async def add(self, request: Request) -> Response:
        return await self._change(request, self.groups.add)

    async def remove(self, request: Request) -> Response:
        return await self._change(request, self.groups.remove)

    async def _change(
        self, request: Request, change: Callable[[Draft, AddressGroup, tuple[str, ...]], AddressGroup]
    ) -> Response:
        id = request.path_params["id"]
        given = await body.read(request)
        if not isinstance(given, dict) or set(given) != {ADDRESSES}:
            raise HTTPBadRequest(f"The body must be an object with '{ADDRESSES}' only")
        try:
            addresses = _prefixes_or_addresses(given[ADDRESSES])
        except values.Reason as reason:
            raise HTTPBadRequest(f"Invalid input for {ADDRESSES}. Reason: {reason}.") from None
        changed = await self.writer.write(lambda draft: change(draft, self.groups.find(id), addresses))
        return self._one(self.groups.rows.get(id, changed))
