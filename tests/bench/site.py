"""What is measured: `tunbridge serve` as an operator starts it, over a database that already holds a cloud.

The cloud has ``ports`` ports, dual stack, 50 on each host, networks of 100 ports over two hosts. One or two hosts are
real switches (dummy data path); the others are known to the database only, as hosts that are away: their ports cost
control and the real switches just what they would otherwise.
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from itertools import product
from pathlib import Path
from uuid import UUID, uuid5

from controller.model import FixedIP, Host, Network, Pool, Port, SecurityGroup, SecurityGroupRule, Subnet
from controller.ovsdb import Connection, connect
from controller.store.embedded import EmbeddedServer
from controller.store.step import Insert, Step
from controller.store.store import Store
from tests.hosts import process
from tests.hosts.serve import Serve, free_port
from tests.switch.vswitch import Vswitch

A_HOST, A_NETWORK = 50, 100
APART = 200
"""So many networks have addresses of their own, and may be behind one router."""
SPACE = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
LOCAL = "127.0.0.1"
LIMIT = 60.0


def name(*parts: object) -> str:
    """A uuid that is the same in every run."""
    return str(uuid5(SPACE, "/".join(map(str, parts))))


def mac(number: int) -> str:
    return (0xFA163E000000 + number).to_bytes(6).hex(":")


def port(number: int, host: str = "", *, a_network: int = A_NETWORK, group: str = "") -> Port:
    """In the network that it is in when ``a_network`` of them are; every other is full by then."""
    network, last = divmod(number, a_network)
    four, six = f"10.{network % APART}.{last // 200}.{last % 200 + 10}", f"fd00:{network:x}::{last + 16:x}"
    fixed = tuple(
        FixedIP(id=name("fixed", number, version), subnet_id=name("subnet", network, version), ip_address=address)
        for version, address in ((4, four), (6, six))
    )
    return Port(
        id=name("port", number), network_id=name("network", network), mac_address=mac(number), fixed_ips=fixed,
        host_id=host, status="ACTIVE" if host else "DOWN", name=f"port-{number}", security_groups=(group or GROUP,),
    )  # fmt: skip


GROUP = name("group")
"""Every port of a `cloud` is in it."""


def group(id: str = GROUP, number: int = 1) -> Iterator[Step]:
    """Its rules are those of a project's default group."""
    yield Insert(SecurityGroup(id=id, number=number, name=f"group-{number}", revision_number=1))
    for direction, family in product(("ingress", "egress"), ("IPv4", "IPv6")):
        rule = name("rule", direction, family, *(() if id == GROUP else (id,)))
        remote = id if direction == "ingress" else None
        yield Insert(
            SecurityGroupRule(
                id=rule, security_group_id=id, direction=direction, ethertype=family, remote_group_id=remote
            )
        )


def network(number: int) -> Iterator[Step]:
    """With its subnets."""
    id = name("network", number)
    yield Insert(Network(id=id, vni=number + 1, name=f"net-{number}"))
    for version, cidr, gateway, last in (
        (4, f"10.{number % APART}.0.0/16", f"10.{number % APART}.0.1", f"10.{number % APART}.255.254"),
        (6, f"fd00:{number:x}::/64", f"fd00:{number:x}::1", f"fd00:{number:x}::ffff"),
    ):
        subnet = Subnet(
            id=name("subnet", number, version), network_id=id, cidr=cidr, ip_version=version, gateway_ip=gateway,
            allocation_pools=(Pool(gateway[:-1] + "2", last),), enable_dhcp=version == 4,
        )  # fmt: skip
        yield Insert(subnet)


def away(number: int) -> Insert:
    """A host that only the database knows."""
    address = f"172.31.{number // 250}.{number % 250 + 1}"
    return Insert(Host(id=name("host", number), name=f"away-{number}", tunnel_ip=address))


