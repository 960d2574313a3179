"""What is the same for all routers."""

from collections.abc import Iterator

from apps.allowance import OF_ITS_PORT, PUNT, PUNT_HERE
from apps.contract import EVERYWHERE, Wanted
from controller.view.view import View
from flows import fields as f
from flows import tables as t
from flows.actions import (
    Action,
    Ct,
    CtClear,
    DecTtl,
    Goto,
    Move,
    OutputField,
    Resubmit,
    Set,
)
from flows.flow import Flow
from flows.match import Match
from flows.table import Table
from flows.value import Value

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
FAMILIES = (IPV4, IPV6)
ICMPV6 = {f.ETH_TYPE: IPV6, f.IP_PROTO: 58}
SOLICITATION, ADVERTISEMENT = 135, 136
REQUEST, REPLY = 1, 2
NEW = (f.CT_NEW | f.CT_TRACKED, f.CT_NEW | f.CT_TRACKED)
CLEAN = Set(f.FLAGS, 0, t.FROM_TUNNEL | t.TRACKED)
"""A routed packet is in a network that has not seen it, and may go to any host."""
DROPPING = (
    t.STEERED, t.WATCH, t.ROUTER, t.ROUTE, t.PATH, t.EXIT, t.NAT, t.NATTED, t.UPLINK, t.INBOUND, t.RETURNED,
)  # fmt: skip


def boot(view: View, _: str) -> Iterator[Wanted]:
    for flow in (*_router(), *_next_hop(), *_outside(), *_inbound()):
        yield EVERYWHERE, flow
    for table in DROPPING:
        yield EVERYWHERE, Flow(table, 0, Match({}), ())


def _asked_and_told(table: Table) -> Iterator[Flow]:
    """ARP and neighbour discovery to a router's own MAC. A solicitation must be answered with flags that not every data
    path can set, so the controller does it."""
    answer: tuple[Action, ...] = (
        Move(f.ARP_TPA, f.ADDRESS4, 32),
        Set(f.MAC, 0),
        Resubmit(t.NEIGHBOUR),
        Resubmit(t.REPLY),
    )
    yield Flow(table, 90, Match({f.ETH_TYPE: ARP, f.ARP_OP: REQUEST}), answer)
    yield Flow(table, 90, Match({f.ETH_TYPE: ARP, f.ARP_OP: REPLY}), PUNT_HERE)
    for type in (SOLICITATION, ADVERTISEMENT):
        yield Flow(table, 90, Match({**ICMPV6, f.ICMPV6_TYPE: type}), PUNT_HERE)


def _expired(table: Table) -> Iterator[Flow]:
    """RFC 1812 section 5.3.1: who would have to lower the time to live to 0 tells the sender."""
    for family in FAMILIES:
        for ttl in (0, 1):
            yield Flow(table, 80, Match({f.ETH_TYPE: family, f.IP_TTL: ttl}), PUNT_HERE)


def _router() -> Iterator[Flow]:
    yield from _asked_and_told(t.ROUTER)
    yield from _expired(t.ROUTER)
    remember = Ct(f.TAG, commit=True)
    for family in FAMILIES:
        new: dict[f.Field, Value] = {f.FLAGS: (t.TRACKED, t.TRACKED), f.CT_STATE: NEW, f.ETH_TYPE: family}
        for ttl in (0, 1):
            # The error is let in as what belongs to this connection.
            punt = (*OF_ITS_PORT, PUNT[0], remember, *PUNT[1:])
            yield Flow(t.ROUTER, 85, Match({**new, f.IP_TTL: ttl}), punt)
        yield Flow(t.ROUTER, 20, Match(new), (*OF_ITS_PORT, remember, CtClear(), Goto(t.ROUTE)))
        yield Flow(t.ROUTER, 10, Match({f.ETH_TYPE: family}), (*OF_ITS_PORT, CtClear(), Goto(t.ROUTE)))
        # No route: the sender is told (RFC 1812 section 4.3.3.1).
        yield Flow(t.ROUTE, 10, Match({f.ETH_TYPE: family}), PUNT)


def _next_hop() -> Iterator[Flow]:
    for family in FAMILIES:
        yield Flow(t.NEXTHOP, 90, Match({f.ETH_TYPE: family, f.FLAGS: (t.LARGER, t.LARGER)}), PUNT)
        yield Flow(t.EXIT, 90, Match({f.ETH_TYPE: family, f.FLAGS: (t.LARGER, t.LARGER)}), PUNT)
    yield Flow(t.NEXTHOP, 80, Match({f.MAC: 0}), PUNT)
    yield Flow(t.NEXTHOP, 0, Match({}), (Move(f.MAC, f.ETH_DST, 48), Goto(t.L2)))
    yield Flow(t.GATEWAY, 20, Match({f.OUTPUT: t.OURSELVES}), (Goto(t.NAT),))
    yield Flow(t.GATEWAY, 0, Match({}), (OutputField(f.OUTPUT),))
    for family in FAMILIES:
        # Handed on once more; should two hosts ever think so of each other, it ends with the time to live.
        again = Match({f.FLAGS: (t.FROM_TUNNEL, t.FROM_TUNNEL), f.ETH_TYPE: family})
        yield Flow(t.GATEWAY, 10, again, (DecTtl(), OutputField(f.OUTPUT)))


def _outside() -> Iterator[Flow]:
    yield Flow(t.OUTSIDE, 10, Match({f.ETH_TYPE: ARP}), (Resubmit(t.WATCH), Goto(t.L2)))
    yield Flow(t.OUTSIDE, 0, Match({}), (Goto(t.L2),))
    here: dict[f.Field, Value] = {f.OUTPUT: t.OURSELVES}
    yield Flow(t.ACTIVE, 20, Match(here), (CtClear(), Goto(t.INBOUND)))
    for family in FAMILIES:
        # From a port on the external network itself: its connection leaves that network here.
        new: dict[f.Field, Value] = {f.FLAGS: (t.TRACKED, t.TRACKED), f.CT_STATE: NEW, f.ETH_TYPE: family}
        yield Flow(t.ACTIVE, 25, Match({**here, **new}), (Ct(f.TAG, commit=True), CtClear(), Goto(t.INBOUND)))
    yield Flow(t.ACTIVE, 0, Match({}), (Goto(t.TUNNEL),))


def _inbound() -> Iterator[Flow]:
    yield from _asked_and_told(t.INBOUND)
    yield from _expired(t.INBOUND)
    for family in FAMILIES:
        yield Flow(t.INBOUND, 95, Match({f.ETH_TYPE: family, f.FLAGS: (t.LARGER, t.LARGER)}), PUNT)
    for bit in (f.CT_REPLY, f.CT_RELATED):
        state = bit | f.CT_TRACKED
        yield Flow(t.RETURNED, 20, Match({f.CT_STATE: (state, state)}), (CtClear(), Resubmit(t.ROUTE)))
