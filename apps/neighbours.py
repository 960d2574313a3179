"""Neighbours: who has this address? ARP is answered where it is asked; a solicitation (ND) goes to its owner alone.

An ND answer made by flows needs fields that only the userspace data path can set (``nd_reserved``,
``nd_options_type``). Setting the destination MAC is possible on both, needs no controller, and leaves it to the owner
to answer, so that what answers is alive.
"""

from collections.abc import Iterator

from apps.contract import EVERYWHERE, App, Wanted, on_host, on_network
from apps.switching import GROUP_BIT
from controller.view.network import ALWAYS, LOCATION, NETWORK, PORT
from controller.view.view import View
from flows.actions import Goto, InPort, Move, Resubmit, Set
from flows.fields import (
    ADDRESS,
    ADDRESS4,
    ARP_OP,
    ARP_SHA,
    ARP_SPA,
    ARP_THA,
    ARP_TPA,
    ETH_DST,
    ETH_SRC,
    ETH_TYPE,
    FLAGS,
    ICMPV6_TYPE,
    IN_PORT,
    IP_PROTO,
    MAC,
    ND_TARGET,
    NETWORK_KEY,
)
from flows.flow import Flow
from flows.match import Match
from flows.tables import FLOOD, FROM_TUNNEL, L2, NEIGHBOUR, REPLY, RESOLVE, TUNNEL, WATCH

ARP = {ETH_TYPE: 0x0806}
REQUEST, ANSWER = 1, 2
SOLICITATION = {ETH_TYPE: 0x86DD, IP_PROTO: 58, ICMPV6_TYPE: 135}
"""RFC 4861 section 4.3."""


def boot(view: View, _: str) -> Iterator[Wanted]:
    # Only what is sent to a group: a unicast request asks whether the owner is still there, and goes there.
    asked = Match({**ARP, ARP_OP: REQUEST, ETH_DST: GROUP_BIT})
    yield (
        EVERYWHERE,
        Flow(RESOLVE, 20, asked, (Move(ARP_TPA, ADDRESS4, 32), Resubmit(NEIGHBOUR), Resubmit(WATCH), Goto(REPLY))),
    )
    solicited = Match({**SOLICITATION, ETH_DST: GROUP_BIT})
    lookup = (Move(ND_TARGET, ADDRESS, 128), Resubmit(NEIGHBOUR), Goto(REPLY))
    yield EVERYWHERE, Flow(RESOLVE, 20, solicited, lookup)
    yield EVERYWHERE, Flow(RESOLVE, 0, Match({}), (Goto(L2),))
    yield EVERYWHERE, Flow(NEIGHBOUR, 0, Match({}), ())
    yield EVERYWHERE, Flow(REPLY, 30, Match({MAC: 0}), (Goto(FLOOD),))
    answer = (
        Move(ETH_SRC, ETH_DST, 48),
        Move(MAC, ETH_SRC, 48),
        Set(ARP_OP, ANSWER),
        Move(ARP_SHA, ARP_THA, 48),
        Move(MAC, ARP_SHA, 48),
        Move(ARP_SPA, ARP_TPA, 32),
        Move(ADDRESS4, ARP_SPA, 32),
    )
    yield EVERYWHERE, Flow(REPLY, 20, Match(ARP), (*answer, InPort()))
    outside = Match({**ARP, FLAGS: (FROM_TUNNEL, FROM_TUNNEL)})
    back = (Set(FLAGS, 0, FROM_TUNNEL), Set(IN_PORT, 0), Goto(TUNNEL))
    yield EVERYWHERE, Flow(REPLY, 25, outside, (*answer, *back))
    yield EVERYWHERE, Flow(REPLY, 20, Match(SOLICITATION), (Move(MAC, ETH_DST, 48), Goto(L2)))


def addresses(view: View, id: str) -> Iterator[Wanted]:
    """Each address of a port, on every host of its network."""
    where, port = view.row(LOCATION, id), view.row(PORT, id)
    network = where and view.row(NETWORK, where.network_id)
    if where is None or port is None or not network:
        return
    for fixed in port.fixed_ips:
        match = Match({NETWORK_KEY: network.vni, ADDRESS: fixed.ip_address})
        yield on_network(where.network_id), Flow(NEIGHBOUR, 20, match, (Set(MAC, port.mac_address),))


def own(view: View, id: str) -> Iterator[Wanted]:
    """A port that asks for its own address (RFC 5227: probe, announcement) gets no answer; others hear it."""
    where, port = view.row(LOCATION, id), view.row(PORT, id)
    if where is None or port is None or not where.ofport:
        return
    for fixed in port.fixed_ips:
        if ":" not in fixed.ip_address:
            yield (
                on_host(where.host),
                Flow(NEIGHBOUR, 30, Match({IN_PORT: where.ofport, ADDRESS: fixed.ip_address}), ()),
            )


APP = App(name="neighbours", number=3, units={ALWAYS: [boot], LOCATION: [addresses, own]})
