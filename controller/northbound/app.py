"""The application: every route of the api process, and what surrounds each request."""

import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.model import (
    AddressGroup,
    AddressScope,
    FloatingIP,
    Network,
    Port,
    PortForwarding,
    Record,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    SubnetPool,
)
from controller.model.router import GATEWAY
from controller.northbound import extensions, openapi
from controller.northbound.address_groups import AddressGroupRest, AddressGroups
from controller.northbound.address_scopes import AddressScopes
from controller.northbound.agents import Agents
from controller.northbound.collection import Collection, encoder
from controller.northbound.default_group import DefaultGroupRest
from controller.northbound.faults import Fault, HTTPInternalServerError, HTTPNotFound
from controller.northbound.floating_ips import FloatingIPs
from controller.northbound.index import Index
from controller.northbound.measures import CONTENT_TYPE, Measures
from controller.northbound.networks import Networks
from controller.northbound.operator import Operator
from controller.northbound.port_forwardings import PortForwardingRest, PortForwardings
from controller.northbound.ports import Ports
from controller.northbound.rest import Methods, Rest, json
from controller.northbound.routers import RouterRest, Routers
from controller.northbound.security_group_rules import SecurityGroupRules
from controller.northbound.security_groups import SecurityGroups
from controller.northbound.subnet_pools import SubnetPools
from controller.northbound.subnets import Subnets
from controller.northbound.writer import Writer
from controller.store import Change, Store

log = structlog.get_logger()

METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")


def create_app(
    store: Store, *, now: Callable[[], datetime] = lambda: datetime.now(UTC), limit: float = 10.0
) -> Starlette:
    """The application over a started `store`, which it does not close.

    `now` is the clock of its time stamps; `limit` the seconds that a write may wait for the database, or try again.
    """
    index = Index(store)
    writer = Writer(store, index, now, limit)
    networks, subnets, ports = Networks(index), Subnets(index), Ports(index)
    rules, addresses = SecurityGroupRules(index), AddressGroups(index)
    groups = SecurityGroups(index, rules)
    scopes, pools = AddressScopes(index), SubnetPools(index)
    routers, floating_ips, forwardings = Routers(index, ports), FloatingIPs(index, ports), PortForwardings(index)
    collections: dict[type[Record], Collection[Any]] = {
        Network: networks,
        Subnet: subnets,
        Port: ports,
        SecurityGroup: groups,
        SecurityGroupRule: rules,
        AddressGroup: addresses,
        AddressScope: scopes,
        SubnetPool: pools,
        Router: routers,
        FloatingIP: floating_ips,
        PortForwarding: forwardings,
    }
    agents, operator, measures = Agents(store, writer, now), Operator(store), Measures(store)

    def forget(changes: list[Change]) -> None:
        for kind, id, old, new in changes:
            if new is None and kind in collections:
                collections[kind].forget([id])
            if kind is Subnet:
                networks.forget(row.network_id for row in (old, new) if isinstance(row, Subnet))
            elif kind is SecurityGroupRule:
                groups.forget(row.security_group_id for row in (old, new) if isinstance(row, SecurityGroupRule))
            elif kind is PortForwarding:
                floating_ips.forget(row.floatingip_id for row in (old, new) if isinstance(row, PortForwarding))
            elif isinstance(new, Port):
                floating_ips.forget(index.routing.floating_ips_to.get(id, ()))
                if new.device_owner == GATEWAY:
                    routers.forget([new.device_id])

    store.subscribe(forget)

    async def health(request: Request) -> Response:
        state = "ok" if store.connected else "the database can't be reached"
        return json(encoder.encode({"status": state}), 200 if store.connected else 503)

    async def metrics(request: Request) -> Response:
        return Response(measures.text(), headers={"content-type": CONTENT_TYPE})

    async def description(request: Request) -> Response:
        return json(described)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await operator.close()

    described = encoder.encode(openapi.document(collections.values(), agents.attributes))
    routes: list[BaseRoute] = [
        *Rest(ports, writer).routes(),
        *Rest(networks, writer).routes(),
        *Rest(subnets, writer).routes(),
        *DefaultGroupRest(groups, writer).routes(),
        *DefaultGroupRest(rules, writer).routes(),
        *AddressGroupRest(addresses, writer).routes(),
        *Rest(scopes, writer).routes(),
        *Rest(pools, writer).routes(),
        *RouterRest(routers, writer).routes(),
        *Rest(floating_ips, writer).routes(),
        *PortForwardingRest(forwardings, writer).routes(),
        *agents.routes(),
        *extensions.ROUTES,
        *operator.routes(),
        Route("/openapi.json", Methods(GET=description)),
        Route("/healthz", Methods(GET=health)),
        Route("/metrics", Methods(GET=metrics)),
    ]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Surround, measures=measures)],
        exception_handlers={HTTPException: _not_found},
    )


async def _not_found(request: Request, error: Exception) -> Response:
    """Starlette raises its own exception for one reason only: no route fits."""
    raise HTTPNotFound


class Surround:
    """Gives each request its id, turns faults into answers, and measures."""

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self.app = app
        self.measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = f"req-{uuid.uuid4()}"
        began = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-openstack-request-id", request_id.encode()),
                ]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            except ClientDisconnect:
                log.debug("client went away", method=scope["method"], path=scope["path"])
            except Exception as error:
                if not isinstance(error, Fault):
                    log.exception("request failed", method=scope["method"], path=scope["path"])
                    error = HTTPInternalServerError()
                elif error.status >= 500:
                    log.warning("request not served", method=scope["method"], path=scope["path"], reason=error.message)
                if not status:
                    await json(encoder.encode(error.body()), error.status)(scope, receive, send_with_id)
            seconds = time.perf_counter() - began
            log.debug("request", method=scope["method"], path=scope["path"], status=status, seconds=round(seconds, 4))
        method = scope["method"] if scope["method"] in METHODS else "other"
        self.measures.answered(method, _route(scope), status, seconds)


def _route(scope: Scope) -> str:
    """The pattern of the route, so that ids don't make a series each."""
    route = scope.get("route")
    return route.path if isinstance(route, Route) else "none"
