"""The rules that a new security group has, and the default group of each project, which is there on first use."""

import uuid
from functools import lru_cache
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from controller.model import SecurityGroup, SecurityGroupRule
from controller.model.resource import Resource
from controller.model.security_group import EGRESS, INGRESS
from controller.northbound import values
from controller.northbound.draft import Draft, new_id
from controller.northbound.rest import Rest

R = TypeVar("R", bound=Resource)

NAME = "default"
ETHERTYPES = ("IPv4", "IPv6")
_NAMESPACE = uuid.UUID("c6c5e1f0-9f5c-4f0e-8a53-7c0b5d1a4e2d")


@lru_cache(maxsize=4096)
def default_group_id(project_id: str) -> str:
    """The same wherever it is asked for, so that two processes can't make two default groups of one project."""
    return str(uuid.uuid5(_NAMESPACE, project_id))


def default_group(draft: Draft, project_id: str) -> str:
    """The id of the project's default group, which the draft makes when there is none."""
    id = default_group_id(project_id)
    if id not in draft.index.security_groups and not draft.inserts(id):
        group = SecurityGroup(
            id=id,
            number=draft.group_number(),
            name=NAME,
            description="Default security group",
            project_id=project_id,
            created_at=draft.now,
            updated_at=draft.now,
        )
        insert_group(draft, group)
        for ethertype in ETHERTYPES:
            _insert_rule(draft, group, INGRESS, ethertype, remote_group_id=id)
    return id


def insert_group(draft: Draft, group: SecurityGroup) -> SecurityGroup:
    """The group with the rules that every new group has: its members may send anything."""
    draft.insert(group)
    for ethertype in ETHERTYPES:
        _insert_rule(draft, group, EGRESS, ethertype)
    return group


def _insert_rule(
    draft: Draft, group: SecurityGroup, direction: str, ethertype: str, remote_group_id: str | None = None
) -> None:
    rule = SecurityGroupRule(
        id=new_id(),
        project_id=group.project_id,
        security_group_id=group.id,
        direction=direction,
        ethertype=ethertype,
        remote_group_id=remote_group_id,
        created_at=draft.now,
        updated_at=draft.now,
    )
    draft.insert(rule)


class DefaultGroupRest(Rest[R]):
    """Where a list is for a project, the project's default group is made first."""

    async def many(self, request: Request) -> Response:
        project_id = _project(request)
        writer = self.writer
        # A list is readable while the database is away: then the group has to wait.
        if project_id and default_group_id(project_id) not in writer.index.security_groups and writer.store.connected:
            await writer.write(lambda draft: default_group(draft, project_id))
        return await super().many(request)


def _project(request: Request) -> str:
    query = request.query_params
    asked = query.get("project_id") or query.get("tenant_id") or request.headers.get("x-project-id", "")
    try:
        return values.short_text(asked)
    except values.Reason:
        return ""
