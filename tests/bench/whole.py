"""Whole switches and whole controllers: from empty, after a restart, and many at once."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec

from controller.model import Host
from tests.bench.row import ABOVE, AT_MOST, BELOW, Row, bench, row
from tests.bench.site import Site, site
from tests.switch.vswitch import Vswitch

MANY = 200
IDLE = 10.0
"""Seconds of idling that are measured."""


def written(made: Site) -> int:
    """Flow messages that switches have accepted since control's start, by its own metric."""
    answer = httpx.get(f"{endpoint(made)}/metrics", trust_env=False, timeout=10).text
    return int(
        float(next(line for line in answer.splitlines() if line.startswith("tunbridge_flows_written ")).split()[1])
    )


def endpoint(made: Site) -> str:
    from controller.model import Control

    return next(iter(made.store.rows(Control).values())).endpoint


BRIDGES = ("br-int", "br-tun")


def flow_count(switch: Vswitch, bridge: str) -> int:
    return int(switch.ofctl("dump-aggregate", bridge).rpartition("flow_count=")[2])


async def total(switch: Vswitch) -> int:
    return sum([await asyncio.to_thread(flow_count, switch, bridge) for bridge in BRIDGES])


@bench("build")
async def build() -> list[Row]:
    """1,000 ports, all on one switch: emptied while control is away, and control killed and started again."""
    async with site(1000, 1000) as made:
        await made.join("h1", "172.30.0.1", range(1000))
        full = await total(made.hosts["h1"])
        restart = (await killed(made, "h1")).begun
        rewritten = written(made)
        built = await killed(made, "h1", empty=True)
        assert await total(made.hosts["h1"]) == full
        rate = full / built.sending
        reference = await asyncio.to_thread(add_flows, made.hosts["h1"], made.serve.directory)
    how = f"{full} flows, kill -9 of control until both bridges are adopted again (process start included)"
    return [
        row(
            "all flows of an empty switch", 1000, built.connected, "s", BELOW, 2,
            f"{full} flows, from the switch's connection to their confirmation, by control's log",
        ),
        row(
            "flows a second, of what ovs-ofctl reaches", 1000, rate / reference, "times", ABOVE, 0.5,
            f"{rate:,.0f} a second from the first to the last's confirmation, and {reference:,.0f} by ovs-ofctl "
            "--bundle add-flows with the same flows on another bridge there",
        ),
        row("restart of control, flows rewritten", 1000, rewritten, "flows", AT_MOST, 0, how),
        row("restart of control, until adopted", 1000, restart, "s", BELOW, 3, how),
    ]  # fmt: skip


class Adoption(msgspec.Struct, frozen=True):
    """Seconds until the last of a host's bridges was adopted, by control's log."""

    begun: float
    """From what was done to control or the host."""
    connected: float
    """From the first bridge's connection."""
    sending: float
    """From the first flow message."""


async def killed(made: Site, host: str, *, empty: bool = False) -> Adoption:
    """Control is; ``empty``: and the host's flows are deleted meanwhile."""

    async def kill() -> None:
        await asyncio.to_thread(made.serve.kill, "control")
        for bridge in BRIDGES if empty else ():
            await asyncio.to_thread(made.hosts[host].ofctl, "del-flows", bridge)

    return await adoption(made, host, kill)


async def adoption(made: Site, host: str, after: Callable[[], Awaitable[None]]) -> Adoption:
    begun = datetime.now(UTC)
    await after()
    await made.until(lambda: not alive(made, host), f"it is noticed that {host} is not served")
    await made.until(lambda: alive(made, host), f"{host} is adopted")
    lines = [json.loads(line) for line in made.serve.log.read_text().splitlines() if line.startswith("{")]
    times = [(line, datetime.fromisoformat(line["timestamp"])) for line in lines if "timestamp" in line]
    since = [(line, at) for line, at in times if at > begun]
    connected = min(at for line, at in since if line["event"] == "switch connected")
    adopted = [(line, at) for line, at in since if line["event"] == "adopted"]
    last = max(at for _, at in adopted)
    sending = min(at - timedelta(seconds=line["seconds"]) for line, at in adopted)
    return Adoption(*((last - at).total_seconds() for at in (begun, connected, sending)))


def alive(made: Site, host: str) -> bool:
    return any(row.alive for row in made.store.rows(Host).values() if row.name == host)


def add_flows(switch: Vswitch, folder: Path) -> float:
    """Flows a second that `ovs-ofctl --bundle add-flows` reaches with what is on br-int now, on another bridge of the
    same switch: a switch with many ports takes flows more slowly than one without."""
    lines = [
        line.split(", ", 1)[1] if line.strip().startswith("cookie=") else line.strip()
        for line in switch.ofctl("dump-flows", "br-int", options=("--no-stats", "--no-names")).splitlines()
        if "actions=" in line
    ]
    file = folder / "flows"
    file.write_text("\n".join(lines) + "\n")
    switch.add_bridge("other", 9)
    # Flows name the meters of their ports.
    meters = [
        line.split()[0] for line in switch.ofctl("dump-meters", "br-int").splitlines() if line.startswith("meter=")
    ]
    for meter in meters:
        switch.ofctl("add-meter", "other", f"{meter},pktps,burst,band=type=drop,rate=100,burst_size=100")
    begun = time.perf_counter()
    switch.ofctl("add-flows", "other", str(file), options=("--bundle",))
    took = time.perf_counter() - begun
    there = flow_count(switch, "other")
    switch.vsctl("del-br", "other")
    assert there == len(lines), f"{there} of {len(lines)} flows were added"
    return len(lines) / took


@bench("join")
async def join() -> list[Row]:
    """Hosts with an ovsdb-server and an ovs-vswitchd each."""
    async with site() as made:
        switches = {f"s{n}": Vswitch() for n in range(MANY)}
        try:
            for name, switch in switches.items():
                await asyncio.to_thread(switch.start)
                ids = [f"external_ids:system-id={name}", f"external_ids:hostname={name}"]
                threads = ["other_config:n-handler-threads=1", "other_config:n-revalidator-threads=1"]
                await asyncio.to_thread(switch.vsctl, "--no-wait", "set", "Open_vSwitch", ".", *ids, *threads)
            begun = time.perf_counter()
            before = made.cpu("control")
            target = f"tcp:{made.serve.ovsdb}"
            for switch in switches.values():
                await asyncio.to_thread(switch.vsctl, "--no-wait", "set-manager", target)
            await made.until(
                lambda: sum(row.alive for row in made.store.rows(Host).values()) == MANY, f"{MANY} are served"
            )
            joined, cpu = time.perf_counter() - begun, made.cpu("control") - before
            await asyncio.sleep(2)
            before, begun = made.cpu("control"), time.perf_counter()
            await asyncio.sleep(IDLE)
            idle = (made.cpu("control") - before) / (time.perf_counter() - begun) * 100
        finally:
            for switch in switches.values():
                await asyncio.to_thread(switch.stop)
    how = f"each with its own ovsdb-server and ovs-vswitchd on this machine; control used {cpu:.1f} s of CPU"
    return [
        row(f"{MANY} switches join, all served", MANY, joined, "s", BELOW, 20, how),
        row(f"{MANY} switches, idle CPU of control", MANY, idle, "%", BELOW, 5, f"of one core, over {IDLE:.0f} s"),
    ]
