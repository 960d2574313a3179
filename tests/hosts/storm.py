"""Many new TCP connections a second between two virtual machines on one host.

``storm(rate, seconds)`` makes the lab; ``python -m tests.hosts.storm serve|open …`` are its two ends.
"""

import asyncio
import json
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from typing import NamedTuple

import uvloop

from tests.hosts.lab import Lab
from tests.hosts.namespace import entering
from tests.hosts.serve import Serve, free_port
from tests.hosts.tenant import Tenant

PORT = 8080
PATIENCE = 10.0
"""Seconds after which a connection is lost."""


class Storm(NamedTuple):
    opened: int
    lost: int
    seconds: float
    deaths: int
    """How often ovs-vswitchd has died of it."""

    @property
    def rate(self) -> float:
        return self.opened / self.seconds


def storm(rate: int, seconds: float) -> Storm:
    with Lab() as lab, ExitStack() as stack:
        lab.add_host("h1", system_id=True)
        controller = f"{lab.address}:{free_port(lab.address)}"
        openflow = f"{lab.address}:{free_port(lab.address)}"
        serve = Serve(lab.directory, listen=f"127.0.0.1:{free_port('127.0.0.1')}", openflow=openflow, ovsdb=controller)
        stack.callback(serve.stop)
        serve.start()
        host = lab.hosts["h1"]
        host.join(controller)
        serve.wait_hosts(["h1"])
        tenant = Tenant(serve.url, "storm")
        stack.callback(tenant.close)
        network = tenant.network("storm")
        tenant.subnet(network, "10.0.0.0/24")
        vms = []
        for name, address in (("near", "10.0.0.11"), ("far", "10.0.0.12")):
            port = tenant.port(network, name, address)
            vms.append(lab.add_vm(name, "h1", port["id"], port["mac_address"], mtu=1450))
            tenant.wait_port(port["id"], {"status": "ACTIVE"})
            vms[-1].dhcp()
        near, far = vms
        assert near.ping("10.0.0.12").received
        before = host.pid("ovs-vswitchd")
        me = [sys.executable, "-m", "tests.hosts.storm"]
        server = subprocess.Popen([*entering(far.namespace), *me, "serve"], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            opening = [*entering(near.namespace), *me, "open", "10.0.0.12", str(rate), str(seconds)]
            told = json.loads(
                subprocess.run(opening, stdout=subprocess.PIPE, text=True, timeout=120, check=True).stdout
            )
        finally:
            server.kill()
            server.wait()
        # One that has died is started again by nobody here.
        alive = near.ping("10.0.0.12").received > 0 and host.pid("ovs-vswitchd") == before
        return Storm(told["opened"], told["lost"], told["seconds"], 0 if alive else 1)


async def answer() -> None:
    async def one(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"!")
        with suppress(OSError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(one, "0.0.0.0", PORT, backlog=4096)
    print("ready", flush=True)
    await server.serve_forever()


async def open_many(address: str, rate: int, seconds: float) -> None:
    lost = 0

    async def one() -> None:
        nonlocal lost
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection(address, PORT)
                if await reader.read(1) != b"!":
                    lost += 1
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError):
            lost += 1

    begun = time.perf_counter()
    count = int(rate * seconds)
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            wait = begun + number / rate - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            group.create_task(one())
    print(json.dumps({"opened": count, "lost": lost, "seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        uvloop.run(answer())
    else:
        uvloop.run(open_many(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
