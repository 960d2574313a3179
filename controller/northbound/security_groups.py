"""Security groups: what may be asked of them. What they allow is in their rules."""

from typing import Any

import msgspec

from controller.model import SecurityGroup
from controller.northbound import values
from controller.northbound.attributes import Attribute, Rule, attributes
from controller.northbound.collection import Collection
from controller.northbound.default_group import NAME, default_group, default_group_id, insert_group
from controller.northbound.draft import Draft, new_id
from controller.northbound.index import Index
from controller.northbound.security_faults import (
    SecurityGroupCannotRemoveDefault,
    SecurityGroupCannotUpdateDefault,
    SecurityGroupDefaultAlreadyExists,
    SecurityGroupInUse,
    SecurityGroupNotFound,
)
from controller.northbound.security_group_rules import SecurityGroupRules, drop_rule


class SecurityGroups(Collection[SecurityGroup]):
    name = "security_group"
    plural = "security_groups"
    kind = SecurityGroup
    missing = SecurityGroupNotFound

    def __init__(self, index: Index, rules: SecurityGroupRules) -> None:
        super().__init__(index.security_groups, security_group_attributes(rules))

    def create(self, draft: Draft, given: dict[str, Any]) -> SecurityGroup:
        group = SecurityGroup(
            id=new_id(),
            number=draft.group_number(),
            created_at=draft.now,
            updated_at=draft.now,
            **self.fields(given),
        )
        default_group(draft, group.project_id)
        return insert_group(draft, group)

    def update(self, draft: Draft, old: SecurityGroup, given: dict[str, Any]) -> SecurityGroup:
        if given.get("stateful", old.stateful) != old.stateful and draft.index.members.get(old.id):
            raise SecurityGroupInUse(id=old.id)
        if "name" in given and _is_default(old):
            raise SecurityGroupCannotUpdateDefault
        return self.changed(draft, old, self.fields(given))

    def delete(self, draft: Draft, old: SecurityGroup) -> None:
        """Its rules go with it, and so do the rules of other groups that name it as remote group."""
        index = draft.index
        if index.members.get(old.id):
            raise SecurityGroupInUse(id=old.id)
        if _is_default(old):
            raise SecurityGroupCannotRemoveDefault
        own = index.rules_of.get(old.id, set())
        for rule_id in own:
            draft.delete(index.security_group_rules[rule_id])
        for rule_id in index.rules_naming.get(old.id, set()) - own:
            drop_rule(draft, index.security_group_rules[rule_id])
        draft.delete(old)


def security_group_attributes(group_rules: SecurityGroupRules) -> dict[str, Attribute]:
    def own_rules(group: SecurityGroup) -> msgspec.Raw:
        return msgspec.Raw(group_rules.encode_all(group_rules.of(group.id)))

    rules = {
        "name": Rule(_name),
        "stateful": Rule(values.boolean, sort=False, matches=values.boolean),
        "shared": Rule(get=lambda _: False, sort=False, matches=values.boolean, type=bool),
        "security_group_rules": Rule(get=own_rules, filter=False, sort=False, type=list[dict[str, Any]]),
    }
    return attributes(SecurityGroup, rules, without=("number",))


def _name(value: Any) -> str:
    name = values.name(value)
    if name.lower() == NAME:
        raise SecurityGroupDefaultAlreadyExists
    return name


def _is_default(group: SecurityGroup) -> bool:
    return group.id == default_group_id(group.project_id)
