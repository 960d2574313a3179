"""Figures of one api process with durable commits. The bounds are far below them: they catch mistakes of kind."""

import asyncio
import statistics
import time
from typing import Any

import httpx
import msgspec

from .conftest import Api


class Wire:
    """A bare HTTP client, so that what is measured is the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, url: str) -> "Wire":
        address = httpx.URL(url)
        return cls(*await asyncio.open_connection(address.host, address.port))

    async def send(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        content = b"" if body is None else msgspec.json.encode(body)
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        self.writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        answer = (await self.reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in answer if line.startswith(b"content-length:"))
        return int(answer[0].split()[1]), await self.reader.readexactly(length)


async def test_ports(api: Api, record_property: Any) -> None:
    network = api.create("network")["id"]
    api.create("subnet", network_id=network, cidr="10.0.0.0/16", ip_version=4)
    api.create("subnet", network_id=network, cidr="fd00::/64", ip_version=6)

    async def create(wire: Wire, count: int) -> None:
        for _ in range(count):
            status, content = await wire.send("POST", "/v2.0/ports", {"port": {"network_id": network}})
            assert status == 201, content

    wires = [await Wire.open(api.url) for _ in range(8)]
    began = time.perf_counter()
    await create(wires[0], 400)
    serial = 400 / (time.perf_counter() - began)
    began = time.perf_counter()
    await asyncio.gather(*(create(wire, 100) for wire in wires))
    together = 800 / (time.perf_counter() - began)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        status, content = await wires[0].send("GET", "/v2.0/ports?limit=1000")
        times.append(time.perf_counter() - began)
        assert status == 200 and len(msgspec.json.decode(content)["ports"]) == 1000
    for wire in wires:
        wire.writer.close()
    listed = statistics.median(times) * 1000
    figures = {"POST serial, 1/s": serial, "POST 8 clients, 1/s": together, "GET of 1000, ms": listed}
    print({name: round(value, 1) for name, value in figures.items()})
    for name, value in figures.items():
        record_property(name, value)
    assert serial > 50 and together > 100 and listed < 250


async def test_one_port_more_costs_the_same_at_five_thousand(api: Api) -> None:
    """The address is found without a look at those that are held."""
    network = api.create("network")["id"]
    api.create("subnet", network_id=network, cidr="10.0.0.0/16", ip_version=4)
    wire = await Wire.open(api.url)

    async def median() -> float:
        times = []
        for _ in range(60):
            began = time.perf_counter()
            status, _ = await wire.send("POST", "/v2.0/ports", {"port": {"network_id": network}})
            times.append(time.perf_counter() - began)
            assert status == 201
        return statistics.median(times)

    few = await median()
    for _ in range(10):
        status, _ = await wire.send("POST", "/v2.0/ports", {"ports": [{"network_id": network}] * 500})
        assert status == 201
    many = await median()
    wire.writer.close()
    assert many < 5 * few + 0.005, (few, many)
