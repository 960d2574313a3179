"""Addresses that belong to no port: found out by asking, and watched for a change of owner."""

from collections.abc import Iterator

from apps.allowance import PUNT_HERE
from apps.contract import Wanted, on_network
from apps.routing.pipeline import ARP
from apps.switching import GROUP_BIT
from controller.view.network import LEARNED, NETWORK, OWNERS
from controller.view.view import View
from flows import fields as f
from flows import tables as t
from flows.actions import Goto, Resubmit, Set
from flows.flow import Flow
from flows.match import Match
from flows.value import Value


def learned(view: View, key: tuple[str, str]) -> Iterator[Wanted]:
    network_id, address = key
    network, mac = view.row(NETWORK, network_id), view.row(LEARNED, key)
    # An address that a port has since got is that port's.
    if network is None or mac is None or view.members(OWNERS, key):
        return
    here = on_network(network_id)
    known = Match({f.NETWORK_KEY: network.vni, f.ADDRESS: address})
    yield here, Flow(t.NEIGHBOUR, 10, known, (Set(f.MAC, mac),))
    if ":" not in address:
        speaks: dict[f.Field, Value] = {f.NETWORK_KEY: network.vni, f.ETH_TYPE: ARP, f.ARP_SPA: address}
        yield here, Flow(t.WATCH, 20, Match({**speaks, f.ARP_SHA: mac}), ())
        yield here, Flow(t.WATCH, 10, Match(speaks), PUNT_HERE)
        # Its owner announces itself: nobody must answer in its place.
        announced = Match({**speaks, f.ARP_TPA: address, f.ETH_DST: GROUP_BIT})
        yield here, Flow(t.RESOLVE, 30, announced, (Resubmit(t.WATCH), Goto(t.FLOOD)))
