"""Labs for the tests of this folder: one for all, with a world of machines on three hosts; and one for each module that
is about routers."""

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.hosts.lab import Lab
from tests.hosts.routed import INSIDE, Routed, routed_lab
from tests.hosts.serve import Serve, free_port
from tests.hosts.world import HOSTS, PLACES, World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    if os.geteuid() != 0:
        pytest.fail("network namespaces and switches need root", pytrace=False)
    with Lab() as lab:
        for name in HOSTS:
            # One host has no system-id: it is given one.
            lab.add_host(name, system_id=name != "h3")
        lab.warm()
        controller = f"{lab.address}:{free_port(lab.address)}"
        serve = Serve(
            lab.directory,
            listen=f"127.0.0.1:{free_port('127.0.0.1')}",
            openflow=f"{lab.address}:{free_port(lab.address)}",
            ovsdb=controller,
        )
        try:
            serve.start()
            for host in lab.hosts.values():
                host.join(controller)
            serve.wait_hosts(HOSTS)
            world = World(lab, serve)
            world.make_networks()
            for place in PLACES:
                world.make_port(place)
                world.boot(place)
            for place in PLACES:
                world.wait_active(place.name)
                world.vm(place.name).dhcp()
            yield world
            world.close()
        finally:
            serve.stop()


@pytest.fixture(scope="module")
def routed() -> Iterator[Routed]:
    if os.geteuid() != 0:
        pytest.fail("network namespaces and switches need root", pytrace=False)
    with routed_lab() as made, made.serving():
        # Whatever does not work yet is for the tests to say.
        with suppress(AssertionError):
            made.settle(5.0)
        yield made


@pytest.fixture
def leaks(routed: Routed) -> Iterator[list[str]]:
    """No frame with an inside address may leave by any uplink. A test that lets some out names their networks here."""
    before, meant = routed.wire.heard(), list[str]()
    yield meant
    assert routed.wire.from_inside(INSIDE, before) <= routed.wire.from_inside(meant, before)
