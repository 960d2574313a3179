"""What operators ask of the control process, passed on to it: it listens on loopback alone."""

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from controller.model import Control
from controller.northbound.faults import ServiceUnavailable
from controller.northbound.rest import Methods
from controller.store import Store

TIMEOUT = 30.0
"""Seconds: a flow dump of a large host takes some."""


class Operator:
    """Passes GET and POST /tunbridge/v1/… on to the same path at the URL in the `Control` row."""

    def __init__(self, store: Store) -> None:
        self.rows = store.rows(Control)
        # No proxy from the environment: control is on this machine, or named by the database.
        self.client = httpx.AsyncClient(timeout=TIMEOUT, trust_env=False)

    def routes(self) -> list[BaseRoute]:
        return [Route("/tunbridge/v1/{path:path}", Methods(GET=self.forward, POST=self.forward))]

    async def close(self) -> None:
        await self.client.aclose()

    async def forward(self, request: Request) -> Response:
        endpoint = next((row.endpoint for row in self.rows.values() if row.endpoint), None)
        if endpoint is None:
            raise ServiceUnavailable("the control process has not started yet; try again")
        url = httpx.URL(endpoint.rstrip("/") + request.url.path, query=request.url.query.encode())
        try:
            answer = await self.client.request(request.method, url)
        except httpx.HTTPError as error:
            raise ServiceUnavailable(
                f"the control process does not answer at {endpoint} ({error or type(error).__name__}): "
                "see that it runs, and its log"
            ) from error
        kind = answer.headers.get("content-type", "application/octet-stream")
        return Response(answer.content, answer.status_code, headers={"content-type": kind})
