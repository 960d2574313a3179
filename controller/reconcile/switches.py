"""Which switch is whose, and the bridges that are kept in step on each host."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import structlog

from apps.contract import PacketOut
from controller.compile.desired import Desired
from controller.compile.ledger import Entry
from controller.reconcile.bridge import Bridge, Report
from controller.southbound.channel import Channel
from controller.southbound.facts import HostFacts
from controller.southbound.host import HostSession
from controller.southbound.hosts import Registered
from controller.tls import stranger
from flows.fields import PORT_LOCAL
from flows.tables import BR_INT, BR_TUN
from flows.wire import action_bytes

log = structlog.get_logger()

BRIDGES = (BR_INT, BR_TUN)
"""The bridges with flows of ours."""
UNCLAIMED = 30.0
"""Seconds that a switch may wait for its host to say whose it is."""


class Switches:
    """``sessions``: hosts' OVSDB sessions. ``settled(host)`` is called whenever one of its bridges has confirmed more,
    or less; ``empty(host)`` before one without any flow is filled; ``mended`` as for Bridge."""

    def __init__(
        self,
        desired: Desired,
        sessions: Mapping[str, HostSession],
        settled: Callable[[str], None],
        empty: Callable[[str], None],
        mended: Report,
        registered: Registered,
    ) -> None:
        self.bridges: dict[tuple[str, str], Bridge] = {}
        self._desired, self._sessions, self._settled, self._empty = desired, sessions, settled, empty
        self._mended, self._registered = mended, registered
        self._serving: dict[Channel, str] = {}
        self._unclaimed: dict[int, Channel] = {}

    async def close(self) -> None:
        await asyncio.gather(*(bridge.close() for bridge in self.bridges.values()))

    # ---- what others ask
    def of(self, host: str) -> list[Bridge]:
        """A host's bridges. Made when it has first joined; before that, none."""
        if host in self._desired.numbers and (host, BR_INT) not in self.bridges:
            for name in BRIDGES:
                self.bridges[host, name] = Bridge(
                    host,
                    name,
                    partial(self._wanted, host, name),
                    partial(self._settled, host),
                    partial(self._empty, host),
                    self._mended,
                )
        return [self.bridges[host, name] for name in BRIDGES if (host, name) in self.bridges]

    def adopted(self, host: str) -> bool:
        """Have all its bridges their flows?"""
        return bool(bridges := self.of(host)) and all(bridge.adopted for bridge in bridges)

    def settled(self, host: str, version: int) -> bool:
        """Have all its bridges confirmed everything up to this version?"""
        return bool(bridges := self.of(host)) and all(bridge.settled(version) for bridge in bridges)

    def connected(self, host: str) -> bool:
        bridge = self.bridges.get((host, BR_INT))
        return bridge is not None and bridge.channel is not None

    def host_of(self, channel: Channel) -> str | None:
        return self._serving.get(channel)

    def send(self, host: str, packet: PacketOut) -> None:
        """By br-int of a host; nothing when it is not there."""
        bridge = self.bridges.get((host, BR_INT))
        if bridge is not None and bridge.channel is not None:
            # From a port that exists: see docs/field-notes.md.
            bridge.channel.packet_out(PORT_LOCAL, packet.data, b"".join(map(action_bytes, packet.actions)))

    def _wanted(self, host: str, bridge: str) -> Iterator[Entry]:
        return (e for e in self._desired.compiler.desired(host) if e.bridge == bridge)

    # ---- whose is it?
    def arrived(self, channel: Channel) -> None:
        """A switch has connected. It may come before its host has told whose it is.

        A host can say that any switch is its own; with TLS, the switch's certificate must be that host's as well.
        """
        for host, session in self._sessions.items():
            for bridge, datapath_id in session.facts.bridges.items() if session.facts is not None else ():
                if datapath_id == channel.datapath_id and self._is_of(host, channel):
                    self._serve(host, bridge, channel)
                    return
        self._unclaimed[channel.datapath_id] = channel
        asyncio.get_running_loop().call_later(UNCLAIMED, self._refuse, channel)

    def claim(self, facts: HostFacts) -> None:
        """A host has told which switches are its own."""
        for bridge, datapath_id in facts.bridges.items():
            channel = self._unclaimed.get(datapath_id)
            if channel is not None and self._is_of(facts.name, channel):
                del self._unclaimed[datapath_id]
                self._serve(facts.name, bridge, channel)

    def _is_of(self, host: str, channel: Channel) -> bool:
        reason = stranger(host, channel.certificate, self._registered())
        if reason:
            log.warning("switch is not the one that its host says it is", peer=channel.peer, reason=reason)
        return not reason

    def _refuse(self, channel: Channel) -> None:
        if self._unclaimed.get(channel.datapath_id) is channel:
            del self._unclaimed[channel.datapath_id]
            log.warning(
                "switch refused: no host that has joined says that this datapath id is its own",
                datapath_id=f"{channel.datapath_id:016x}",
                peer=channel.peer,
            )
            channel.close("no host that has joined says that this datapath id is its own")

    def _serve(self, host: str, name: str, channel: Channel) -> None:
        bridge = next((bridge for bridge in self.of(host) if bridge.name == name), None)
        if bridge is None:
            # Its host has not said all yet; it claims the channel when it has.
            self._unclaimed[channel.datapath_id] = channel
            return
        self._serving[channel] = host
        bridge.connect(channel)
        channel.closed.add_done_callback(lambda _: self._gone(bridge, channel))

    def _gone(self, bridge: Bridge, channel: Channel) -> None:
        self._serving.pop(channel, None)
        bridge.disconnect(channel)
