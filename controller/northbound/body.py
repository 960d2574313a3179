"""What a request's body says, checked attribute by attribute."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request

from controller.northbound.attributes import Attribute
from controller.northbound.faults import HTTPBadRequest, HTTPRequestEntityTooLarge, HTTPUnsupportedMediaType
from controller.northbound.values import Reason

MAX_BODY = 1 << 20
"""Bytes: a bulk request of a few thousand ports."""


async def read(request: Request) -> Any:
    """The JSON of the request's body; None when there is none.

    The content type is asked for because a web page may send anything else to us from a visitor's browser without
    asking the browser's leave.
    """
    body = bytearray()
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MAX_BODY:
        raise HTTPRequestEntityTooLarge(limit=MAX_BODY)
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise HTTPRequestEntityTooLarge(limit=MAX_BODY)
    if not body:
        return None
    given = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if given != "application/json":
        raise HTTPUnsupportedMediaType(given=given)
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise HTTPBadRequest("Body contains invalid data") from None


def items(body: Any, name: str, plural: str, *, bulk: bool) -> tuple[list[dict[str, Any]], bool]:
    """What the body holds under the resource's name, or under its plural; and whether it was the plural."""
    if body is None:
        raise HTTPBadRequest(f"Unable to find '{name}' in request body")
    if not isinstance(body, dict):
        raise HTTPBadRequest("Body contains invalid data")
    if plural in body:
        if not bulk:
            raise HTTPBadRequest("Bulk operation not supported")
        if not body[plural]:
            raise HTTPBadRequest("Resources required")
        if not isinstance(body[plural], list):
            raise HTTPBadRequest("Body contains invalid data")
        wrapped = [each if isinstance(each, dict) and name in each else {name: each} for each in body[plural]]
        return [_item(each, name) for each in wrapped], True
    return [_item(body, name)], False


def _item(body: dict[str, Any], name: str) -> dict[str, Any]:
    item = body.get(name)
    if item is None:
        raise HTTPBadRequest(f"Unable to find '{name}' in request body")
    if not isinstance(item, dict):
        raise HTTPBadRequest(f"Object '{name}' contains invalid data")
    return item


def checked(
    item: dict[str, Any], attributes: Mapping[str, Attribute], *, project_id: str | None = None, create: bool
) -> dict[str, Any]:
    """API name -> checked value, of what was given. ``tenant_id`` is folded into ``project_id``, which at creation
    is `project_id` when it was not given."""
    if "tenant_id" in item:
        if item.get("project_id", item["tenant_id"]) != item["tenant_id"]:
            raise HTTPBadRequest("'project_id' and 'tenant_id' do not match")
        item["project_id"] = item.pop("tenant_id")
    if create and project_id is not None:
        item.setdefault("project_id", project_id)
    unknown = item.keys() - attributes.keys()
    if unknown:
        raise HTTPBadRequest(f"Unrecognized attribute(s) '{', '.join(sorted(unknown))}'")
    for name, attribute in attributes.items():
        if create and attribute.required and name not in item:
            raise HTTPBadRequest(f"Failed to parse request. Required attribute '{name}' not specified")
        if name in item and create and not attribute.post:
            raise HTTPBadRequest(f"Attribute '{name}' not allowed in POST")
        if name in item and not create and not attribute.put:
            raise HTTPBadRequest(f"Cannot update read-only attribute {name}")
    answer = {}
    for name, value in item.items():
        try:
            answer[name] = attributes[name].check(value)
        except Reason as reason:
            raise HTTPBadRequest(f"Invalid input for {name}. Reason: {reason}.") from None
    return answer
