"""The API's description, made of the attributes that it checks requests against."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from controller.northbound.attributes import Attribute
from controller.northbound.collection import Collection

Json = dict[str, Any]

COMMON = {"limit": "integer", "marker": "string", "page_reverse": "boolean"}
ERROR = {
    "type": "object",
    "required": ["NeutronError"],
    "properties": {
        "NeutronError": {
            "type": "object",
            "required": ["type", "message", "detail"],
            "properties": {name: {"type": "string"} for name in ("type", "message", "detail")},
        }
    },
}


def document(collections: Iterable[Collection[Any]], agents: Mapping[str, Attribute]) -> Json:
    """OpenAPI 3.1."""
    schemas: Json = {"Error": ERROR}
    paths: Json = {}
    for collection in collections:
        name, plural, attributes = collection.name, collection.plural, collection.attributes
        title = name.title().replace("_", "")
        shown = [each for each in attributes.values() if each.visible]
        given = [each for each in attributes.values() if each.post]
        _add(schemas, title, shown, [each.name for each in shown if not each.sparse])
        _add(schemas, f"{title}Create", given, [each.name for each in given if each.required])
        _add(schemas, f"{title}Update", [each for each in attributes.values() if each.put], [])
        path, label, labels = f"/v2.0/{collection.path}", name.replace("_", " "), plural.replace("_", " ")
        one, many = {name: _ref(title)}, {plural: {"type": "array", "items": _ref(title)}}
        creates = {"anyOf": [_object({name: _ref(f"{title}Create")}), _object({plural: _array(f"{title}Create")})]}
        within = [_path(each) for each in re.findall(r"{(\w+)}", path)]
        paths[path] = {
            **({"parameters": within} if within else {}),
            "get": _operation(f"List {labels}", 200, _object(many), _list_parameters(attributes)),
            "post": _operation(f"Create a {label}, or several", 201, {"anyOf": [_object(one), _object(many)]})
            | _body(creates),
        }
        paths[f"{path}/{{id}}"] = {
            "parameters": [*within, _path("id")],
            "get": _operation(f"Show a {label}", 200, _object(one)),
            "put": _operation(f"Change a {label}", 200, _object(one)) | _body(_object({name: _ref(f"{title}Update")})),
            "delete": _operation(f"Delete a {label}", 204, None),
        }
        if "tags" not in attributes or not collection.tagged:
            continue
        tags = _object({"tags": {"type": "array", "items": {"type": "string"}}})
        paths[f"{path}/{{id}}/tags"] = {
            "parameters": [_path("id")],
            "get": _operation(f"List the tags of a {label}", 200, tags),
            "post": _operation("Add tags", 200, tags) | _body(tags),
            "put": _operation("Replace all tags", 200, tags) | _body(tags),
            "delete": _operation("Remove all tags", 204, None),
        }
        paths[f"{path}/{{id}}/tags/{{tag}}"] = {
            "parameters": [_path("id"), _path("tag")],
            "get": _operation("Ask for a tag", 204, None),
            "put": _operation("Add a tag", 201, {"type": "null"}),
            "delete": _operation("Remove a tag", 204, None),
        }
    addresses = _object({"addresses": {"type": "array", "items": {"type": "string"}}})
    for action, summary in (("add_addresses", "Add addresses"), ("remove_addresses", "Remove addresses")):
        paths[f"/v2.0/address-groups/{{id}}/{action}"] = {
            "parameters": [_path("id")],
            "put": _operation(summary, 200, _object({"address_group": _ref("AddressGroup")})) | _body(addresses),
        }
    _add_router_actions(paths)
    _add(schemas, "Agent", agents.values(), list(agents))
    paths["/v2.0/agents"] = {
        "get": _operation("List agents", 200, _object({"agents": _array("Agent")}), _list_parameters(agents))
    }
    paths["/v2.0/agents/{id}"] = {
        "parameters": [_path("id")],
        "get": _operation("Show an agent", 200, _object({"agent": _ref("Agent")})),
        "delete": _operation("Forget a host that is gone", 204, None),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tunbridge: OpenStack Networking API v2.0", "version": _version()},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _add_router_actions(paths: Json) -> None:
    """What changes a router besides its own attributes."""
    text = {"type": "string"}
    port_or_subnet = {"type": "object", "properties": {"subnet_id": text, "port_id": text}}
    interface = _object(
        dict.fromkeys(("id", "tenant_id", "port_id", "network_id", "subnet_id"), text)
        | {"subnet_ids": {"type": "array", "items": text}}
    )
    router, routes = _object({"router": _ref("Router")}), _object({"routes": _array("Route")})
    for action, summary, given, answer in (
        ("add_router_interface", "Add an interface", port_or_subnet, interface),
        ("remove_router_interface", "Remove an interface", port_or_subnet, interface),
        ("add_extraroutes", "Add routes", _object({"router": routes}), router),
        ("remove_extraroutes", "Remove routes", _object({"router": routes}), router),
    ):
        paths[f"/v2.0/routers/{{id}}/{action}"] = {
            "parameters": [_path("id")],
            "put": _operation(summary, 200, answer) | _body(given),
        }


def _version() -> str:
    try:
        return version("tunbridge")
    except PackageNotFoundError:
        return "0"


def _add(schemas: Json, title: str, attributes: Iterable[Attribute], required: list[str]) -> None:
    attributes = list(attributes)
    types, components = msgspec.json.schema_components(
        [each.type for each in attributes], ref_template="#/components/schemas/{name}"
    )
    schemas.update(components)
    properties = {each.name: schema for each, schema in zip(attributes, types, strict=True)}
    schemas[title] = {"type": "object", "required": required, "properties": properties}


def _ref(title: str) -> Json:
    return {"$ref": f"#/components/schemas/{title}"}


def _array(title: str) -> Json:
    return {"type": "array", "items": _ref(title)}


def _object(properties: Json) -> Json:
    return {"type": "object", "required": list(properties), "properties": properties}


def _path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _list_parameters(attributes: Mapping[str, Attribute]) -> list[Json]:
    def query(name: str, schema: Json) -> Json:
        return {"name": name, "in": "query", "required": False, "schema": schema}

    def several(schema: Json) -> Json:
        return {"type": "array", "items": schema}

    names = {"type": "string", "enum": [each.name for each in attributes.values() if each.visible]}
    keys = {"type": "string", "enum": [each.name for each in attributes.values() if each.sort]}
    return [
        *(query(name, {"type": kind}) for name, kind in COMMON.items()),
        query("fields", several(names)),
        query("sort_key", several(keys)),
        query("sort_dir", several({"type": "string", "enum": ["asc", "desc"]})),
        *(query(each.name, several({"type": "string"})) for each in attributes.values() if each.filter),
    ]


def _body(schema: Json) -> Json:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _operation(summary: str, status: int, schema: Json | None, parameters: list[Json] | None = None) -> Json:
    answer: Json = {"description": summary}
    if schema is not None:
        answer["content"] = {"application/json": {"schema": schema}}
    error = {"description": "What was wrong", "content": {"application/json": {"schema": _ref("Error")}}}
    operation: Json = {"summary": summary, "responses": {str(status): answer, "default": error}}
    return operation | ({"parameters": parameters} if parameters else {})
