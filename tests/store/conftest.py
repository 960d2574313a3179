import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from controller.store import EmbeddedServer, Store


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: unix sockets live in it."""
    path = Path(tempfile.mkdtemp(prefix="tb-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def server(folder: Path) -> AsyncIterator[EmbeddedServer]:
    server = EmbeddedServer(folder / "data")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def store(server: EmbeddedServer) -> AsyncIterator[Store]:
    store = Store([server.remote])
    await store.start()
    yield store
    await store.close()
