"""The tables of both bridges, in order. A newcomer starts here; docs/pipeline.md is generated from it.

br-int: classify -> punt -> address -> spoof -> track -> egress -> sent -> resolve -> l2 -> admit -> ingress -> received
-> deliver, or after l2: flood, tunnel. Security groups are asked twice, for the sender and for the receiver, by the
same called tables: service, rules, set, member.
br-tun: arrival -> to_vni -> unicast | flood -> peer, and back: arrival -> to_tag
"""

from flows import fields as f
from flows.table import Table

BR_INT, BR_TUN = "br-int", "br-tun"

PATCH_TUN, PATCH_EX = 65001, 65002
"""OpenFlow ports of br-int: the patches to br-tun and to br-ex."""
PATCH_INT, VXLAN = 1, 2
"""OpenFlow ports of br-tun: the patch to br-int, and all VXLAN tunnels."""

FROM_TUNNEL, INGRESS, ALLOWED, TRACKED, TRUSTED, STATELESS = (1 << bit for bit in range(6))
"""Bits of FLAGS. FROM_TUNNEL: the packet came from another host. INGRESS: SET's ingress rules are asked, not its egress
rules. ALLOWED: one of them matches. TRACKED: conntrack of its network has seen the packet on this host. TRUSTED: the
port in question has no port security. STATELESS: SET is one of stateless groups."""
FLAG_NAMES = {
    FROM_TUNNEL: "from_tunnel", INGRESS: "ingress", ALLOWED: "allowed", TRACKED: "tracked", TRUSTED: "trusted",
    STATELESS: "stateless",
}  # fmt: skip

_PROTOCOL = (f.ETH_TYPE, f.IP_PROTO, f.ICMPV6_TYPE)
_TUPLE = (f.IPV4_SRC, f.IPV4_DST, f.IPV6_SRC, f.IPV6_DST, *f.CT_TUPLE)
_ASK = (f.FLAGS, f.ADDRESS, f.SERVICE)

