"""Agents: there are none, but clients ask for them to see the hosts. One a host."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from controller.model import Host
from controller.northbound import listing, values
from controller.northbound.attributes import Attribute, Rule, computed, shown
from controller.northbound.collection import encoder
from controller.northbound.draft import Draft
from controller.northbound.faults import AgentAlive, AgentNotFound, HTTPBadRequest
from controller.northbound.rest import Methods, encode_fields, json
from controller.northbound.writer import Writer
from controller.store import Store

AGENT_TYPE = "Open vSwitch agent"


class Agents:
    def __init__(self, store: Store, writer: Writer, now: Callable[[], datetime]) -> None:
        self.rows = store.rows(Host)
        self.writer = writer
        self.attributes = agent_attributes(now)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/v2.0/agents", Methods(GET=self.many)),
            Route("/v2.0/agents/{id}", Methods(GET=self.show, DELETE=self.delete)),
        ]

    async def many(self, request: Request) -> Response:
        params = request.query_params.multi_items()
        query = listing.parse(self.attributes, params)
        page = listing.select(query, self.rows, AgentNotFound)
        content = b'{"agents":%b' % self._encode(page, query.fields)
        if links := listing.links(str(request.url.replace(query="")), params, query, page):
            content += b',"agents_links":%b' % encoder.encode(links)
        return json(content + b"}")

    async def show(self, request: Request) -> Response:
        fields = tuple(name for name in request.query_params.getlist("fields") if name)
        return json(b'{"agent":%b}' % self._encode([self._find(request)], fields)[1:-1])

    async def delete(self, request: Request) -> Response:
        """Forgets a host that is gone for good. One that is there would only come back."""
        if await request.body():
            raise HTTPBadRequest("Request body is not supported in DELETE.")

        def plan(draft: Draft) -> None:
            host = self._find(request)
            if host.alive:
                raise AgentAlive(id=host.id, host=host.hostname or host.name)
            draft.delete(host)

        await self.writer.write(plan)
        return Response(status_code=204)

    def _find(self, request: Request) -> Host:
        found = self.rows.get(request.path_params["id"])
        if found is None:
            raise AgentNotFound(id=request.path_params["id"])
        return found

    def _encode(self, hosts: list[Host], fields: tuple[str, ...]) -> bytes:
        if fields:
            return encode_fields(self.attributes, hosts, fields)
        return encoder.encode([shown(self.attributes, host) for host in hosts])


def agent_attributes(now: Callable[[], datetime]) -> dict[str, Attribute]:
    def heartbeat(host: Host) -> str:
        return f"{now().astimezone(UTC):%Y-%m-%d %H:%M:%S}" if host.alive else _plain(host.seen_at)

    def configurations(host: Host) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "tunnel_ip": host.tunnel_ip,
            "tunneling_ip": host.tunnel_ip,
            "tunnel_types": ["vxlan"],
            "bridge_mappings": dict(host.bridge_mappings),
            "hostname": host.hostname,
            "ovs_version": host.version,
        }
        return answer | ({"problem": host.problem} if host.problem else {})

    return computed(
        {
            "id": Rule(get=lambda host: host.id, type=str),
            "agent_type": Rule(get=lambda _: AGENT_TYPE, type=str),
            "binary": Rule(get=lambda _: "tunbridge", type=str),
            "topic": Rule(get=lambda _: "N/A", type=str),
            "host": Rule(get=lambda host: host.hostname or host.name, type=str),
            "admin_state_up": Rule(get=lambda _: True, matches=values.boolean, type=bool),
            "alive": Rule(get=lambda host: host.alive, matches=values.boolean, type=bool),
            "created_at": Rule(get=lambda host: _plain(host.joined_at), filter=False, type=str),
            "started_at": Rule(get=lambda host: _plain(host.joined_at), filter=False, type=str),
            "heartbeat_timestamp": Rule(get=heartbeat, filter=False, type=str),
            "description": Rule(get=lambda _: None, type=str | None),
            "configurations": Rule(get=configurations, filter=False, sort=False, type=dict[str, Any]),
        }
    )


def _plain(moment: str) -> str:
    """``2026-01-31T12:00:00Z`` as agents write it: ``2026-01-31 12:00:00``."""
    return moment.replace("T", " ").removesuffix("Z")
