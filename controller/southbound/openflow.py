"""Where switches dial in."""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from controller.listening import listening
from controller.southbound.channel import Channel
from controller.southbound.packet import PacketIn
from controller.tls import Refusal, Server, Tls, accept

log = structlog.get_logger()

MOST = 8192
"""Connections at a time: four thousand hosts."""


class OpenFlowListener:
    """Accepts switches and keeps their channels; one channel a datapath.

    ``address``: as for :func:`listening`; port 0 takes a free one, see :attr:`port`. ``on_channel``: a switch has said
    who it is; its end is ``channel.closed`` (when it has connected anew, the old one's end is told after the new one's
    beginning). ``probe``: seconds of silence after which a switch is asked for a sign of life.
    """

    def __init__(
        self,
        address: str,
        *,
        on_channel: Callable[[Channel], None],
        on_packet_in: Callable[[Channel, PacketIn], None],
        probe: float = 5.0,
        tls: Tls | None = None,
    ) -> None:
        self._address, self._tls = address, tls
        self._on_channel, self._on_packet_in, self._probe = on_channel, on_packet_in, probe
        self.refused = 0
        """Connections for which there was no room."""
        self._server: Server | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._all: set[Channel] = set()
        self._channels: dict[int, Channel] = {}

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else 0

    @property
    def channels(self) -> Mapping[int, Channel]:
        """Datapath id -> the channel that is up."""
        return self._channels

    async def start(self) -> None:
        """Raises OSError when the address can't be had."""
        loop = asyncio.get_running_loop()
        self._server = await accept(listening(self._address), self._accept, self._tls)
        self._tick = loop.call_later(self._probe / 4, self._probe_all)

    async def close(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
        if self._server is not None:
            self._server.close()
        for channel in list(self._all):
            channel.close("the controller stops")
        if self._server is not None:
            await self._server.wait_closed()

    def _accept(self) -> asyncio.Protocol:
        if len(self._all) >= MOST:
            self.refused += 1
            return Refusal("OpenFlow", MOST)
        channel = Channel(on_up=self._up, on_packet_in=self._on_packet_in)
        self._all.add(channel)
        channel.closed.add_done_callback(lambda _: self._gone(channel))
        return channel

    def _up(self, channel: Channel) -> None:
        old = self._channels.get(channel.datapath_id)
        told = log.bind(peer=channel.peer, datapath=f"{channel.datapath_id:016x}")
        if old is not None and not old.closed.done():
            if old.host != channel.host:
                # Two switches with one id. The first keeps it as long as it lives: probes find out.
                told.warning("switch refused: its datapath id is in use", by=old.peer)
                channel.close(f"datapath id {channel.datapath_id:016x} is in use by {old.peer}")
                return
            told.info("switch connects anew, its old connection is closed", old=old.peer)
            old.close(f"the switch has connected anew from {channel.peer}")
        self._channels[channel.datapath_id] = channel
        told.info("switch connected")
        self._on_channel(channel)

    def _gone(self, channel: Channel) -> None:
        self._all.discard(channel)
        if self._channels.get(channel.datapath_id) is channel:
            del self._channels[channel.datapath_id]

    def _probe_all(self) -> None:
        for channel in list(self._all):
            channel.probe(self._probe)
        self._tick = asyncio.get_running_loop().call_later(self._probe / 4, self._probe_all)
