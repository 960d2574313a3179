"""The process itself: where it listens, and how it ends."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from controller.northbound import server

from .conftest import ROOT, Api

SERVE = "import sys; from controller.northbound.server import serve; serve(sys.argv[1], sys.argv[2:])"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_unix_socket_and_signals(api: Api, tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "api.sock"
    process = subprocess.Popen([sys.executable, "-c", SERVE, f"unix:{path}", api.remote], cwd=ROOT)
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://api") as client:
            limit = time.monotonic() + 20
            while time.monotonic() < limit:
                try:
                    assert client.get("/healthz").json() == {"status": "ok"}
                    break
                except httpx.TransportError:
                    time.sleep(0.05)
            assert client.get("/").json()["versions"][0]["links"][0]["href"] == "http://api/v2.0/"
            process.send_signal(number)
            assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("listen", ["", "9696", "127.0.0.1:", "127.0.0.1:x"])
async def test_no_address(api: Api, listen: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        await server.run(listen, [api.remote])


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:0"])
async def test_listens_where_told_until_cancelled(api: Api, listen: str) -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(server.run(listen, [api.remote], ready.set_result))
    url = await asyncio.wait_for(ready, 20)
    assert url.startswith("http://" + listen[:-1])
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/healthz")).status_code == 200
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