def cloud(ports: int, first_host: int, host_size: int) -> Iterator[list[Step]]:
    """In batches: networks with their subnets, hosts, ports. Host 0 is ``first_host`` ports large (they are given to
    real switches), the others are away."""
    steps: list[Step] = list(group())
    for number in range((ports + A_NETWORK) // A_NETWORK):
        steps += network(number)
    steps += [away(number + 1) for number in range(-(-max(0, ports - first_host) // host_size))]
    yield steps
    steps = []
    for number in range(ports):
        host = "" if number < first_host else f"away-{(number - first_host) // host_size + 1}"
        steps.append(Insert(port(number, host)))
        if len(steps) == 500:
            yield steps
            steps = []
    yield steps


class Site:
    """``hosts`` are the real ones."""

    def __init__(self, directory: Path, serve: Serve) -> None:
        self.serve = serve
        self.url = serve.url
        self.store = Store([f"unix:{serve.directory / 'data' / 'db.sock'}"])
        self.hosts: dict[str, Vswitch] = {}
        self.sessions: dict[str, Connection] = {}
        self._changed = asyncio.Event()

    async def join(self, host: str, tunnel_ip: str, ports: range = range(0)) -> None:
        """A real switch with interfaces for these ports; returns when it is served."""
        await self.start_switch(host, tunnel_ip)
        await asyncio.to_thread(self.serve.wait_hosts, [host])
        await self.plug(host, [(number, name("port", number)) for number in ports])
        await self.until(lambda: all(self.port(n).status == "ACTIVE" for n in ports), f"{len(ports)} ports are ACTIVE")

    async def start_switch(self, host: str, tunnel_ip: str, *settings: str) -> None:
        """It connects from now on."""
        switch = self.hosts[host] = Vswitch()
        await asyncio.to_thread(switch.start)
        ids = [f"external_ids:{key}={value}" for key, value in (("system-id", host), ("hostname", host))]
        ids.append(f"external_ids:ovn-encap-ip={tunnel_ip}")
        await asyncio.to_thread(switch.vsctl, "set", "Open_vSwitch", ".", *ids, *settings)
        await asyncio.to_thread(switch.vsctl, "set-manager", f"tcp:{self.serve.ovsdb}")
        self.sessions[host] = await connect(switch.database)

    async def plug(self, host: str, ports: list[tuple[int, str]]) -> None:
        """Interfaces by (number, iface-id); "" for one that nobody has yet."""
        arguments: list[str] = []
        for number, id in ports:
            tap = f"t{number}"
            arguments += ["--", "add-port", "br-int", tap, "--", "set", "Interface", tap, "type=dummy"]
            arguments += [f"external_ids:iface-id={id}"] if id else []
        if arguments:
            await asyncio.to_thread(self.hosts[host].vsctl, *arguments[1:])

    async def give(self, host: str, ids: Mapping[str, str]) -> None:
        """Write ports' ids to interfaces that are there, by name, as a hypervisor does; over an open connection."""
        operations = [
            {
                "op": "mutate", "table": "Interface", "where": [["name", "==", tap]],
                "mutations": [["external_ids", "insert", ["map", [["iface-id", id]]]]],
            }
            for tap, id in ids.items()
        ]  # fmt: skip
        await self.sessions[host].transact("Open_vSwitch", *operations)

    def rows(self) -> Mapping[str, Port]:
        return self.store.rows(Port)

    def port(self, number: int) -> Port:
        return self.store.rows(Port)[name("port", number)]

    async def until(self, true: Callable[[], bool], what: str, limit: float = LIMIT) -> None:
        try:
            async with asyncio.timeout(limit):
                while not true():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"not within {limit:.0f} s: {what}") from None

    def cpu(self, process_name: str) -> float:
        """CPU seconds that one of its processes has used."""
        fields = Path(f"/proc/{self.serve.child(process_name)}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, process_name: str) -> float:
        """Resident MiB."""
        pages = int(Path(f"/proc/{self.serve.child(process_name)}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    async def start(self) -> None:
        await asyncio.to_thread(self.serve.start)
        await self.store.start()
        self.store.subscribe(lambda _: self._changed.set())


def site(ports: int = 0, first_host: int = 0, host_size: int = A_HOST) -> AbstractAsyncContextManager[Site]:
    """A cloud of so many ports; the first ``first_host`` of them belong to no host yet."""
    return served(cloud(ports, first_host, host_size))


@contextlib.asynccontextmanager
async def served(batches: Iterable[list[Step]]) -> AsyncIterator[Site]:
    """What the batches write is in the database before anything starts."""
    with tempfile.TemporaryDirectory(prefix="tbb-") as folder:
        directory = Path(folder)
        serve = Serve(
            directory, listen=f"{LOCAL}:{free_port(LOCAL)}", openflow=f"{LOCAL}:{free_port(LOCAL)}",
            ovsdb=f"{LOCAL}:{free_port(LOCAL)}",
        )  # fmt: skip
        serve.directory.mkdir()
        database = EmbeddedServer(serve.directory / "data")
        await database.start()
        store = Store([database.remote])
        await store.start()
        for steps in batches:
            await store.commit(*steps)
        await store.close()
        await database.stop()
        made = Site(directory, serve)
        try:
            await made.start()
            yield made
        finally:
            for session in made.sessions.values():
                session.close()
            await made.store.close()
            for switch in made.hosts.values():
                await asyncio.to_thread(switch.stop)
            await asyncio.to_thread(serve.stop)
            assert not process.owned(directory), "processes are left"
