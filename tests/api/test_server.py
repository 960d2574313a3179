"""The process itself: where it listens, and how it ends."""

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
def test_no_address(listen: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        server.bind(listen)


def test_addresses() -> None:
    for listen, expected in (("127.0.0.1:0", "http://127.0.0.1:"), ("[::1]:0", "http://[::1]:")):
        with server.bind(listen) as listener:
            assert server.url(listener).startswith(expected)
