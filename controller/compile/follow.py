"""Which scopes' flows belong on a host."""

from collections.abc import Iterator

from apps.contract import EVERYWHERE, Scope, on_host, on_network
from controller.view.network import HOST, NETWORKS_ON_HOST
from controller.view.view import View


def follow(view: View, host: str) -> Iterator[Scope]:
    if view.row(HOST, host) is None:
        return
    yield EVERYWHERE
    yield on_host(host)
    for network in view.members(NETWORKS_ON_HOST, host):
        yield on_network(network)
