"""The smallest HTTP client there is, so that what is measured is the server."""

import asyncio
import json
import time
from typing import Any


class Client:
    """One kept-alive connection."""

    def __init__(self, url: str) -> None:
        self._host, _, port = url.removeprefix("http://").rpartition(":")
        self._port = int(port)

    async def _open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=1 << 26)

    async def __aenter__(self) -> "Client":
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, method: str, path: str, body: Any = None) -> bytes:
        """The body of a 2xx answer; RuntimeError for another."""
        if self._reader.at_eof():  # the server hangs up on whoever has said nothing for five seconds
            self._writer.close()
            await self._open()
        data = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", "Host: bench", "Content-Type: application/json"]
        head += [f"Content-Length: {len(data)}", "", ""]
        self._writer.write("\r\n".join(head).encode() + data)
        top = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in top.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        answer = await self._reader.readexactly(length)
        if top[9:10] != b"2":
            raise RuntimeError(f"{method} {path}: {top[:40]!r} {answer[:300]!r}")
        return answer

    async def new_port(self, network: str, **values: Any) -> dict[str, Any]:
        answer = await self.ask("POST", "/v2.0/ports", {"port": {"network_id": network} | values})
        return json.loads(answer)["port"]  # type: ignore[no-any-return]


async def new_network(client: Client, cidr: str = "10.8.0.0/16") -> str:
    answer = json.loads(await client.ask("POST", "/v2.0/networks", {"network": {}}))
    network = str(answer["network"]["id"])
    await client.ask("POST", "/v2.0/subnets", {"subnet": {"network_id": network, "cidr": cidr, "ip_version": 4}})
    return network


async def rate(url: str, clients: int, requests: int, network: str) -> float:
    """POST /ports a second."""

    async def run(count: int) -> None:
        async with Client(url) as client:
            for _ in range(count):
                await client.new_port(network)

    begun = time.perf_counter()
    await asyncio.gather(*(run(requests // clients) for _ in range(clients)))
    return requests / (time.perf_counter() - begun)
