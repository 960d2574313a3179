"""How a packet comes by a verdict: the flows that are the same whatever the rules are.

Each packet is asked twice, for its sender and for its receiver, by the same called tables. A stateful set is asked with
the addresses and ports of the connection's original direction, replies too: then a rule, a member or a group that goes
ends what it had allowed in both directions at once, and nothing else, without a mark, a flush or a list of connections.
"""

from collections.abc import Iterator

from apps.contract import EVERYWHERE, Wanted
from controller.view.view import View
from flows import fields as f
from flows import tables as t
from flows.actions import Action, Ct, Goto, Move, Resubmit, Set
from flows.flow import Flow
from flows.match import Match
from flows.table import Table

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
FAMILIES = (IPV4, IPV6)
ICMPV6 = {f.ETH_TYPE: IPV6, f.IP_PROTO: 58}
UNFILTERED = (130, 131, 132, 133, 134, 135, 136, 143)
"""ICMPv6 that a network does not work without: multicast listeners (RFC 2710, 3810), router and neighbour discovery."""
ORIGINAL = (0, f.CT_REPLY | f.CT_RELATED)
RELATED = (f.CT_RELATED | f.CT_TRACKED, f.CT_RELATED | f.CT_REPLY | f.CT_TRACKED)
REPLY = (f.CT_REPLY | f.CT_TRACKED, f.CT_REPLY | f.CT_TRACKED)
INVALID = (f.CT_INVALID | f.CT_TRACKED, f.CT_INVALID | f.CT_TRACKED)
ASK = (Resubmit(t.RULES), Resubmit(t.SET))
SOURCE = {IPV4: f.IPV4_SRC, IPV6: f.IPV6_SRC}
DESTINATION = {IPV4: f.IPV4_DST, IPV6: f.IPV6_DST}
FIRST_SOURCE = {IPV4: f.CT_NW_SRC, IPV6: f.CT_IPV6_SRC}
FIRST_DESTINATION = {IPV4: f.CT_NW_DST, IPV6: f.CT_IPV6_DST}


def boot(view: View, _: str) -> Iterator[Wanted]:
    for flow in (*_sender(), *_receiver(), *_flooded(), *_service()):
        yield EVERYWHERE, flow
    for table in (t.RULES, t.SET, t.MEMBER):
        yield EVERYWHERE, Flow(table, 0, Match({}), ())


def _sender() -> Iterator[Flow]:
    past = (Goto(t.RESOLVE),)
    yield from _unfiltered(t.TRACK, past)
    yield Flow(t.TRACK, 0, Match({}), ())
    yield Flow(t.EGRESS, 50, Match({f.CT_STATE: INVALID}), ())
    yield Flow(t.EGRESS, 0, Match({}), ())
    for family in FAMILIES:
        stateless = Match({f.FLAGS: (t.STATELESS, t.STATELESS), f.ETH_TYPE: family})
        yield Flow(t.TRACK, 30, stateless, (Goto(t.EGRESS),))
        tracked = (Resubmit(t.TAG), Set(f.FLAGS, t.TRACKED, t.TRACKED), Ct(f.TAG, t.EGRESS))
        yield Flow(t.TRACK, 20, Match({f.ETH_TYPE: family}), tracked)
        cases = (
            (30, ORIGINAL, 0, _own(DESTINATION, family)),
            (40, RELATED, 0, _first(FIRST_DESTINATION, family)),
            (40, REPLY, t.INGRESS, _first(FIRST_SOURCE, family)),
        )
        for priority, state, direction, question in cases:
            match = Match({f.CT_STATE: state, f.ETH_TYPE: family})
            yield Flow(t.EGRESS, priority, match, (*_towards(direction), *question, *ASK, Goto(t.SENT)))
    done = Set(f.FLAGS, 0, t.ALLOWED | t.INGRESS)
    yield Flow(t.SENT, 20, Match({f.FLAGS: (t.ALLOWED, t.ALLOWED)}), (done, Goto(t.RESOLVE)))
    yield Flow(t.SENT, 0, Match({}), ())


