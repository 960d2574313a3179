"""The controller's two listeners, what they have told, and what a test does to a host that has joined."""

import asyncio
import time
from collections.abc import Callable

from controller.southbound.channel import Channel
from controller.southbound.facts import HostFacts
from controller.southbound.host import HostSession
from controller.southbound.hosts import HostListener
from controller.southbound.openflow import OpenFlowListener
from tests.switch.vswitch import Vswitch

LIMIT = 20.0
"""Seconds that any one thing may take."""


class Control:
    """Both listeners, and what they have told."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.address = address
        self.openflow = OpenFlowListener(f"{address}:0", on_channel=self._channel, on_packet_in=lambda _, __: None)
        self.channels: dict[int, Channel] = {}
        self.facts: dict[str, HostFacts] = {}
        self.told: list[tuple[HostSession, HostFacts | None, HostFacts | None]] = []
        self.fail: Exception | None = None
        self._news = asyncio.Event()

    async def start(self, advertise: str | None = None, probe: float = 5.0) -> None:
        await self.openflow.start()
        self.hosts = HostListener(
            f"{self.address}:0",
            openflow_port=self.openflow.port,
            on_facts=self._facts,
            advertise=advertise,
            probe=probe,
        )
        await self.hosts.start()

    async def close(self) -> None:
        await self.hosts.close()
        await self.openflow.close()

    def _channel(self, channel: Channel) -> None:
        self.channels[channel.datapath_id] = channel
        self._news.set()

    def _facts(self, session: HostSession, old: HostFacts | None, new: HostFacts | None) -> None:
        if self.fail is not None:
            failure, self.fail = self.fail, None
            raise failure
        self.told.append((session, old, new))
        if new is not None:
            self.facts[new.name] = new
        elif old is not None:
            del self.facts[old.name]
        self._news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits until so much has been told that it is true."""
        async with asyncio.timeout(LIMIT):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def more(self, told: int) -> None:
        """Waits until more than so much has been told."""
        await self.until(lambda: len(self.told) > told)

    async def quiet(self, seconds: float = 0.3) -> None:
        """Waits until nothing has been told for so long."""
        told = -1
        async with asyncio.timeout(LIMIT):
            while told != len(self.told):
                told = len(self.told)
                await asyncio.sleep(seconds)

    async def ready(self, name: str) -> HostFacts:
        try:
            await self.until(lambda: name in self.facts and self.facts[name].ready)
        except TimeoutError:
            raise AssertionError(f"not ready: {self.facts.get(name)}") from None
        return self.facts[name]


async def vsctl(switch: Vswitch, *arguments: str) -> str:
    return (await asyncio.to_thread(switch.vsctl, *arguments)).strip()


async def join(switch: Vswitch, control: Control) -> None:
    await vsctl(switch, "set-manager", f"tcp:127.0.0.1:{control.hosts.port}")


async def spoilt(switch: Vswitch, control: Control, *command: str) -> HostFacts:
    """Does harm by ovs-vsctl; gives the facts when it has been made good."""
    before = len(control.told)
    await vsctl(switch, *command)
    await control.until(lambda: any(new and not new.ready for _, _, new in control.told[before:]))
    return await control.ready("h1")


async def get(switch: Vswitch, table: str, row: str, column: str) -> str:
    return (await vsctl(switch, "get", table, row, column)).strip('"')


async def eventually(true: Callable[[], object], what: str) -> None:
    """For what a switch does and tells nobody."""
    limit = time.monotonic() + LIMIT
    while not await asyncio.to_thread(true):
        assert time.monotonic() < limit, f"never: {what}"
        await asyncio.sleep(0.05)
