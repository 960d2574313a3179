"""Routing: on the sender's host, to the end; what a router says itself, and next hops that must be asked for."""

from apps.contract import App
from apps.routing.answer import answer
from apps.routing.interfaces import attachment
from apps.routing.neighbours import learned
from apps.routing.pipeline import boot
from apps.routing.routes import routes
from controller.view.network import ALWAYS, LEARNED, ROUTER
from controller.view.topology import ROUTER_OF_PORT

APP = App(
    name="routing",
    number=7,
    units={ALWAYS: [boot], ROUTER_OF_PORT: [attachment], ROUTER: [routes], LEARNED: [learned]},
    answer=answer,
)