def _receiver() -> Iterator[Flow]:
    past = (Goto(t.DELIVER),)
    yield Flow(t.ADMIT, 50, Match({f.FLAGS: (t.TRUSTED, t.TRUSTED)}), past)
    yield from _unfiltered(t.ADMIT, past)
    yield Flow(t.ADMIT, 0, Match({}), ())
    table = t.INGRESS_TABLE
    stateful = (0, t.STATELESS)
    yield Flow(table, 50, Match({f.FLAGS: stateful, f.CT_STATE: INVALID}), ())
    yield Flow(table, 0, Match({}), ())
    for family in FAMILIES:
        for bit in (t.STATELESS, t.TRACKED):
            yield Flow(t.ADMIT, 30, Match({f.FLAGS: (bit, bit), f.ETH_TYPE: family}), (Goto(table),))
        yield Flow(t.ADMIT, 20, Match({f.ETH_TYPE: family}), (Resubmit(t.TAG), Ct(f.TAG, table)))
        alone = Match({f.FLAGS: (t.STATELESS, t.STATELESS), f.ETH_TYPE: family})
        own = _own(SOURCE, family)
        yield Flow(table, 60, alone, (*_towards(t.INGRESS), *own, *ASK, Goto(t.RECEIVED)))
        cases = (
            (30, ORIGINAL, t.INGRESS, own),
            (40, RELATED, t.INGRESS, _first(FIRST_SOURCE, family)),
            (40, REPLY, 0, _first(FIRST_DESTINATION, family)),
        )
        for priority, state, direction, question in cases:
            match = Match({f.FLAGS: stateful, f.CT_STATE: state, f.ETH_TYPE: family})
            yield Flow(table, priority, match, (*_towards(direction), *question, *ASK, Goto(t.RECEIVED)))
    yield Flow(t.RECEIVED, 20, Match({f.FLAGS: (t.ALLOWED, t.ALLOWED)}), past)
    yield Flow(t.RECEIVED, 0, Match({}), ())


def _flooded() -> Iterator[Flow]:
    past = (Resubmit(t.CHUNKS),)
    yield Flow(t.HEAR, 50, Match({f.FLAGS: (t.TRUSTED, t.TRUSTED)}), past)
    yield from _unfiltered(t.HEAR, past)
    yield Flow(t.HEAR, 0, Match({}), ())
    for family in FAMILIES:
        ask = (*_own(SOURCE, family), *ASK, Resubmit(t.HEARD))
        yield Flow(t.HEAR, 20, Match({f.ETH_TYPE: family}), ask)
    yield Flow(t.HEARD, 20, Match({f.FLAGS: (t.ALLOWED, t.ALLOWED)}), past)
    yield Flow(t.HEARD, 0, Match({}), ())


def _unfiltered(table: Table, actions: tuple[Action, ...]) -> Iterator[Flow]:
    yield Flow(table, 40, Match({f.ETH_TYPE: ARP}), actions)
    for type in UNFILTERED:
        yield Flow(table, 40, Match({**ICMPV6, f.ICMPV6_TYPE: type}), actions)


def _service() -> Iterator[Flow]:
    """The packet's own protocol and port; of a connection, see _first()."""
    for family in FAMILIES:
        for protocol, port in ((6, f.TCP_DST), (17, f.UDP_DST), (132, f.SCTP_DST)):
            match = Match({f.ETH_TYPE: family, f.IP_PROTO: protocol})
            yield Flow(t.SERVICE, 20, match, (_protocol(protocol), Move(port, f.SERVICE, 16)))
        other = Match({f.ETH_TYPE: family})
        yield Flow(t.SERVICE, 10, other, (Move(f.IP_PROTO, f.SERVICE, 8, 0, 16),))
    for family, protocol, type, code in (
        (IPV4, 1, f.ICMPV4_TYPE, f.ICMPV4_CODE),
        (IPV6, 58, f.ICMPV6_TYPE, f.ICMPV6_CODE),
    ):
        parts = (_protocol(protocol), Move(type, f.SERVICE, 8, 0, 24), Move(code, f.SERVICE, 8))
        yield Flow(t.SERVICE, 20, Match({f.ETH_TYPE: family, f.IP_PROTO: protocol}), parts)
    yield Flow(t.SERVICE, 0, Match({}), ())


def _protocol(number: int) -> Set:
    return Set(f.SERVICE, number << 16, 0xFF << 16)


def _towards(direction: int) -> tuple[Action, ...]:
    return (Set(f.FLAGS, direction, t.INGRESS | t.ALLOWED),)


def _own(side: dict[int, f.Field], family: int) -> tuple[Action, ...]:
    return (_address(side[family], family), Resubmit(t.SERVICE))


def _first(side: dict[int, f.Field], family: int) -> tuple[Action, ...]:
    """The connection's original direction. For ICMP, conntrack keeps the type as source port and the code as
    destination port (ct_tp_src and ct_tp_dst in ovs-fields(7))."""
    return (
        _address(side[family], family),
        Move(f.CT_NW_PROTO, f.SERVICE, 8, 0, 16),
        Move(f.CT_TP_DST, f.SERVICE, 16),
        Move(f.CT_TP_SRC, f.SERVICE, 8, 0, 24),
    )


def _address(field: f.Field, family: int) -> Move:
    return Move(field, f.ADDRESS4, 32) if family == IPV4 else Move(field, f.ADDRESS, 128)
