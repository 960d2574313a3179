"""Allowance: how much a port may have the controller do, so that none takes the others' share.

Every flow that sends a packet to the controller asks table `allowance` first, with the packet's port in SERVICE.
"""

from collections.abc import Iterator

from apps.contract import EVERYWHERE, App, Wanted, on_host
from controller.view.network import ALWAYS, LOCATION
from controller.view.view import View
from flows.actions import Action, Meter, Move, Resubmit, Set, ToController
from flows.fields import IN_PORT, SERVICE
from flows.flow import Flow, MeterConfig
from flows.match import Match
from flows.tables import ALLOWANCE, BR_INT

A_PORT = 100
"""Packets a second, and burst, that one port may send up: for leases, unknown neighbours, errors to be told of."""
OTHERS = MeterConfig(BR_INT, 65535, 1000, 1000)
"""For all that comes from outside or from another host, together."""

OF_ITS_PORT: tuple[Action, ...] = (Set(SERVICE, 0), Move(IN_PORT, SERVICE, 16))
PUNT: tuple[Action, ...] = (Resubmit(ALLOWANCE), ToController())
"""Where SERVICE holds the port, or nothing."""
PUNT_HERE = (*OF_ITS_PORT, *PUNT)
"""Where the packet still has the port where it came in."""


def boot(view: View, _: str) -> Iterator[Wanted]:
    yield EVERYWHERE, OTHERS
    yield EVERYWHERE, Flow(ALLOWANCE, 0, Match({}), (Meter(OTHERS.id),))


def of_port(view: View, id: str) -> Iterator[Wanted]:
    where = view.row(LOCATION, id)
    if where is None or not where.ofport:
        return
    yield on_host(where.host), MeterConfig(BR_INT, where.ofport, A_PORT, A_PORT)
    yield on_host(where.host), Flow(ALLOWANCE, 20, Match({SERVICE: where.ofport}), (Meter(where.ofport),))


APP = App(name="allowance", number=10, units={ALWAYS: [boot], LOCATION: [of_port]})
