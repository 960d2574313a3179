"""What control answers operators over HTTP: flows and what they count, hosts, health, metrics. On loopback; the api
passes requests on."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from controller.listening import listening, shown
from controller.model import Host
from controller.observe.audit import audit
from controller.observe.drops import count_drops
from controller.observe.explain import Filter, explain, intent
from controller.observe.rules import count_rules
from controller.view.network import NETWORK, PORT, SUBNET

if TYPE_CHECKING:
    from controller.control import Control

log = structlog.get_logger()

ANSWER_IN = 10.0
"""Seconds that all asked switches together have for a dump."""


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def _in_time(what: str, asked: Awaitable[Any]) -> Response:
    try:
        async with asyncio.timeout(ANSWER_IN):
            return _json({what: await asked})
    except TimeoutError:
        return _json({"error": f"a switch did not give its flows within {ANSWER_IN:.0f} s; try --host"}, 504)


def create_app(control: "Control") -> Starlette:
    async def flows(request: Request) -> Response:
        known = {name: value for name, value in request.query_params.items() if name in Filter.__struct_fields__}
        unknown = sorted(request.query_params.keys() - known.keys())
        if unknown:
            fields = ", ".join(Filter.__struct_fields__)
            return _json({"error": f"no such filter: {', '.join(unknown)}; there are: {fields}"}, 400)
        return await _in_time("flows", explain(control, Filter(**known)))

    async def rules(request: Request) -> Response:
        query = request.query_params
        return await _in_time("rules", count_rules(control, query.get("group", ""), query.get("host", "")))

    async def drops(request: Request) -> Response:
        return await _in_time("drops", count_drops(control, request.query_params.get("host", "")))

    async def audited(request: Request) -> Response:
        """GET compares, POST repairs as well."""
        host, repair = request.query_params.get("host", ""), request.method == "POST"
        return await _in_time("audit", audit(control, host, repair))

    async def register(request: Request) -> Response:
        query = request.query_params
        host, fingerprint = query.get("host", ""), query.get("fingerprint", "")
        if not host or not (re.fullmatch("[0-9a-f]{64}", fingerprint) or not fingerprint):
            return _json({"error": "wanted: host, and fingerprint, a SHA-256 as 64 digits of hex"}, 400)
        control.register(host, fingerprint)
        return _json({"host": host, "fingerprint": fingerprint}, 202)

    async def hosts(request: Request) -> Response:
        rows = sorted(control.store.rows(Host).values(), key=lambda row: row.name)
        return _json({"hosts": [host_status(control, row) for row in rows]})

    async def status(request: Request) -> Response:
        return _json(summary(control))

    async def health(request: Request) -> Response:
        healthy = control.store.connected
        return _json({"status": "ok" if healthy else "the database does not answer"}, 200 if healthy else 503)

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(control.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/tunbridge/v1/flows", flows),
            Route("/tunbridge/v1/rules", rules),
            Route("/tunbridge/v1/drops", drops),
            Route("/tunbridge/v1/audit", audited, methods=["GET", "POST"]),
            Route("/tunbridge/v1/hosts", hosts),
            Route("/tunbridge/v1/hosts", register, methods=["POST"]),
            Route("/tunbridge/v1/status", status),
            Route("/healthz", health),
            Route("/metrics", metrics),
        ]
    )


def host_status(control: "Control", row: Host) -> dict[str, Any]:
    """A host's row, and what only control knows of it."""
    bridges = {name: bridge for (host, name), bridge in control.switches.bridges.items() if host == row.name}
    session = control.sessions.get(row.name)
    return {
        **{name: value for name, value in msgspec.structs.asdict(row).items() if name != "id"},
        "ports": len(session.facts.interfaces) if session is not None and session.facts is not None else 0,
        "bridges": {
            name: "in step" if bridge.adopted else "adopting" if bridge.channel else "not connected"
            for name, bridge in bridges.items()
        },
        "faults": [text for bridge in bridges.values() for text in bridge.faults.values()],
    }


def summary(control: "Control") -> dict[str, Any]:
    failures = [
        {"intent": intent(control, control.compiler.sources[unit[0]], unit[1]), "reason": reason}
        for unit, reason in control.failed.items()
    ]
    faults = [text for bridge in control.switches.bridges.values() for text in bridge.faults.values()]
    hosts = list(control.store.rows(Host).values())
    return {
        "database": "connected" if control.store.connected else "not connected",
        "hosts": len(hosts),
        "hosts_alive": sum(host.alive for host in hosts),
        "networks": len(control.view.all(NETWORK)),
        "subnets": len(control.view.all(SUBNET)),
        "ports": len(control.view.all(PORT)),
        "ports_waiting": control.status.waiting,
        "failures": failures + [{"intent": "", "reason": text} for text in faults],
    }


class Endpoint:
    """The HTTP server, in control's own loop."""

    def __init__(self, control: "Control", address: str) -> None:
        self._address = address
        config = uvicorn.Config(create_app(control), log_config=None, access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Returns its URL."""
        made = listening(self._address)
        self._server.config.load()
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self._server.startup([made])
        self._task = asyncio.create_task(self._server.main_loop(), name="operators' endpoint")
        return f"http://{shown(made)}"

    async def close(self) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        with contextlib.suppress(Exception):
            await self._server.shutdown()
