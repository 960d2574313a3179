"""Which scopes' flows belong on a host."""

from collections.abc import Iterator

from apps.contract import EVERYWHERE, Scope, on_host, on_network, on_remote, on_set
from apps.security.sets import groups_of
from controller.view.network import HOST, NETWORKS_ON_HOST, REMOTES_OF_GROUP, SETS_ON_HOST
from controller.view.view import View


def follow(view: View, host: str) -> Iterator[Scope]:
    if view.row(HOST, host) is None:
        return
    yield EVERYWHERE
    yield on_host(host)
    for network in view.members(NETWORKS_ON_HOST, host):
        yield on_network(network)
    for key in view.members(SETS_ON_HOST, host):
        yield on_set(key)
        for group in groups_of(key):
            for remote in view.members(REMOTES_OF_GROUP, group):
                yield on_remote(remote)
