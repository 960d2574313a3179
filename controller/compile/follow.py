"""Which scopes' flows belong on a host."""

from collections.abc import Iterator

from apps.contract import EVERYWHERE, Scope, on_host, on_network, on_remote, on_router, on_set
from apps.security.sets import groups_of
from controller.view.network import HOST, REMOTES_OF_GROUP, SETS_ON_HOST
from controller.view.topology import PRESENT
from controller.view.view import View


def follow(view: View, host: str) -> Iterator[Scope]:
    present = view.row(PRESENT, host)
    if view.row(HOST, host) is None or present is None:
        return
    yield EVERYWHERE
    yield on_host(host)
    for network in present.networks:
        yield on_network(network)
    for router in present.routers:
        yield on_router(router)
    for key in view.members(SETS_ON_HOST, host):
        yield on_set(key)
        for group in groups_of(key):
            for remote in view.members(REMOTES_OF_GROUP, group):
                yield on_remote(remote)
