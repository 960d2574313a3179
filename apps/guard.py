"""Guard: a port sends from its own addresses only, and what only servers and routers send it does not send at all.

The MAC is checked where the packet is classified. The sender's address is copied into one register, whatever the
protocol, so that a port costs one flow for each of its addresses. Hardware addresses inside ARP and neighbour
discovery are overwritten by the checked one, and the source of an advertisement by its checked target, which costs no
flow at all.
"""

from collections.abc import Iterator
from functools import lru_cache

from netaddr import EUI

from apps.contract import EVERYWHERE, App, Wanted, on_host
from apps.security.rules import address_match
from controller.view.network import ALWAYS, LOCATION, PORT, TRUSTED
from controller.view.view import View
from flows import fields as f
from flows import tables as t
from flows.actions import Goto, Move
from flows.flow import Flow
from flows.match import Match
from flows.value import Value, parse

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
ICMPV6 = {f.ETH_TYPE: IPV6, f.IP_PROTO: 58}
LISTENER_REPORTS, ROUTER_SOLICITATION, SOLICITATION = (131, 132, 143), 133, 135
ADVERTISEMENT = 136
"""RFC 4861 section 4.4: it claims its target's address."""
ROUTER_ADVERTISEMENT, REDIRECT = 134, 137


def boot(view: View, _: str) -> Iterator[Wanted]:
    track, spoof = Goto(t.TRACK), Goto(t.SPOOF)
    for priority, fields, actions in (
        (90, {f.FLAGS: (t.TRUSTED, t.TRUSTED)}, (Goto(t.RESOLVE),)),
        (80, {**ICMPV6, f.ICMPV6_TYPE: ROUTER_ADVERTISEMENT}, ()),
        (80, {**ICMPV6, f.ICMPV6_TYPE: REDIRECT}, ()),
        (80, {f.ETH_TYPE: IPV4, f.IP_PROTO: 17, f.UDP_SRC: 67, f.UDP_DST: 68}, ()),
        (80, {f.ETH_TYPE: IPV6, f.IP_PROTO: 17, f.UDP_SRC: 547, f.UDP_DST: 546}, ()),
    ):
        yield EVERYWHERE, Flow(t.ADDRESS, priority, Match(fields), actions)
    claimed = (
        Move(f.ETH_SRC, f.ND_TLL, 48),
        Move(f.ND_TARGET, f.IPV6_SRC, 128),
        Move(f.ND_TARGET, f.ADDRESS, 128),
        spoof,
    )
    yield EVERYWHERE, Flow(t.ADDRESS, 60, Match({**ICMPV6, f.ICMPV6_TYPE: ADVERTISEMENT}), claimed)
    # RFC 4862, 3810: a node without an address solicits, and tells what it listens to, from the unspecified one.
    for type in (*LISTENER_REPORTS, ROUTER_SOLICITATION, SOLICITATION):
        nobody = Match({**ICMPV6, f.ICMPV6_TYPE: type, f.IPV6_SRC: "::"})
        yield EVERYWHERE, Flow(t.ADDRESS, 60, nobody, (track,))
    asking = (Move(f.ETH_SRC, f.ND_SLL, 48), Move(f.IPV6_SRC, f.ADDRESS, 128), spoof)
    yield EVERYWHERE, Flow(t.ADDRESS, 50, Match({**ICMPV6, f.ICMPV6_TYPE: SOLICITATION}), asking)
    sender = (Move(f.ETH_SRC, f.ARP_SHA, 48), Move(f.ARP_SPA, f.ADDRESS4, 32), spoof)
    yield EVERYWHERE, Flow(t.ADDRESS, 30, Match({f.ETH_TYPE: ARP}), sender)
    yield EVERYWHERE, Flow(t.ADDRESS, 30, Match({f.ETH_TYPE: IPV4}), (Move(f.IPV4_SRC, f.ADDRESS4, 32), spoof))
    yield EVERYWHERE, Flow(t.ADDRESS, 30, Match({f.ETH_TYPE: IPV6}), (Move(f.IPV6_SRC, f.ADDRESS, 128), spoof))
    yield EVERYWHERE, Flow(t.ADDRESS, 0, Match({}), ())
    # RFC 5227: an ARP probe has no sender address.
    yield EVERYWHERE, Flow(t.SPOOF, 30, Match({f.ETH_TYPE: ARP, f.ADDRESS: 0}), (track,))
    yield EVERYWHERE, Flow(t.SPOOF, 0, Match({}), ())


def own_addresses(view: View, id: str) -> Iterator[Wanted]:
    """One flow for each address that may be sent from, with the MAC that goes with it."""
    where, port = view.row(LOCATION, id), view.row(PORT, id)
    if where is None or port is None or not where.ofport or where.set == TRUSTED:
        return
    pairs = [(port.mac_address, fixed.ip_address) for fixed in port.fixed_ips]
    pairs += [(pair.mac_address, pair.ip_address) for pair in port.allowed_address_pairs]
    macs = dict.fromkeys([port.mac_address, *(pair.mac_address for pair in port.allowed_address_pairs)])
    for mac, address in dict.fromkeys([*pairs, *((mac, link_local(mac)) for mac in macs)]):
        fields: dict[f.Field, Value] = {f.IN_PORT: where.ofport, f.ETH_SRC: mac}
        _, mask = parse(f.ADDRESS, address)
        if mask is None:
            # All 128 bits: an IPv4 address is no IPv6 one.
            fields[f.ADDRESS] = address
        else:
            fields |= {f.ETH_TYPE: IPV6 if ":" in address else IPV4, **address_match(address)}
            if ":" not in address:
                arp = Match({**fields, f.ETH_TYPE: ARP})
                yield on_host(where.host), Flow(t.SPOOF, 20, arp, (Goto(t.TRACK),))
        yield on_host(where.host), Flow(t.SPOOF, 20, Match(fields), (Goto(t.TRACK),))


@lru_cache(maxsize=1 << 16)
def link_local(mac: str) -> str:
    """RFC 4291 appendix A."""
    return str(EUI(mac).ipv6_link_local())


APP = App(name="guard", number=5, units={ALWAYS: [boot], LOCATION: [own_addresses]})
