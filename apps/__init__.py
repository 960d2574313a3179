"""The apps. Each is one function of the network; their order here means nothing."""

from apps import allowance, dhcp, external, guard, nat, neighbours, overlay, routing, security, switching
from apps.contract import App

APPS: tuple[App, ...] = (
    switching.APP,
    overlay.APP,
    neighbours.APP,
    dhcp.APP,
    guard.APP,
    security.APP,
    routing.APP,
    nat.APP,
    external.APP,
    allowance.APP,
)