CLASSIFY = Table(
    BR_INT, 0, "classify",
    "From which network is it? A port's own MAC and no VLAN tag, or the local tag that br-tun has put on.",
    matches=(f.IN_PORT, f.ETH_SRC, f.VLAN_VID), writes=(f.NETWORK_KEY, f.FLAGS, f.SET), goto=("punt", "l2"),
)  # fmt: skip
PUNT = Table(
    BR_INT, 1, "punt",
    "What the controller answers: DHCP (through a meter).",
    matches=(f.NETWORK_KEY, f.ETH_TYPE, f.IP_PROTO, f.UDP_SRC, f.UDP_DST), goto=("address",),
    outputs="the controller",
)  # fmt: skip
ADDRESS = Table(
    BR_INT, 2, "address",
    "Copies the address that the sender claims into ADDRESS: ARP sender, IP source, target of an advertisement. What "
    "only a server or a router may send ends here.",
    matches=(f.FLAGS, *_PROTOCOL, f.IPV6_SRC, f.UDP_SRC, f.UDP_DST),
    reads=(f.ETH_SRC, f.ARP_SPA, f.IPV4_SRC, f.ND_TARGET),
    writes=(f.ADDRESS, f.ARP_SHA, f.IPV6_SRC, f.ND_SLL, f.ND_TLL), goto=("spoof", "track", "resolve"),
)  # fmt: skip
SPOOF = Table(
    BR_INT, 3, "spoof",
    "Only addresses that belong to the port go on.",
    matches=(f.IN_PORT, f.ETH_SRC, f.ETH_TYPE, f.ADDRESS), goto=("track",),
)  # fmt: skip
TRACK = Table(
    BR_INT, 4, "track",
    "Into the conntrack zone of the network; what is neither stateful nor filtered goes past it.",
    matches=(f.FLAGS, *_PROTOCOL), reads=(f.TAG,), writes=(f.FLAGS,), goto=("egress", "resolve"), calls=("tag",),
)  # fmt: skip
EGRESS = Table(
    BR_INT, 5, "egress",
    "May the sender send it? The original direction by its egress rules; a reply by the ingress rules that the "
    "connection came in by, so that a rule that goes takes both directions with it.",
    matches=(f.CT_STATE, f.ETH_TYPE), reads=_TUPLE, writes=_ASK, goto=("sent",), calls=("service", "rules", "set"),
)  # fmt: skip
SENT = Table(
    BR_INT, 6, "sent",
    "What no rule allows is dropped, and counted, here.",
    matches=(f.FLAGS,), writes=(f.FLAGS,), goto=("resolve",),
)  # fmt: skip
RESOLVE = Table(
    BR_INT, 10, "resolve",
    "Requests for an address: ARP requests and neighbour solicitations look the address up, everything else goes on.",
    matches=(*_PROTOCOL, f.ETH_DST, f.ARP_OP), reads=(f.ARP_TPA, f.ND_TARGET), writes=(f.ADDRESS, f.MAC),
    goto=("reply", "l2"), calls=("neighbour",),
)  # fmt: skip
NEIGHBOUR = Table(
    BR_INT, 11, "neighbour",
    "Called. Address -> MAC, one flow for each address of a network.",
    matches=(f.IN_PORT, f.NETWORK_KEY, f.ADDRESS), writes=(f.MAC,),
)  # fmt: skip
REPLY = Table(
    BR_INT, 12, "reply",
    "Answers ARP in the owner's place; sends a neighbour solicitation to the owner alone. Unknown: flood.",
    matches=(*_PROTOCOL, f.ARP_OP, f.MAC), reads=(f.ETH_SRC, f.ARP_SPA, f.ARP_SHA, f.ADDRESS),
    writes=(f.ETH_SRC, f.ETH_DST, f.ARP_OP, f.ARP_SPA, f.ARP_TPA, f.ARP_SHA, f.ARP_THA), goto=("l2", "flood"),
    outputs="the port where it came in",
)  # fmt: skip
L2 = Table(
    BR_INT, 20, "l2",
    "Local MACs to their port, groups to flood, all else to the tunnels.",
    matches=(f.NETWORK_KEY, f.ETH_DST), writes=(f.OUTPUT, f.SET, f.FLAGS), goto=("admit", "flood", "tunnel"),
)  # fmt: skip
FLOOD = Table(
    BR_INT, 21, "flood",
    "Every port of the network here, a set of security groups at a time, and the other hosts.",
    matches=(f.NETWORK_KEY,), writes=(f.SET, f.FLAGS), goto=("tunnel",), calls=("hear",),
)  # fmt: skip
HEAR = Table(
    BR_INT, 22, "hear",
    "Called, with a set. May its ports hear what is flooded? A group address has no connection: each packet by itself.",
    matches=(f.FLAGS, *_PROTOCOL), reads=(f.IPV4_SRC, f.IPV6_SRC), writes=_ASK,
    calls=("service", "rules", "set", "heard", "chunks"),
)  # fmt: skip
HEARD = Table(
    BR_INT, 23, "heard",
    "Called. What no rule allows is dropped, and counted, here.",
    matches=(f.FLAGS,), calls=("chunks",),
)  # fmt: skip
CHUNKS = Table(
    BR_INT, 24, "chunks",
    "Called. The network's ports with this set, a chunk of 64 at a time.",
    matches=(f.NETWORK_KEY, f.SET), writes=(f.OUTPUT,), calls=("chunk",),
)  # fmt: skip
CHUNK = Table(
    BR_INT, 25, "chunk",
    "Called, with the chunk's number in OUTPUT: those ports whose OpenFlow port number divided by 64 is that number.",
    matches=(f.NETWORK_KEY, f.SET, f.OUTPUT), outputs="ports of the network",
)  # fmt: skip
ADMIT = Table(
    BR_INT, 26, "admit",
    "Into the conntrack zone of the network, unless the sender's side has been there.",
    matches=(f.FLAGS, *_PROTOCOL), reads=(f.TAG,), goto=("ingress", "deliver"), calls=("tag",),
)  # fmt: skip
INGRESS_TABLE = Table(
    BR_INT, 27, "ingress",
    "May the receiver get it? The original direction by its ingress rules; a reply by the egress rules that the "
    "connection went out by.",
    matches=(f.FLAGS, f.CT_STATE, f.ETH_TYPE), reads=_TUPLE, writes=_ASK, goto=("received",),
    calls=("service", "rules", "set"),
)  # fmt: skip
RECEIVED = Table(
    BR_INT, 28, "received",
    "What no rule allows is dropped, and counted, here.",
    matches=(f.FLAGS,), goto=("deliver",),
)  # fmt: skip
TUNNEL = Table(
    BR_INT, 30, "tunnel",
    "To br-tun under the network's local tag, new connections remembered; what came from there is dropped.",
    matches=(f.FLAGS, f.CT_STATE, f.ETH_TYPE, f.ETH_DST), reads=(f.TAG,), writes=(f.VLAN_VID,), calls=("tag",),
    outputs="the patch to br-tun",
)  # fmt: skip
TAG = Table(
    BR_INT, 31, "tag",
    "Called. Network -> local VLAN tag on this host, which is its conntrack zone as well.",
    matches=(f.NETWORK_KEY,), writes=(f.TAG,),
)  # fmt: skip
SERVICE = Table(
    BR_INT, 32, "service",
    "Called. The packet's own protocol and destination port, or ICMP type and code, into SERVICE.",
    matches=(f.ETH_TYPE, f.IP_PROTO),
    reads=(f.IP_PROTO, f.TCP_DST, f.UDP_DST, f.SCTP_DST, f.ICMPV4_TYPE, f.ICMPV4_CODE, f.ICMPV6_TYPE, f.ICMPV6_CODE),
    writes=(f.SERVICE,),
)  # fmt: skip
RULES = Table(
    BR_INT, 33, "rules",
    "Called. What the set's security groups allow: service, and the other side's address where it matters.",
    matches=(f.SET, f.FLAGS, f.REMOTE, f.ETH_TYPE, f.SERVICE, f.ADDRESS), writes=(f.FLAGS,),
)  # fmt: skip
SET = Table(
    BR_INT, 34, "set",
    "Called. The remote groups in the set's rules: each is asked whether the other side's address is a member.",
    matches=(f.SET, f.FLAGS), writes=(f.REMOTE,), calls=("member",),
)  # fmt: skip
MEMBER = Table(
    BR_INT, 35, "member",
    "Called. The addresses of a remote group, shared by all rules that name it: these are asked again, with REMOTE.",
    matches=(f.REMOTE, f.ETH_TYPE, f.ADDRESS), calls=("rules",),
)  # fmt: skip
DELIVER = Table(
    BR_INT, 40, "deliver",
    "Out of the port in OUTPUT, new connections remembered.",
    matches=(f.CT_STATE, f.ETH_TYPE), reads=(f.OUTPUT, f.TAG), outputs="the port in OUTPUT",
)  # fmt: skip

