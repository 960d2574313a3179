"""Routers: what may be asked of them. Their interfaces have requests of their own."""

import ipaddress
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as Path

from controller.model import Port, Route, Router
from controller.northbound import body, router_gateway, router_interfaces, router_subnets, values
from controller.northbound.attributes import Attribute, Rule, attributes
from controller.northbound.collection import Collection, encoder
from controller.northbound.draft import Draft, new_id
from controller.northbound.faults import HTTPBadRequest
from controller.northbound.index import Index
from controller.northbound.ports import Ports
from controller.northbound.rest import Methods, Rest, json
from controller.northbound.router_faults import InvalidRoutes, RouterInUse, RouterNotFound, RoutesExhausted
from controller.northbound.router_interfaces import Interface
from controller.northbound.writer import Writer

ROUTES_MAX = 30
GATEWAY, ROUTES = "external_gateway_info", "routes"


class Routers(Collection[Router]):
    name = "router"
    plural = "routers"
    kind = Router
    missing = RouterNotFound

    def __init__(self, index: Index, ports: Ports) -> None:
        super().__init__(index.routing.routers, router_attributes(index))
        self.ports = ports

    def create(self, draft: Draft, given: dict[str, Any]) -> Router:
        router = Router(
            id=new_id(),
            number=draft.router_number(),
            created_at=draft.now,
            updated_at=draft.now,
            **self.fields(given),
        )
        fields, _ = router_gateway.change(draft, self.ports, router, given.get(GATEWAY))
        return draft.insert(msgspec.structs.replace(router, **fields))

    def update(self, draft: Draft, old: Router, given: dict[str, Any]) -> Router:
        fields, gateway = self.fields(given), draft.index.routing.gateway(old)
        if GATEWAY in given:
            changed, gateway = router_gateway.change(draft, self.ports, old, given[GATEWAY])
            fields |= changed
        if ROUTES in given or GATEWAY in given:
            routes = fields.get(ROUTES, old.routes)
            interfaces = draft.index.routing.interfaces(old)
            _check_routes(draft, old, routes, interfaces if gateway is None else [*interfaces, gateway])
        return self.changed(draft, old, fields)

    def delete(self, draft: Draft, old: Router) -> None:
        if old.interfaces:
            raise RouterInUse(id=old.id)
        router_gateway.change(draft, self.ports, old, None)
        # Its next revision, although it goes: an interface added at the same time would be nobody's.
        draft.change(old)
        draft.delete(old)

    def add_routes(self, draft: Draft, old: Router, routes: tuple[Route, ...]) -> Router:
        return self.update(draft, old, {ROUTES: tuple(dict.fromkeys(old.routes + routes))})

    def remove_routes(self, draft: Draft, old: Router, routes: tuple[Route, ...]) -> Router:
        return self.update(draft, old, {ROUTES: tuple(each for each in old.routes if each not in routes)})


def router_attributes(index: Index) -> dict[str, Attribute]:
    def gateway(router: Router) -> router_gateway.Shown | None:
        return router_gateway.shown(router, index.routing.gateway(router))

    rules = {
        "admin_state_up": Rule(values.boolean, matches=values.boolean),
        "status": Rule(filter=False),
        GATEWAY: Rule(
            router_gateway.wanted,
            get=gateway,
            post=True,
            put=True,
            filter=False,
            sort=False,
            type=router_gateway.Shown | None,
        ),
        "enable_snat": Rule(matches=values.boolean),
        ROUTES: Rule(_routes, post=False, filter=False, sort=False),
        "distributed": Rule(_true_unless_given, filter=False, sort=False),
        "ha": Rule(_true_unless_given, filter=False, sort=False),
        "tunbridge:fault": Rule(filter=False, sort=False, sparse=True),
        "tunbridge:gateways": Rule(filter=False, sort=False),
    }
    return attributes(Router, rules, without=("number", "interfaces", "gateway_port_id"))


def _true_unless_given(value: Any) -> bool:
    return True if value is None else values.boolean(value)


def _routes(value: Any) -> tuple[Route, ...]:
    return tuple(Route(destination=to, nexthop=via) for to, via in values.routes(value))


def _check_routes(draft: Draft, router: Router, routes: tuple[Route, ...], ports: list[Port]) -> None:
    """Each next hop is a neighbour on one of the subnets of the router's `ports`, and not the router itself."""
    if len(routes) > ROUTES_MAX:
        raise RoutesExhausted(id=router.id, quota=ROUTES_MAX)
    own, prefixes = router_subnets.addresses(ports), router_subnets.prefixes(draft, ports)
    for route in routes:
        hop = ipaddress.ip_address(route.nexthop)
        reason = ""
        if not any(hop in prefix for prefix in prefixes):
            reason = "the nexthop is not connected with router"
        elif route.nexthop in own:
            reason = "the nexthop is used by router"
        if reason:
            raise InvalidRoutes(routes=[msgspec.to_builtins(each) for each in routes], reason=reason)


class RouterRest(Rest[Router]):
    """A router's interfaces and single routes come and go by requests of their own."""

    def __init__(self, routers: Routers, writer: Writer) -> None:
        super().__init__(routers, writer)
        self.routers = routers

    def routes(self) -> list[BaseRoute]:
        base = f"/v2.0/{self.collection.path}/{{id}}"
        return [
            *super().routes(),
            Path(f"{base}/add_router_interface", Methods(PUT=self.add_interface)),
            Path(f"{base}/remove_router_interface", Methods(PUT=self.remove_interface)),
            Path(f"{base}/add_extraroutes", Methods(PUT=self.add_routes)),
            Path(f"{base}/remove_extraroutes", Methods(PUT=self.remove_routes)),
        ]

    async def add_interface(self, request: Request) -> Response:
        return await self._interface(request, router_interfaces.add)

    async def remove_interface(self, request: Request) -> Response:
        return await self._interface(request, router_interfaces.remove)

    async def _interface(self, request: Request, plan: Callable[[Draft, Ports, Router, Any], Interface]) -> Response:
        id, given = request.path_params["id"], await body.read(request)
        answer = await self.writer.write(lambda draft: plan(draft, self.routers.ports, self.routers.find(id), given))
        return json(encoder.encode(answer))

    async def add_routes(self, request: Request) -> Response:
        return await self._change_routes(request, self.routers.add_routes)

    async def remove_routes(self, request: Request) -> Response:
        return await self._change_routes(request, self.routers.remove_routes)

    async def _change_routes(
        self, request: Request, change: Callable[[Draft, Router, tuple[Route, ...]], Router]
    ) -> Response:
        id = request.path_params["id"]
        given, _ = body.items(await body.read(request), self.routers.name, self.routers.plural, bulk=False)
        if set(given[0]) != {ROUTES}:
            raise HTTPBadRequest(f"The router in the body must have '{ROUTES}' only")
        routes = body.checked(given[0], self.routers.attributes, create=False)[ROUTES]
        changed = await self.writer.write(lambda draft: change(draft, self.routers.find(id), routes))
        return self._one(self.routers.rows.get(id, changed))
