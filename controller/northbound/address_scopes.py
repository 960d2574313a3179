"""Address scopes: which prefixes are one address space, and what may be asked of them."""

from typing import Any

from controller.model import AddressScope
from controller.northbound import values
from controller.northbound.attributes import Attribute, Rule, attributes
from controller.northbound.collection import Collection
from controller.northbound.draft import Draft, new_id
from controller.northbound.index import Index
from controller.northbound.pool_faults import AddressScopeInUse, AddressScopeNotFound, AddressScopeUpdateError

NOT_STANDARD = ("description", "created_at", "updated_at", "revision_number", "tags")
"""What every other resource has: the API's definition of address scopes is from before."""


class AddressScopes(Collection[AddressScope]):
    name = "address_scope"
    plural = "address_scopes"
    kind = AddressScope
    missing = AddressScopeNotFound

    def __init__(self, index: Index) -> None:
        super().__init__(index.address_scopes, address_scope_attributes())

    def create(self, draft: Draft, given: dict[str, Any]) -> AddressScope:
        return draft.insert(AddressScope(id=new_id(), created_at=draft.now, updated_at=draft.now, **self.fields(given)))

    def update(self, draft: Draft, old: AddressScope, given: dict[str, Any]) -> AddressScope:
        if old.shared and given.get("shared") is False:
            raise AddressScopeUpdateError("Shared address scope can't be unshared", id=old.id)
        return self.changed(draft, old, self.fields(given))

    def delete(self, draft: Draft, old: AddressScope) -> None:
        if draft.index.pools_in.get(old.id):
            raise AddressScopeInUse(id=old.id)
        draft.delete(old)


def address_scope_attributes() -> dict[str, Attribute]:
    rules = {
        "ip_version": Rule(values.one_of((4, 6), values.integer), matches=values.integer),
        "shared": Rule(values.boolean, matches=values.boolean),
    }
    return attributes(AddressScope, rules, without=NOT_STANDARD)
