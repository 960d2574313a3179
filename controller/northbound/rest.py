"""The HTTP of one collection: list, show, create, update, delete, and the tags of its members."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from controller.model.resource import Resource
from controller.northbound import body, listing, values
from controller.northbound.attributes import Attribute
from controller.northbound.collection import Collection, encoder
from controller.northbound.draft import Draft
from controller.northbound.faults import (
    BadRequest,
    HTTPBadRequest,
    HTTPMethodNotAllowed,
    InvalidInput,
    RevisionNumberConstraintFailed,
    TagNotFound,
    TagResourceNotFound,
)
from controller.northbound.writer import Writer

R = TypeVar("R", bound=Resource)
Handler = Callable[[Request], Awaitable[Response]]


class Methods:
    """An endpoint: a handler per HTTP method. A class of its own, so that a wrong method is answered as a fault."""

    def __init__(self, **handlers: Handler) -> None:
        self.handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self.handlers.get(scope["method"])
        if handler is None:
            raise HTTPMethodNotAllowed(method=scope["method"])
        response = await handler(Request(scope, receive, send))
        await response(scope, receive, send)


class Rest(Generic[R]):
    def __init__(self, collection: Collection[R], writer: Writer) -> None:
        self.collection = collection
        self.writer = writer

    def routes(self) -> list[BaseRoute]:
        base = f"/v2.0/{self.collection.path}"
        plain: list[BaseRoute] = [
            Route(base, Methods(GET=self.many, POST=self.create)),
            Route(base + "/{id}", Methods(GET=self.show, PUT=self.update, DELETE=self.delete)),
        ]
        if "tags" not in self.collection.attributes or not self.collection.tagged:
            return plain
        return [
            *plain,
            Route(
                base + "/{id}/tags",
                Methods(GET=self.tags, POST=self.add_tags, PUT=self.set_tags, DELETE=self.drop_tags),
            ),
            Route(base + "/{id}/tags/{tag:path}", Methods(GET=self.has_tag, PUT=self.add_tag, DELETE=self.drop_tag)),
        ]

    # Where the collection is within a resource of another kind, by what the path says of it.

    def _rows(self, request: Request) -> Mapping[str, R]:
        """Those that the request may be about."""
        return self.collection.rows

    def _parents(self, request: Request) -> dict[str, Any]:
        """What each new one is given."""
        return {}

    async def many(self, request: Request) -> Response:
        collection, params = self.collection, request.query_params.multi_items()
        query = listing.parse(collection.attributes, params)
        page = listing.select(query, self._rows(request), collection.missing)
        content = b'{"%b":%b' % (collection.plural.encode(), self._encode_page(page, query))
        if links := listing.links(str(request.url.replace(query="")), params, query, page):
            content += b',"%b_links":%b' % (collection.plural.encode(), encoder.encode(links))
        return json(content + b"}")

    def _encode_page(self, page: list[R], query: listing.Query) -> bytes:
        if not query.fields:
            return self.collection.encode_all(page)
        return encode_fields(self.collection.attributes, page, query.fields)

    async def show(self, request: Request) -> Response:
        record = self._find(request)
        fields = [name for name in request.query_params.getlist("fields") if name]
        if fields:
            one = encode_fields(self.collection.attributes, [record], tuple(fields))[1:-1]
            return json(b'{"%b":%b}' % (self.collection.name.encode(), one))
        return self._one(record)

    async def create(self, request: Request) -> Response:
        collection = self.collection
        given, bulk = body.items(await body.read(request), collection.name, collection.plural, bulk=True)
        project_id = request.headers.get("x-project-id", "")
        wanted = [body.checked(each, collection.attributes, project_id=project_id, create=True) for each in given]

        def plan(draft: Draft) -> list[R]:
            return [collection.create(draft, each | self._parents(request)) for each in wanted]

        created = await self.writer.write(plan)
        created = [collection.rows.get(record.id, record) for record in created]
        if bulk:
            return json(b'{"%b":%b}' % (collection.plural.encode(), collection.encode_all(created)), 201)
        return self._one(created[0], 201)

    async def update(self, request: Request) -> Response:
        collection, id = self.collection, request.path_params["id"]
        expected = _expected_revision(request)
        given, _ = body.items(await body.read(request), collection.name, collection.plural, bulk=False)
        wanted = body.checked(given[0], collection.attributes, create=False)

        def plan(draft: Draft) -> R:
            return collection.update(draft, self._constrained(request, expected), dict(wanted))

        changed = await self.writer.write(plan)
        return self._one(collection.rows.get(id, changed))

    async def delete(self, request: Request) -> Response:
        expected = _expected_revision(request)
        if await request.body():
            raise HTTPBadRequest("Request body is not supported in DELETE.")
        await self.writer.write(lambda draft: self.collection.delete(draft, self._constrained(request, expected)))
        return Response(status_code=204)

    def _find(self, request: Request) -> R:
        found = self._rows(request).get(request.path_params["id"])
        if found is None:
            raise self.collection.missing(id=request.path_params["id"])
        return found

    def _constrained(self, request: Request, expected: int | None) -> R:
        found = self._find(request)
        if expected is not None and found.revision_number != expected:
            raise RevisionNumberConstraintFailed(expected=expected, current=found.revision_number)
        return found

    def _one(self, record: R, status: int = 200) -> Response:
        return json(b'{"%b":%b}' % (self.collection.name.encode(), self.collection.encode(record)), status)

    # Tags

    async def tags(self, request: Request) -> Response:
        return json(encoder.encode({"tags": self._tagged(request).tags}))

    async def has_tag(self, request: Request) -> Response:
        self._held(self._tagged(request), request.path_params["tag"])
        return Response(status_code=204)

    async def add_tags(self, request: Request) -> Response:
        new = _tags(await body.read(request))
        await self._retag(request, lambda held: held + tuple(each for each in new if each not in held))
        return json(encoder.encode({"tags": new}))

    async def set_tags(self, request: Request) -> Response:
        new = _tags(await body.read(request))
        await self._retag(request, lambda held: new)
        return json(encoder.encode({"tags": new}))

    async def add_tag(self, request: Request) -> Response:
        tag = _tag(request.path_params["tag"])
        await self._retag(request, lambda held: held if tag in held else (*held, tag))
        return json(b"null", 201)

    async def drop_tags(self, request: Request) -> Response:
        await self._retag(request, lambda held: ())
        return Response(status_code=204)

    async def drop_tag(self, request: Request) -> Response:
        tag = request.path_params["tag"]

        def plan(draft: Draft) -> None:
            record = self._tagged(request)
            self._held(record, tag)
            draft.change(record, tags=tuple(each for each in record.tags if each != tag))

        await self.writer.write(plan)
        return Response(status_code=204)

    async def _retag(self, request: Request, change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
        def plan(draft: Draft) -> None:
            record = self._tagged(request)
            self.collection.changed(draft, record, {"tags": change(record.tags)})

        await self.writer.write(plan)

    def _tagged(self, request: Request) -> R:
        found = self._rows(request).get(request.path_params["id"])
        if found is None:
            raise TagResourceNotFound(resource=self.collection.plural, id=request.path_params["id"])
        return found

    def _held(self, record: R, tag: str) -> None:
        if tag not in record.tags:
            raise TagNotFound(tag=tag)


def json(content: bytes, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json")


def encode_fields(attributes: dict[str, Attribute], records: list[Any], fields: tuple[str, ...]) -> bytes:
    """The records as a JSON list, with no more than `fields`; names that no attribute has are passed over."""
    wanted = [attributes[name] for name in fields if name in attributes and attributes[name].visible]
    rows = []
    for record in records:
        row = {}
        for attribute in wanted:
            value = attribute.get(record)
            if value or not attribute.sparse:
                row[attribute.name] = value
        rows.append(row)
    return encoder.encode(rows)


def _expected_revision(request: Request) -> int | None:
    """N of ``If-Match: revision_number=N``."""
    found = re.findall(r"revision_number=([^\s,\"]*)", request.headers.get("if-match", ""))
    if not found:
        return None
    if len(found) > 1:
        raise BadRequest("Multiple revision_number etags are not supported.", resource="if-match")
    if not re.fullmatch(r"[0-9]{1,18}", found[0]):
        raise BadRequest("Revision number etag must be in the format of revision_number=<int>", resource="if-match")
    return int(found[0])


def _tag(value: Any) -> str:
    try:
        return values.short_text(value)
    except values.Reason as reason:
        raise InvalidInput(str(reason)) from None


def _tags(given: Any) -> tuple[str, ...]:
    if not isinstance(given, dict) or "tags" not in given:
        raise InvalidInput("Invalid tags body")
    try:
        return values.unique_texts(given["tags"])
    except values.Reason as reason:
        raise InvalidInput(str(reason)) from None
