"""What ofproto/trace says becomes of one packet on one host: every copy that leaves, and with which headers."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from flows.tables import VXLAN

Headers = dict[str, str]
"""In the words of ovs-fields(7): dl_src, dl_dst, nw_src, nw_ttl …"""
_TUNNEL = re.compile(r"set_field:([0-9a-f.:]+)->tun_(?:ipv6_)?dst")
_TUN_ID = re.compile(r"set_field:(\w+)->tun_id")
_WORDS = {
    "eth": {"src": "dl_src", "dst": "dl_dst"},
    "ipv4": {"src": "nw_src", "dst": "nw_dst", "ttl": "nw_ttl"},
    "ipv6": {"src": "ipv6_src", "dst": "ipv6_dst", "hlimit": "nw_ttl"},
    "icmp": {"type": "icmp_type", "code": "icmp_code"},
    "icmpv6": {"type": "icmpv6_type", "code": "icmpv6_code"},
}  # fmt: skip
"""What data path actions set -> field."""


class Copy(NamedTuple):
    """Of the packet, where it leaves."""

    bridge: str
    port: int
    headers: Headers
    tunnel: str
    """Of what goes into a tunnel: the other host's address; else empty."""


class Trace:
    """``ports``: number in the data path -> (bridge, OpenFlow port). ``large``: the packet exceeds every MTU."""

    def __init__(
        self, text: str, ports: Mapping[int, tuple[str, int]], packet: Mapping[str, str], *, large: bool = False
    ) -> None:
        self.text, self._ports, self._large = text, ports, large
        sections = re.split(r"^recirc\((0x[0-9a-f]+)\) - .*$", text, flags=re.M)
        self._sections = dict(zip(["", *sections[1::2]], sections[::2], strict=True))
        self.copies: list[Copy] = []
        self.punted = False
        """The controller gets it."""
        self.recirculations = 0
        self._section("", dict(packet))
        self.resubmits = len(re.findall(r"^ +resubmit\(", text, re.M))
        found = _TUN_ID.findall(text)
        self.tunnel_id = str(found[-1]) if found else ""

    def _section(self, id: str, headers: Headers) -> None:
        """From the beginning, or from where conntrack has handed the packet back."""
        text = self._sections[id]
        actions = re.findall(r"^Datapath actions: (.*)$", text, re.M)
        assert len(actions) == 1, self.text
        self._follow(actions[0], headers, _tunnels(text))

    def _follow(self, actions: str, headers: Headers, tunnels: Iterator[str], *, taken: bool = True) -> None:
        """``taken`` False: a branch that is only in the text, so that its tunnels are passed over."""
        for name, inside in _split(actions):
            if name.isdecimal():
                bridge, port = self._ports[int(name)]
                copy = Copy(bridge, port, dict(headers), next(tunnels) if bridge.startswith("t-") else "")
                if taken:
                    self.copies.append(copy)
            elif name == "set":
                ((layer, values),) = _split(inside)
                words = _WORDS.get(layer, {})
                headers |= {words[key]: value for key, value in re.findall(r"(\w+)=([^,/]+)", values) if key in words}
            elif name == "recirc" and taken:
                self.recirculations += 1
                self._section(inside, dict(headers))
            elif name == "clone":
                self._follow(inside, dict(headers), tunnels, taken=taken)
            elif name == "check_pkt_len":
                for which, branch in _split(inside):
                    if which != "size":
                        taking = taken and (which == "gt") == self._large
                        self._follow(branch, dict(headers), tunnels, taken=taking)
            elif name == "userspace":
                self.punted |= taken and "controller(" in inside


def _tunnels(text: str) -> Iterator[str]:
    bridge = destination = ""
    for line in text.splitlines():
        if line.startswith('bridge("'):
            bridge = line.split('"')[1]
        elif found := _TUNNEL.search(line):
            destination = found[1]
        elif bridge.startswith("t-") and line.strip() == f"output:{VXLAN}":
            yield destination


def _split(actions: str) -> Iterator[tuple[str, str]]:
    """Top-level actions: name, and what stands in its brackets."""
    at = 0
    while found := re.compile(r",?([^,()]*)(\(?)").match(actions, at):
        at, inside = found.end(), ""
        if found[2]:
            depth, start = 1, at
            while depth:
                depth += {"(": 1, ")": -1}.get(actions[at], 0)
                at += 1
            inside = actions[start : at - 1]
        yield found[1].partition("=")[0], inside
        if at >= len(actions):
            return
