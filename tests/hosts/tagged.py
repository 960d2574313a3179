"""A VLAN interface for kernels without one: a tap device, and a thread that carries its frames to a card and back.

Frames of the tag leave the card's wire untagged at the tap; what the tap sends goes onto the wire with the tag.
"""

import fcntl
import os
import select
import socket
import struct
import threading
from contextlib import suppress

from tests.hosts.namespace import inside, open_socket, run

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000  # linux/if_tun.h
_SOL_PACKET, _PACKET_AUXDATA, _TAG_VALID = 263, 8, 0x10  # linux/if_packet.h
_AUXDATA = struct.Struct("=IIIHHHH")  # struct tpacket_auxdata: status … vlan_tci, vlan_tpid
DOT1Q = 0x8100


class Tagged:
    def __init__(self, namespace: str, card: str, tag: int, mac: str) -> None:
        self.device = f"{card}.{tag}"
        self._tag = tag
        with inside(namespace):
            self._tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
            fcntl.ioctl(self._tap, _TUNSETIFF, struct.pack("16sH22x", self.device.encode(), _IFF_TAP | _IFF_NO_PI))
        run(["ip", "link", "set", self.device, "address", mac], namespace=namespace)
        every = socket.htons(3)  # ETH_P_ALL
        self._card = open_socket(namespace, socket.AF_PACKET, socket.SOCK_RAW, every)
        # The kernel takes the tag off a frame that arrives, and tells of it beside the frame.
        self._card.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._card.bind((card, 3))
        self._end, self._ended = socket.socketpair()
        self._ends: list[socket.socket | int] = [self._card, self._tap, self._ended]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.close()
        self._thread.join(5.0)
        self._card.close()
        self._ended.close()
        os.close(self._tap)

    def _run(self) -> None:
        while True:
            ready = select.select(self._ends, [], [])[0]
            if self._ended in ready:
                return
            # A frame that can't be passed on is lost, as on any wire.
            with suppress(OSError):
                if self._card in ready:
                    self._inward()
                if self._tap in ready:
                    self._outward()

    def _inward(self) -> None:
        data, ancillary, _, (_, _, kind, *_) = self._card.recvmsg(65536, 200)
        for level, name, extra in ancillary:
            if (level, name) == (_SOL_PACKET, _PACKET_AUXDATA) and kind != socket.PACKET_OUTGOING:
                status, _, _, _, _, tci, _ = _AUXDATA.unpack_from(extra)
                if status & _TAG_VALID and tci & 0xFFF == self._tag:
                    os.write(self._tap, data)

    def _outward(self) -> None:
        data = os.read(self._tap, 65536)
        self._card.send(data[:12] + struct.pack("!HH", DOT1Q, self._tag) + data[12:])
