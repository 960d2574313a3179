"""Guard: a port sends from its own addresses only.

The MAC is checked where the packet is classified. The sender's address is copied into one register, whatever the
protocol, so that a port costs one flow for each of its addresses. A hardware address inside an ARP packet is
overwritten by the checked one, which costs no flow at all.
"""

from collections.abc import Iterator

from netaddr import EUI

from apps.contract import EVERYWHERE, App, Wanted, on_host
from controller.view.network import ALWAYS, LOCATION, PORT
from controller.view.view import View
from flows.actions import Goto, Move
from flows.fields import (
    ADDRESS,
    ADDRESS4,
    ARP_SHA,
    ARP_SPA,
    ETH_SRC,
    ETH_TYPE,
    ICMPV6_TYPE,
    IN_PORT,
    IP_PROTO,
    IPV4_SRC,
    IPV6_SRC,
    ND_TARGET,
)
from flows.flow import Flow
from flows.match import Match
from flows.tables import ADDRESS as ADDRESS_TABLE
from flows.tables import RESOLVE, SPOOF

ARP, IPV4, IPV6, ICMPV6 = 0x0806, 0x0800, 0x86DD, 58
ADVERTISEMENT = 136
"""RFC 4861 section 4.4: it claims its target's address."""


def boot(view: View, _: str) -> Iterator[Wanted]:
    spoof = Goto(SPOOF)
    # RFC 4862: a node without an address solicits from the unspecified one.
    unspecified = Match({ETH_TYPE: IPV6, IP_PROTO: ICMPV6, IPV6_SRC: "::"})
    yield EVERYWHERE, Flow(ADDRESS_TABLE, 50, unspecified, (Goto(RESOLVE),))
    claim = Match({ETH_TYPE: IPV6, IP_PROTO: ICMPV6, ICMPV6_TYPE: ADVERTISEMENT})
    yield EVERYWHERE, Flow(ADDRESS_TABLE, 60, claim, (Move(ND_TARGET, ADDRESS, 128), spoof))
    sender = (Move(ETH_SRC, ARP_SHA, 48), Move(ARP_SPA, ADDRESS4, 32), spoof)
    yield EVERYWHERE, Flow(ADDRESS_TABLE, 30, Match({ETH_TYPE: ARP}), sender)
    yield EVERYWHERE, Flow(ADDRESS_TABLE, 30, Match({ETH_TYPE: IPV4}), (Move(IPV4_SRC, ADDRESS4, 32), spoof))
    yield EVERYWHERE, Flow(ADDRESS_TABLE, 30, Match({ETH_TYPE: IPV6}), (Move(IPV6_SRC, ADDRESS, 128), spoof))
    yield EVERYWHERE, Flow(ADDRESS_TABLE, 0, Match({}), ())
    # RFC 5227: an ARP probe has no sender address.
    yield EVERYWHERE, Flow(SPOOF, 30, Match({ETH_TYPE: ARP, ADDRESS: 0}), (Goto(RESOLVE),))
    yield EVERYWHERE, Flow(SPOOF, 0, Match({}), ())


def own_addresses(view: View, id: str) -> Iterator[Wanted]:
    where, port = view.row(LOCATION, id), view.row(PORT, id)
    if where is None or port is None or not where.ofport:
        return
    own = [fixed.ip_address for fixed in port.fixed_ips]
    for address in dict.fromkeys([*own, link_local(port.mac_address)]):
        match = Match({IN_PORT: where.ofport, ADDRESS: address})
        yield on_host(where.host), Flow(SPOOF, 20, match, (Goto(RESOLVE),))


def link_local(mac: str) -> str:
    """RFC 4291 appendix A."""
    return str(EUI(mac).ipv6_link_local())


APP = App(name="guard", number=5, units={ALWAYS: [boot], LOCATION: [own_addresses]})
