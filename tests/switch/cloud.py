"""Control in this process, on a real database, and as many dummy switches as wanted that join it as hosts."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from apps import APPS
from apps.contract import App
from controller.control import Control, Options
from controller.model import FixedIP, Host, Network, Port, Subnet
from controller.store.embedded import EmbeddedServer
from controller.store.step import Insert
from controller.store.store import Store
from tests.switch.vswitch import Vswitch

LIMIT = 30.0


class Cloud:
    """``async with Cloud(directory) as cloud``. ``store`` is as an api process has it: with facts."""

    def __init__(self, directory: Path, apps: Sequence[App] = APPS) -> None:
        self.database = EmbeddedServer(directory)
        self.store = Store([self.database.remote])
        self.apps = apps
        self.control = self._control(Options(openflow="127.0.0.1:0", ovsdb="127.0.0.1:0"))
        self.switches: dict[str, Vswitch] = {}
        self._changed = asyncio.Event()

    def _control(self, options: Options) -> Control:
        return Control(Store([self.database.remote], facts=False), options, apps=self.apps)

    async def __aenter__(self) -> Self:
        await self.database.start()
        await self.store.start()
        self.store.subscribe(lambda _: self._changed.set())
        await self.control.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for switch in self.switches.values():
            await asyncio.to_thread(switch.stop)
        await self.control.close()
        await self.store.close()
        await self.database.stop()

    async def restart_control(self, meanwhile: Awaitable[None] | None = None) -> None:
        """Another one at the same addresses, with nothing but the database to know things from."""
        openflow, ovsdb = self.control.ports
        await self.control.close()
        if meanwhile is not None:
            await meanwhile
        self.control = self._control(Options(openflow=f"127.0.0.1:{openflow}", ovsdb=f"127.0.0.1:{ovsdb}"))
        await self.control.start()

    async def adopted(self, count: int) -> None:
        """Waits until so many bridges are there, all of them in step."""
        bridges = self.control.switches.bridges
        await self.until(lambda: len(bridges) == count and all(b.adopted for b in bridges.values()), "all is adopted")

    async def join(self, name: str, tunnel_ip: str = "172.31.0.1") -> Vswitch:
        """A switch that dials in, and is served when this returns."""
        switch = self.switches[name] = Vswitch()
        await asyncio.to_thread(switch.start)
        ids = [f"external_ids:system-id={name}", f"external_ids:ovn-encap-ip={tunnel_ip}"]
        await self.vsctl(name, "set", "Open_vSwitch", ".", *ids)
        await self.vsctl(name, "set-manager", f"tcp:127.0.0.1:{self.control.ports[1]}")
        await self.until(lambda: self.host(name).alive, f"{name} is served")
        return switch

    async def vsctl(self, host: str, *arguments: str) -> str:
        return await asyncio.to_thread(self.switches[host].vsctl, *arguments)

    async def flows(self, host: str, bridge: str = "br-int") -> list[str]:
        """What the switch has once everything up to now is confirmed."""
        kept = self.control.switches.bridges.get((host, bridge))
        async with asyncio.timeout(LIMIT):
            while kept is not None and kept.channel is not None and not kept.settled(self.control.version):
                await asyncio.sleep(0.005)  # a bridge tells control alone
        switch = self.switches[host]
        dump = await asyncio.to_thread(lambda: switch.ofctl("dump-flows", bridge, options=["--no-stats"]))
        return sorted(line.strip() for line in dump.splitlines() if "actions=" in line)

    def host(self, name: str) -> Host:
        rows = [row for row in self.store.rows(Host).values() if row.name == name]
        return rows[0] if rows else Host(id="", name=name)

    def port(self, id: str) -> Port:
        return self.store.rows(Port)[id]

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Waits for the store to say so."""
        try:
            async with asyncio.timeout(LIMIT):
                while not true():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"not within {LIMIT:.0f} s: {what}") from None

    async def network(self, vni: int = 100) -> tuple[Network, Subnet]:
        network = Network(id=str(uuid4()), vni=vni)
        subnet = Subnet(id=str(uuid4()), network_id=network.id, cidr="10.0.0.0/24", ip_version=4, gateway_ip="10.0.0.1")
        await self.store.commit(Insert(network), Insert(subnet))
        return network, subnet

    async def new_port(self, subnet: Subnet, number: int, name: str = "", groups: tuple[str, ...] = ()) -> Port:
        fixed = FixedIP(id=str(uuid4()), subnet_id=subnet.id, ip_address=f"10.0.0.{number}")
        mac = f"fa:16:3e:00:00:{number:02x}"
        port = Port(
            id=str(uuid4()), network_id=subnet.network_id, mac_address=mac, fixed_ips=(fixed,), name=name,
            security_groups=groups,
        )  # fmt: skip
        await self.store.commit(Insert(port))
        return port

    async def plug(self, host: str, port: Port) -> None:
        """An interface with the port's id appears on a host."""
        tap = f"tap{port.id[:11]}"
        ids = f"external_ids:iface-id={port.id}"
        await self.vsctl(host, "add-port", "br-int", tap, "--", "set", "Interface", tap, "type=dummy", ids)

    async def unplug(self, host: str, port: Port) -> None:
        await self.vsctl(host, "del-port", "br-int", f"tap{port.id[:11]}")

    async def status(self, port: Port, status: str, host: str = "") -> Port:
        """Waits until the port has this status (on this host)."""
        await self.until(
            lambda: self.port(port.id).status == status and self.port(port.id).host_id == host,
            f"port {port.name or port.id} is {status} on {host or 'no host'}",
        )
        return self.port(port.id)