ARRIVAL = Table(
    BR_TUN, 0, "arrival",
    "From br-int or from a tunnel?",
    matches=(f.IN_PORT,), goto=("to_vni", "to_tag"),
)  # fmt: skip
TO_VNI = Table(
    BR_TUN, 1, "to_vni",
    "Local tag -> VNI.",
    matches=(f.VLAN_VID,), writes=(f.TUNNEL_ID,), goto=("unicast",),
)  # fmt: skip
TO_TAG = Table(
    BR_TUN, 2, "to_tag",
    "VNI -> local tag.",
    matches=(f.TUNNEL_ID,), writes=(f.VLAN_VID,), outputs="the patch to br-int",
)  # fmt: skip
UNICAST = Table(
    BR_TUN, 10, "unicast",
    "The host where a MAC lives.",
    matches=(f.TUNNEL_ID, f.ETH_DST), writes=(f.TUN_DST, f.TUN_IPV6_DST), goto=("peer", "flood"),
)  # fmt: skip
TUNNEL_FLOOD = Table(
    BR_TUN, 11, "flood",
    "All hosts that have the network.",
    matches=(f.TUNNEL_ID,), writes=(f.TUN_DST, f.TUN_IPV6_DST), calls=("peer",),
)  # fmt: skip
PEER = Table(
    BR_TUN, 12, "peer",
    "Called or gone to. Into the tunnel, except to ourselves.",
    matches=(f.TUN_DST, f.TUN_IPV6_DST), outputs="the tunnels",
)  # fmt: skip

TABLES: tuple[Table, ...] = (
    CLASSIFY, PUNT, ADDRESS, SPOOF, TRACK, EGRESS, SENT, RESOLVE, NEIGHBOUR, REPLY, L2, FLOOD, HEAR, HEARD, CHUNKS,
    CHUNK, ADMIT, INGRESS_TABLE, RECEIVED, TUNNEL, TAG, SERVICE, RULES, SET, MEMBER, DELIVER,
    ARRIVAL, TO_VNI, TO_TAG, UNICAST, TUNNEL_FLOOD, PEER,
)  # fmt: skip
"""Every table."""
BY_NUMBER: dict[tuple[str, int], Table] = {(table.bridge, table.number): table for table in TABLES}
"""(bridge, number) -> table."""
