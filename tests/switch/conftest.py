"""A switch for a module, and a controller and a host that have not met, for a test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.switch.listeners import Control, vsctl
from tests.switch.vswitch import Vswitch


@pytest.fixture(scope="module")
def switch() -> Iterator[Vswitch]:
    with Vswitch() as running:
        yield running


@pytest.fixture
async def control() -> AsyncIterator[Control]:
    made = Control()
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def host(switch: Vswitch) -> AsyncIterator[Vswitch]:
    """A vswitchd that has joined nothing yet and has no bridge."""
    await vsctl(switch, "set", "Open_vSwitch", ".", "external_ids:system-id=h1", "external_ids:hostname=one.example")
    yield switch
    await vsctl(switch, "del-manager")
    for bridge in (await vsctl(switch, "list-br")).split():
        await vsctl(switch, "del-br", bridge)
    await vsctl(switch, "clear", "Open_vSwitch", ".", "external_ids")
