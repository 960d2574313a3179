"""The control process: from the store and the hosts' facts, through view and compiler, to the switches.

Everything that happens is turned into puts on one list; one turn of the loop takes them all, compiles, and hands each
bridge its plan. Nothing in a turn waits; each bridge sends in a task of its own.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import structlog

from apps import APPS
from apps.contract import App, Learned, PacketOut, Unknown
from apps.contract import PacketIn as Punt
from apps.routing.answer import whom_to_ask
from controller.compile.compiler import Outcome
from controller.compile.desired import Desired
from controller.compile.ledger import UnitKey
from controller.compile.numbers import PEERS, TAGS, ZONES
from controller.model import (
    AddressGroup,
    FloatingIP,
    Host,
    Network,
    Port,
    PortForwarding,
    Record,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    SubnetPool,
)
from controller.model import Control as ControlRow
from controller.observe.metrics import ControlMetrics
from controller.reconcile.announcer import Announcer
from controller.reconcile.claims import Claims
from controller.reconcile.facts import FactWriter
from controller.reconcile.keeper import Keeper
from controller.reconcile.mendings import DATABASE, Mendings
from controller.reconcile.names import HostNames
from controller.reconcile.neighbours import Neighbours
from controller.reconcile.readiness import Readiness
from controller.reconcile.served import Served
from controller.reconcile.status import PortStatus
from controller.reconcile.switches import Switches
from controller.southbound.channel import Channel
from controller.southbound.facts import HostFacts
from controller.southbound.host import HostSession
from controller.southbound.hosts import HostListener
from controller.southbound.openflow import OpenFlowListener
from controller.southbound.packet import PacketIn
from controller.store.step import Change, Insert, Patch
from controller.store.store import Store
from controller.tls import Tls
from controller.view.network import (
    ADDRESS_GROUP,
    AWAY,
    BINDING,
    BUSY,
    FLOATING_IP,
    FORWARDING,
    GROUP,
    HOST,
    LEARNED,
    LOCATION,
    NETWORK,
    PORT,
    ROUTER,
    RULE,
    SUBNET,
    SUBNET_POOL,
    Peer,
    essence,
)
from controller.view.source import Read, Rows
from controller.view.topology import (
    FLOATING_IPS_ON_HOST,
    GATEWAYS,
    GATEWAYS_ON_HOST,
    HOSTING,
    HOSTS_OF_ROUTER,
    PORTS_OF_ROUTER,
    ROUTER_OF_PORT,
)
from controller.view.view import Put

log = structlog.get_logger()

PART = 500
"""Units that are compiled in one go when control starts: some 40 ms."""
ABSENT = 10.0
"""Seconds after its start until control takes a host that has not connected to be away."""
KINDS: dict[type[Record], Rows[Any, Any]] = {
    Network: NETWORK,
    Subnet: SUBNET,
    Port: PORT,
    SecurityGroup: GROUP,
    SecurityGroupRule: RULE,
    AddressGroup: ADDRESS_GROUP,
    SubnetPool: SUBNET_POOL,
    Router: ROUTER,
    FloatingIP: FLOATING_IP,
    PortForwarding: FORWARDING,
}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Where control listens. Addresses are HOST:PORT; port 0 takes a free one."""

    openflow: str = "127.0.0.1:6653"
    ovsdb: str = "127.0.0.1:6640"
    advertise: str | None = None
    """The controller's address as hosts reach it, where that is not the one that they dialled."""
    pki: str | None = None
    """Folder of keys and certificates: with it, hosts and bridges must speak TLS and show a certificate."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def stamp(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


class Control:
    """One per process. ``now`` and ``new_id`` are passed in so that tests decide them."""

    def __init__(
        self,
        store: Store,
        options: Options,
        apps: Sequence[App] = APPS,
        now: Callable[[], datetime] = utc_now,
        new_id: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        self.store, self._options, self._now, self._new_id = store, options, now, new_id
        self.desired = Desired(apps)
        self.view, self.compiler = self.desired.view, self.desired.compiler
        self.facts = FactWriter(store, new_id, lambda: stamp(now()))
        self.sessions: dict[str, HostSession] = {}
        self.failed: dict[UnitKey, str] = {}
        """Units that raised or clashed, with the reason."""
        self.names = HostNames()
        self.metrics = ControlMetrics(self)
        self.mendings = Mendings(lambda: stamp(now()), self.metrics.mended)
        self.switches = Switches(
            self.desired, self.sessions, self._settled, self._is_empty, self.mendings.note, self._registered
        )
        self.status = PortStatus(self.view, self.facts, self.switches.of, self.failed, self.names.shown)
        self.served = Served(self.view, self.facts, self.switches.of, self.failed)
        self.neighbours = Neighbours(
            store,
            new_id,
            put=lambda key, mac: self._put(LEARNED, key, mac),
            send=self.switches.send,
            again=lambda key: whom_to_ask(self.view, key, lambda host: self._live(host) is not None),
        )
        self.announcer = Announcer(self.view, live=self._live, settled=self.switches.settled, send=self.switches.send)
        self.keeper = Keeper(self.desired, self.sessions)
        self.readiness = Readiness(
            self.view,
            self._put,
            live=self._live,
            adopted=self.switches.adopted,
            settled=self.switches.settled,
        )
        self.version = 0
        self._puts: list[Put] = []
        self._turn_due = False
        self._claims = Claims()
        self._ready: set[str] = set()
        self._newly_ready: set[str] = set()
        self._alive: dict[str, bool] = {}
        self._hosts: HostListener | None = None
        self._tls = Tls(Path(options.pki), mutual=True) if options.pki else None
        self._openflow = OpenFlowListener(
            options.openflow, on_channel=self.switches.arrived, on_packet_in=self._on_packet_in, tls=self._tls
        )

    # ---- life
    async def start(self) -> None:
        """The store's contents are compiled before the first host is heard."""
        await self.store.start()
        stored = await self.facts.start()
        await self._openflow.start()
        for host in self.store.rows(Host).values():
            self.names.know(host.name, host.hostname)
            self._put(HOST, host.name, Peer(host.tunnel_ip, host.uplinks, host.gateway))
            self._alive[host.name] = host.alive
            if not host.alive:
                self.readiness.away(host.name, True)
        for (kind, id), facts in stored.items():
            if kind is Port and (name := self.names.system_id(facts["host_id"])) is not None:
                self._put(BINDING, id, self._claims.claim(id, name, facts["ofport"]))
            elif kind is Router and facts["gateways"]:
                self._put(GATEWAYS, id, facts["gateways"])
        for kind, rows in KINDS.items():
            for id, row in self.store.rows(kind).items():
                self._put(rows, id, essence(row))
        self.store.subscribe(self._on_store)
        self.neighbours.start()
        await self._compile_stored()
        self._hosts = HostListener(
            self._options.ovsdb,
            openflow_port=self._openflow.port,
            advertise=self._options.advertise,
            on_facts=self._on_facts,
            tls=self._tls,
            registered=self._registered,
            on_mended=lambda host, what: self.mendings.note(host, DATABASE, [("database", words) for words in what]),
        )
        await self._hosts.start()
        asyncio.get_running_loop().call_later(ABSENT, self._note_absent)

    async def _compile_stored(self) -> None:
        """Some units at a time, so that switches are answered meanwhile: one that isn't hangs up after a second, and
        waits longer each time before it tries again."""
        puts, self._puts = self._puts, []
        changed, _ = self.desired.put(puts)
        self.version += 1
        self._watch(changed)
        due = self.compiler.due(changed)
        for at in range(0, len(due), PART):
            with self.metrics.compile_seconds.time():
                outcome = self.compiler.run(due[at : at + PART])
            self.served.judge_units(self._compiled(outcome))
            await asyncio.sleep(0)

    def _note_absent(self) -> None:
        """Hosts that were there when an earlier process ended, and have not come to this one."""
        for host in list(self._alive):
            self._note_alive(host)

    async def announce(self, endpoint: str) -> None:
        """Tell the api processes where operators' questions are answered."""
        values = {"endpoint": endpoint, "started_at": stamp(self._now())}
        known = next(iter(self.store.rows(ControlRow)), None)
        if known is None:
            await self.store.commit(Insert(ControlRow(id=self._new_id(), **values)))
        else:
            await self.store.commit(Patch(ControlRow, known, values))

    @property
    def ports(self) -> tuple[int, int]:
        """The OpenFlow and OVSDB ports listened on."""
        return self._openflow.port, self._hosts.port if self._hosts is not None else 0

    @property
    def refused(self) -> int:
        """Connections for which there was no room."""
        return self._openflow.refused + (self._hosts.refused if self._hosts is not None else 0)

    async def close(self) -> None:
        if self._hosts is not None:
            await self._hosts.close()
        await self._openflow.close()
        await self.switches.close()
        await self.neighbours.close()
        await self.facts.close()
        await self.store.close()

    # ---- one way in
    def _put(self, kind: Rows[Any, Any], key: Hashable, value: object) -> None:
        self._puts.append((kind, key, value))
        if not self._turn_due:
            self._turn_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Compile all that has come in and hand out the plans."""
        self._turn_due = False
        puts, self._puts = self._puts, []
        with self.metrics.compile_seconds.time():
            turn = self.desired.turn(puts)
        for host in turn.renumbered:
            self.keeper.keep(host)
        self.version += 1
        troubled = self._compiled(turn.outcome)
        self._watch(turn.changed)
        for host in self._newly_ready:
            for bridge in self.switches.of(host):
                bridge.allow()
        self._newly_ready.clear()
        if troubled:
            self.served.judge_units(troubled)
            for host in self._ready:
                self.status.settle(host)
        self.status.settle_all()
        self.announcer.settle()

    def _compiled(self, outcome: Outcome) -> list[UnitKey]:
        """Hand out the plans; gives the units that have failed, and those that no longer do."""
        mended = [unit for unit in outcome.ran if self.failed.pop(unit, None) is not None]
        self.failed |= outcome.failed | outcome.lacking
        for host, plan in outcome.plans.items():
            for bridge in self.switches.of(host):
                bridge.add(plan, self.version)
        return [*mended, *outcome.failed, *outcome.lacking]

    def _watch(self, changed: Iterable[Read]) -> None:
        """What has changed is served when the flows that follow from it are confirmed."""
        ports: list[str] = []
        routers: set[str] = set()
        floating: set[str] = set()
        for source, key in changed:
            if source in (PORT, BINDING, LOCATION):
                ports.append(str(key))
                routers |= self.view.members(ROUTER_OF_PORT, str(key))
            elif source in (ROUTER, HOSTS_OF_ROUTER, GATEWAYS, PORTS_OF_ROUTER):
                routers.add(str(key))
                if source is GATEWAYS:
                    hosts = self.view.row(GATEWAYS, str(key))
                    self.facts.note(Router, str(key), gateways=hosts or ())
            elif source in (FLOATING_IP, HOSTING):
                floating.add(str(key))
            elif source is BUSY:
                self._may_have_moved(str(key))
            if source in (AWAY, BUSY):
                self.readiness.look(self._ready, self.version)
        self.status.watch(ports, self.version)
        for router in routers:
            self.served.watch_router(router, self.version)
        for id in floating:
            self.served.watch_floating_ip(id, self.version)
        self.announcer.look(routers | floating, self.version)

    def _may_have_moved(self, host: str) -> None:
        """A host's view of the others, or it itself as a gateway, has changed."""
        here = [*self.view.members(GATEWAYS_ON_HOST, host), *self.view.members(FLOATING_IPS_ON_HOST, host)]
        self.announcer.look(here, self.version)

    # ---- who hosts are
    def register(self, host: str, fingerprint: str) -> None:
        """The certificate with this SHA-256 (hex; "": none any more) speaks for this host."""
        self.facts.host(host, certificate=fingerprint)

    def _registered(self) -> list[tuple[str, str]]:
        return [(row.name, row.certificate) for row in self.store.rows(Host).values() if row.certificate]

    # ---- what others ask of hosts
    def _live(self, host: str) -> frozenset[str] | None:
        """Whom a host reaches by BFD; None when it is not there to tell."""
        session = self.sessions.get(host)
        there = session is not None and session.facts is not None and self.switches.connected(host)
        return session.facts.live if there and session is not None and session.facts is not None else None

    # ---- what comes from the store
    def _on_store(self, changes: list[Change]) -> None:
        for change in changes:
            if (rows := KINDS.get(change.kind)) is not None:
                self._put(rows, change.id, essence(change.new) if change.new is not None else None)
            elif isinstance(change.old, Host) and change.new is None:
                self._forget_host(change.old.name)

    def _forget_host(self, name: str) -> None:
        """An operator has removed its row. One that is still connected says again what it is."""
        if name in self.sessions:
            self._describe(self.sessions[name])
            return
        self.names.forget(name)
        self._put(HOST, name, None)
        for port in self._claims.on(name):
            self._put(BINDING, port, self._claims.release(port, name))

    # ---- what comes from hosts
    def _on_facts(self, session: HostSession, old: HostFacts | None, new: HostFacts | None) -> None:
        """A host has joined (old None), changed, or gone (new None)."""
        if new is None:
            if old is not None and self.sessions.get(old.name) is session:
                del self.sessions[old.name]
                self._ready.discard(old.name)
                self._note_alive(old.name)
            return
        name = new.name
        self.sessions[name] = session
        if old is None or _description(old) != _description(new):
            self._describe(session)
        if new.ready:
            known = old.interfaces if old is not None and name in self._ready else None
            if name not in self._ready:
                self._ready.add(name)
                self._newly_ready.add(name)
                for put in self.desired.joined(name, {TAGS: new.tags, ZONES: new.zones, PEERS: new.peers}):
                    self._put(*put)
                self._put(HOST, name, _peer(new))
            if known is not new.interfaces:
                self._on_interfaces(name, known, new.interfaces)
        self.switches.claim(new)
        if old is None or old.live is not new.live:
            self._may_have_moved(name)
            self.announcer.settle()
            before_live = old.live if old is not None else frozenset()
            self.readiness.look([name, *(before_live ^ new.live)], self.version)
        self.readiness.met(name, old.met if old is not None else frozenset(), new.met)
        if old is None:
            self.keeper.watch_peers(name)
        elif new.ready and (old.tags is not new.tags or old.zones is not new.zones or old.peers is not new.peers):
            self.keeper.keep(name)
        self._note_alive(name)

    def _on_interfaces(self, host: str, old: Mapping[str, int] | None, new: Mapping[str, int]) -> None:
        """Port -> OpenFlow port. Old None: what it had when it was last heard of, be it by an earlier process."""
        gone = (self._claims.on(host) if old is None else old.keys()) - new.keys()
        for port in sorted(gone):
            self._put(BINDING, port, self._claims.release(port, host))
        for port, ofport in sorted(new.items() - (old or {}).items()):
            self._put(BINDING, port, self._claims.claim(port, host, ofport))

    def _describe(self, session: HostSession) -> None:
        if (facts := session.facts) is not None:
            self.names.know(facts.name, facts.hostname)
            self._put(HOST, facts.name, _peer(facts))
            self.facts.host(facts.name, **_description(facts))

    def _note_alive(self, host: str) -> None:
        alive = host in self.sessions and self.switches.adopted(host)
        if self._alive.get(host, False) != alive:
            self._alive[host] = alive
            self.readiness.away(host, not alive)
            self.facts.host(host, alive=alive, seen_at=stamp(self._now()))
            log.info("host is served" if alive else "host is away", host=host)

    # ---- what comes from switches
    def _is_empty(self, host: str) -> None:
        """One of its bridges lacks all flows: as a gateway it comes last until it has them."""
        self.readiness.empty(host)
        self._turn()

    def _settled(self, host: str) -> None:
        self._note_alive(host)
        self.status.settle(host)
        self.served.settle(host)
        self.announcer.settle()
        self.readiness.look([host], self.version)

    def _on_packet_in(self, channel: Channel, packet: PacketIn) -> None:
        app = self.compiler.apps.get(packet.cookie >> 56)
        host = self.switches.host_of(channel)
        if app is None or app.answer is None or host is None:
            self.metrics.punts.labels("none", "dropped").inc()
            return
        try:
            punt = Punt(host, packet.table, packet.in_port, packet.registers, packet.data)
            for said in app.answer(punt, self.view):
                if isinstance(said, PacketOut):
                    self.switches.send(host, said)
                elif isinstance(said, Learned):
                    self.neighbours.learned(said)
                elif isinstance(said, Unknown):
                    self.neighbours.unknown(host, said)
            self.metrics.punts.labels(app.name, "done").inc()
        except Exception:
            # Costs this packet only.
            self.metrics.punts.labels(app.name, "failed").inc()
            log.exception("packet could not be answered", app=app.name, host=host, in_port=packet.in_port)


def _peer(facts: HostFacts) -> Peer:
    return Peer(facts.tunnel_ip, facts.uplinks, facts.gateway)


DESCRIPTION = ("hostname", "tunnel_ip", "version", "bridge_mappings", "uplinks", "gateway", "problem")


def _description(facts: HostFacts) -> dict[str, Any]:
    """What the store keeps of a host."""
    return {name: getattr(facts, name) for name in DESCRIPTION}
