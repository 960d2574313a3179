"""The tables of both bridges, in order. A newcomer starts here; docs/pipeline.md is generated from it.

br-int: classify -> punt -> address -> spoof -> track -> egress -> sent -> resolve -> l2 -> admit -> ingress -> received
-> deliver, or after l2: flood, tunnel. Security groups are asked twice, for the sender and for the receiver, by the
same called tables: service, rules, set, member.
Routers: l2 -> router -> route -> nexthop -> l2 again; out: route -> exit -> gateway -> nat -> uplink -> nexthop -> l2;
in: outside -> l2 -> active -> inbound -> returned -> route, or to a floating IP's port by l2.
br-tun: arrival -> to_vni -> unicast | flood -> peer, and back: arrival -> to_tag
"""

from flows import fields as f
from flows.table import Table

BR_INT, BR_TUN = "br-int", "br-tun"

PATCH_TUN, PATCH_EX = 65001, 65002
"""OpenFlow ports of br-int: the patches to br-tun and to the first external bridge; further ones follow."""
OURSELVES = PATCH_TUN
"""What stands for this host among the gateways of a router: a port that is always live."""
HANDED = 0
"""The VNI under which packets are handed over between hosts' patches."""
PATCH_INT, VXLAN = 1, 2
"""OpenFlow ports of br-tun: the patch to br-int, and all VXLAN tunnels."""

FROM_TUNNEL, INGRESS, ALLOWED, TRACKED, TRUSTED, STATELESS, LARGER = (1 << bit for bit in range(7))
"""Bits of FLAGS. FROM_TUNNEL: the packet came from another host, or from outside. INGRESS: SET's ingress rules are
asked, not its egress rules. ALLOWED: one of them matches. TRACKED: conntrack of its network has seen the packet on this
host. TRUSTED: the port in question has no port security. STATELESS: SET is one of stateless groups. LARGER: the packet
exceeds the MTU of where it goes."""
LARGER_BIT = LARGER.bit_length() - 1
FLAG_NAMES = {
    FROM_TUNNEL: "from_tunnel", INGRESS: "ingress", ALLOWED: "allowed", TRACKED: "tracked", TRUSTED: "trusted",
    STATELESS: "stateless", LARGER: "larger",
}  # fmt: skip

_PROTOCOL = (f.ETH_TYPE, f.IP_PROTO, f.ICMPV6_TYPE)
_TUPLE = (f.IPV4_SRC, f.IPV4_DST, f.IPV6_SRC, f.IPV6_DST, *f.CT_TUPLE)
_ASK = (f.FLAGS, f.ADDRESS, f.SERVICE)

CLASSIFY = Table(
    BR_INT, 0, "classify",
    "From which network is it? A port's own MAC and no VLAN tag; the local tag that br-tun has put on; from a physical "
    "network untagged or by its tag; or handed over by another host for a router.",
    matches=(f.IN_PORT, f.ETH_SRC, f.VLAN_VID), writes=(f.NETWORK_KEY, f.FLAGS, f.SET),
    goto=("punt", "outside", "steered", "l2"),
    drops="from no port's own MAC, or from a network that is not here",
)  # fmt: skip
PUNT = Table(
    BR_INT, 1, "punt",
    "What the controller answers: DHCP.",
    matches=(f.NETWORK_KEY, f.ETH_TYPE, f.IP_PROTO, f.UDP_SRC, f.UDP_DST), reads=(f.IN_PORT,), writes=(f.SERVICE,),
    goto=("address",), calls=("allowance",),
    outputs="the controller",
)  # fmt: skip
ADDRESS = Table(
    BR_INT, 2, "address",
    "Copies the address that the sender claims into ADDRESS: ARP sender, IP source, target of an advertisement. What "
    "only a server or a router may send ends here.",
    matches=(f.FLAGS, *_PROTOCOL, f.IPV6_SRC, f.UDP_SRC, f.UDP_DST),
    reads=(f.ETH_SRC, f.ARP_SPA, f.IPV4_SRC, f.ND_TARGET),
    writes=(f.ADDRESS, f.ARP_SHA, f.IPV6_SRC, f.ND_SLL, f.ND_TLL), goto=("spoof", "track", "resolve"),
    drops="neither ARP nor IP, or what only a server or a router may send",
)  # fmt: skip
SPOOF = Table(
    BR_INT, 3, "spoof",
    "Only addresses that belong to the port go on.",
    matches=(f.IN_PORT, f.ETH_SRC, f.ETH_TYPE, f.ADDRESS), goto=("track",),
    drops="the address is not the port's",
)  # fmt: skip
TRACK = Table(
    BR_INT, 4, "track",
    "Into the conntrack zone of the network; what is neither stateful nor filtered goes past it.",
    matches=(f.FLAGS, *_PROTOCOL), reads=(f.TAG,), writes=(f.FLAGS,), goto=("egress", "resolve"), calls=("tag",),
    drops="neither ARP nor IP",
)  # fmt: skip
EGRESS = Table(
    BR_INT, 5, "egress",
    "May the sender send it? The original direction by its egress rules; a reply by the ingress rules that the "
    "connection came in by, so that a rule that goes takes both directions with it.",
    matches=(f.CT_STATE, f.ETH_TYPE), reads=_TUPLE, writes=_ASK, goto=("sent",), calls=("service", "rules", "set"),
    drops="conntrack finds it invalid",
)  # fmt: skip
SENT = Table(
    BR_INT, 6, "sent",
    "What no rule allows is dropped, and counted, here.",
    matches=(f.FLAGS,), writes=(f.FLAGS,), goto=("resolve",),
    drops="no egress rule allows it",
)  # fmt: skip
OUTSIDE = Table(
    BR_INT, 7, "outside",
    "From a physical network. Who asks for an address that a router here answers for is led to its MAC.",
    matches=(f.NETWORK_KEY, *_PROTOCOL, f.ARP_OP, f.ARP_TPA, f.ND_TARGET), writes=(f.ETH_DST, f.MAC), goto=("l2",),
    calls=("watch",),
)  # fmt: skip
STEERED = Table(
    BR_INT, 8, "steered",
    "From another host, for the gateway of a router, known by its MAC. A gateway that ranks higher and lives gets it.",
    matches=(f.ETH_DST,), writes=(f.ROUTER, f.OUTPUT), goto=("gateway",),
    drops="handed over for a router whose gateway is not here",
)  # fmt: skip
WATCH = Table(
    BR_INT, 9, "watch",
    "Called. Addresses that were found out by asking: should they speak from another MAC, the controller hears of it.",
    matches=(f.NETWORK_KEY, f.ETH_TYPE, f.ARP_SPA, f.ARP_SHA), reads=(f.IN_PORT,), writes=(f.SERVICE,),
    calls=("allowance",), outputs="the controller",
)  # fmt: skip
RESOLVE = Table(
    BR_INT, 10, "resolve",
    "Requests for an address: ARP requests and neighbour solicitations look the address up, everything else goes on.",
    matches=(f.NETWORK_KEY, *_PROTOCOL, f.ETH_DST, f.ARP_OP, f.ARP_SPA, f.ARP_TPA), reads=(f.ND_TARGET,),
    writes=(f.ADDRESS, f.MAC), goto=("reply", "l2", "flood"), calls=("neighbour", "watch"),
)  # fmt: skip
NEIGHBOUR = Table(
    BR_INT, 11, "neighbour",
    "Called. Address -> MAC, one flow for each address of a network.",
    matches=(f.IN_PORT, f.NETWORK_KEY, f.ADDRESS), writes=(f.MAC,),
)  # fmt: skip
REPLY = Table(
    BR_INT, 12, "reply",
    "Answers ARP in the owner's place; sends a neighbour solicitation to the owner alone. Unknown: flood.",
    matches=(f.FLAGS, *_PROTOCOL, f.ARP_OP, f.MAC), reads=(f.ETH_SRC, f.ARP_SPA, f.ARP_SHA, f.ADDRESS),
    writes=(
        f.FLAGS, f.IN_PORT, f.ETH_SRC, f.ETH_DST, f.ARP_OP, f.ARP_SPA, f.ARP_TPA, f.ARP_SHA, f.ARP_THA,
    ),
    goto=("l2", "flood", "tunnel"),
    outputs="the port where it came in",
)  # fmt: skip
ROUTER = Table(
    BR_INT, 13, "router",
    "Called, for what is addressed to a router's MAC. Answers ARP; the controller hears answers to its own questions "
    "and what has come to the end of its time. The sender's connection is remembered: it leaves the network here.",
    matches=(f.FLAGS, *_PROTOCOL, f.ARP_OP, f.IP_TTL, f.CT_STATE), reads=(f.ARP_TPA, f.TAG, f.IN_PORT),
    writes=(f.ADDRESS, f.MAC, f.SERVICE), goto=("route",), calls=("neighbour", "reply", "allowance"),
    outputs="the controller",
    drops="neither ARP nor IP, to a router",
)  # fmt: skip
ROUTE = Table(
    BR_INT, 14, "route",
    "The longest prefix wins. Echoes to the router's own addresses are answered; all else to them is dropped here.",
    matches=(f.ROUTER, *_PROTOCOL, f.ICMPV4_TYPE, f.IPV4_DST, f.IPV6_DST),
    reads=(f.ETH_SRC, f.ETH_DST, f.IPV4_SRC, f.IPV6_SRC, f.MAC),
    writes=(
        f.NETWORK_KEY, f.FLAGS, f.ADDRESS, f.MAC, f.PATH, f.IN_PORT, f.ETH_SRC, f.ETH_DST, f.IPV4_SRC, f.IPV4_DST,
        f.IPV6_SRC, f.IPV6_DST, f.IP_TTL, f.ICMPV4_TYPE, f.ICMPV6_TYPE,
    ),
    goto=("path", "exit", "nexthop"), calls=("neighbour", "l2", "allowance"), outputs="the controller",
    drops="addressed to a router",
)  # fmt: skip
PATH = Table(
    BR_INT, 15, "path",
    "Of a route with several next hops, the one that the packet's addresses and ports have chosen.",
    matches=(f.ROUTER, f.ETH_TYPE, f.IPV4_DST, f.IPV6_DST, f.PATH),
    writes=(f.NETWORK_KEY, f.FLAGS, f.ADDRESS, f.MAC, f.IN_PORT, f.ETH_SRC, f.IP_TTL), goto=("exit", "nexthop"),
    calls=("neighbour",),
    drops="the router has no such next hop",
)  # fmt: skip
EXIT = Table(
    BR_INT, 16, "exit",
    "Out of the router's gateway: from a floating IP that this host has, else by the first gateway host that lives.",
    matches=(f.ROUTER, f.FLAGS, f.ETH_TYPE, f.IPV4_SRC, f.IPV4_DST),
    writes=(
        f.NETWORK_KEY, f.FLAGS, f.OUTPUT, f.IN_PORT, f.ETH_SRC, f.ETH_DST, f.IPV4_SRC, f.IPV4_DST,
    ),
    goto=("gateway", "uplink"), calls=("l2", "allowance"), outputs="the controller",
    drops="the router has no gateway host, or no way to one yet",
)  # fmt: skip
GATEWAY = Table(
    BR_INT, 17, "gateway",
    "Here, or handed over to the gateway host in OUTPUT.",
    matches=(f.OUTPUT, f.FLAGS, f.ETH_TYPE), writes=(f.IP_TTL,), goto=("nat",), outputs="the BFD port in OUTPUT",
)  # fmt: skip
NAT = Table(
    BR_INT, 18, "nat",
    "On the gateway host: the address by which the sender is known outside. The first packet of a TCP connection is "
    "looked at again, lest it leave untranslated when all ports are taken.",
    matches=(
        f.ROUTER, f.ETH_TYPE, f.IPV4_SRC, f.IPV4_DST, f.IP_PROTO, f.TCP_FLAGS, f.TCP_SRC, f.UDP_SRC,
    ),
    writes=(
        f.NETWORK_KEY, f.FLAGS, f.IN_PORT, f.ETH_SRC, f.ETH_DST, f.IPV4_SRC, f.IPV4_DST, f.TCP_SRC, f.UDP_SRC,
    ),
    goto=("natted", "uplink"), calls=("l2",),
    drops="no address to leave by, or to the router's own external address",
)  # fmt: skip
NATTED = Table(
    BR_INT, 19, "natted",
    "What has been translated goes on. No port was left for what is dropped, and counted, here.",
    matches=(f.ROUTER, f.ETH_TYPE, f.IPV4_SRC), goto=("uplink",),
    drops="no port of the router's external address was found free",
)  # fmt: skip
UPLINK = Table(
    BR_INT, 20, "uplink",
    "The next hop on the external network.",
    matches=(f.ROUTER, f.ETH_TYPE, f.IPV4_DST, f.IPV6_DST),
    writes=(f.NETWORK_KEY, f.FLAGS, f.ADDRESS, f.MAC, f.IN_PORT), goto=("nexthop",), calls=("neighbour",),
    drops="no next hop outside",
)  # fmt: skip
NEXTHOP = Table(
    BR_INT, 21, "nexthop",
    "To the next hop's MAC. The controller asks for one that nobody knows, and tells the sender of what is too large.",
    matches=(f.FLAGS, f.ETH_TYPE, f.MAC), writes=(f.ETH_DST,), goto=("l2",), calls=("allowance",),
    outputs="the controller",
)  # fmt: skip
L2 = Table(
    BR_INT, 22, "l2",
    "Local MACs to their port, routers' MACs to them, groups to flood, all else to the tunnels or to the outside.",
    matches=(f.NETWORK_KEY, f.FLAGS, f.ETH_DST), writes=(f.OUTPUT, f.SET, f.FLAGS, f.ROUTER, f.ETH_DST),
    goto=("active", "admit", "flood", "tunnel"), calls=("router", "l2"),
)  # fmt: skip
ACTIVE = Table(
    BR_INT, 23, "active",
    "For a router's gateway: is it here? Else it goes to where it is, unless it came from there.",
    matches=(f.OUTPUT, f.FLAGS, f.CT_STATE, f.ETH_TYPE), reads=(f.TAG,), goto=("inbound", "tunnel"),
)  # fmt: skip
INBOUND = Table(
    BR_INT, 24, "inbound",
    "For an external address that is here: a floating IP's port, a forwarding, or a connection from inside. What is "
    "for none of them is dropped, and counted, here.",
    matches=(
        f.NETWORK_KEY, f.ROUTER, f.FLAGS, *_PROTOCOL, f.ICMPV4_TYPE, f.ARP_OP, f.IP_TTL, f.IPV4_DST, f.IPV6_DST,
        f.TCP_DST, f.UDP_DST,
    ),
    reads=(f.ARP_TPA, f.IN_PORT),
    writes=(
        f.NETWORK_KEY, f.FLAGS, f.ETH_SRC, f.ETH_DST, f.IP_TTL, f.ADDRESS, f.MAC, f.IPV4_DST, f.TCP_DST, f.UDP_DST,
        f.SERVICE,
    ),
    goto=("returned",), calls=("neighbour", "reply", "route", "l2", "allowance"), outputs="the controller",
    drops="no external address here",
)  # fmt: skip
RETURNED = Table(
    BR_INT, 25, "returned",
    "Replies go on to who asked. What was sent to a router's external address and is no reply is dropped here.",
    matches=(f.CT_STATE,), calls=("route",),
    drops="sent to a router's external address, and no reply",
)  # fmt: skip
FLOOD = Table(
    BR_INT, 26, "flood",
    "Every port of the network here, a set of security groups at a time, and the other hosts.",
    matches=(f.NETWORK_KEY,), writes=(f.SET, f.FLAGS), goto=("tunnel",), calls=("hear",),
)  # fmt: skip
HEAR = Table(
    BR_INT, 27, "hear",
    "Called, with a set. May its ports hear what is flooded? A group address has no connection: each packet by itself.",
    matches=(f.FLAGS, *_PROTOCOL), reads=(f.IPV4_SRC, f.IPV6_SRC), writes=_ASK,
    calls=("service", "rules", "set", "heard", "chunks"),
    drops="neither ARP nor IP",
)  # fmt: skip
HEARD = Table(
    BR_INT, 28, "heard",
    "Called. What no rule allows is dropped, and counted, here.",
    matches=(f.FLAGS,), calls=("chunks",),
    drops="no ingress rule allows it",
)  # fmt: skip
CHUNKS = Table(
    BR_INT, 29, "chunks",
    "Called. The network's ports with this set, a chunk of 64 at a time.",
    matches=(f.NETWORK_KEY, f.SET), writes=(f.OUTPUT,), calls=("chunk",),
)  # fmt: skip
CHUNK = Table(
    BR_INT, 30, "chunk",
    "Called, with the chunk's number in OUTPUT: those ports whose OpenFlow port number divided by 64 is that number.",
    matches=(f.NETWORK_KEY, f.SET, f.OUTPUT), outputs="ports of the network",
)  # fmt: skip
ADMIT = Table(
    BR_INT, 31, "admit",
    "Into the conntrack zone of the network, unless the sender's side has been there.",
    matches=(f.FLAGS, *_PROTOCOL), reads=(f.TAG,), goto=("ingress", "deliver"), calls=("tag",),
    drops="neither ARP nor IP",
)  # fmt: skip
INGRESS_TABLE = Table(
    BR_INT, 32, "ingress",
    "May the receiver get it? The original direction by its ingress rules; a reply by the egress rules that the "
    "connection went out by.",
    matches=(f.FLAGS, f.CT_STATE, f.ETH_TYPE), reads=_TUPLE, writes=_ASK, goto=("received",),
    calls=("service", "rules", "set"),
    drops="conntrack finds it invalid",
)  # fmt: skip
RECEIVED = Table(
    BR_INT, 33, "received",
    "What no rule allows is dropped, and counted, here.",
    matches=(f.FLAGS,), goto=("deliver",),
    drops="no ingress rule allows it",
)  # fmt: skip
TUNNEL = Table(
    BR_INT, 34, "tunnel",
    "To br-tun under the network's local tag, or to the physical network, new connections remembered; what came from "
    "there is dropped.",
    matches=(f.NETWORK_KEY, f.FLAGS, f.CT_STATE, f.ETH_TYPE, f.ETH_DST), reads=(f.TAG,), writes=(f.VLAN_VID,),
    calls=("tag",), outputs="the patch to br-tun or to an external bridge",
    drops="for nobody else here, and it came from there",
)  # fmt: skip
TAG = Table(
    BR_INT, 35, "tag",
    "Called. Network -> local VLAN tag on this host, which is its conntrack zone as well.",
    matches=(f.NETWORK_KEY,), writes=(f.TAG,),
)  # fmt: skip
SERVICE = Table(
    BR_INT, 36, "service",
    "Called. The packet's own protocol and destination port, or ICMP type and code, into SERVICE.",
    matches=(f.ETH_TYPE, f.IP_PROTO),
    reads=(f.IP_PROTO, f.TCP_DST, f.UDP_DST, f.SCTP_DST, f.ICMPV4_TYPE, f.ICMPV4_CODE, f.ICMPV6_TYPE, f.ICMPV6_CODE),
    writes=(f.SERVICE,),
)  # fmt: skip
RULES = Table(
    BR_INT, 37, "rules",
    "Called. What the set's security groups allow: service, and the other side's address where it matters.",
    matches=(f.SET, f.FLAGS, f.REMOTE, f.ETH_TYPE, f.SERVICE, f.ADDRESS), writes=(f.FLAGS,),
)  # fmt: skip
SET = Table(
    BR_INT, 38, "set",
    "Called. The remote groups in the set's rules: each is asked whether the other side's address is a member.",
    matches=(f.SET, f.FLAGS), writes=(f.REMOTE,), calls=("member",),
)  # fmt: skip
MEMBER = Table(
    BR_INT, 39, "member",
    "Called. The addresses of a remote group, shared by all rules that name it: these are asked again, with REMOTE.",
    matches=(f.REMOTE, f.ETH_TYPE, f.ADDRESS), calls=("rules",),
)  # fmt: skip
DELIVER = Table(
    BR_INT, 40, "deliver",
    "Out of the port in OUTPUT, new connections remembered.",
    matches=(f.CT_STATE, f.ETH_TYPE), reads=(f.OUTPUT, f.TAG), outputs="the port in OUTPUT",
)  # fmt: skip

ALLOWANCE = Table(
    BR_INT, 41, "allowance",
    "Called, before a packet goes to the controller, with its port in SERVICE: each port has a meter of its own, and "
    "what comes from elsewhere shares one.",
    matches=(f.SERVICE,),
)  # fmt: skip

ARRIVAL = Table(
    BR_TUN, 0, "arrival",
    "From br-int or from a tunnel? VNI 0 is no network's: under it go BFD and what is handed over to a router's "
    "gateway, between patches of two hosts. A host without flows is heard by nobody.",
    matches=(f.IN_PORT, f.TUNNEL_ID, f.TUN_SRC, f.TUN_IPV6_SRC), writes=(f.TUNNEL_ID, f.TUN_DST, f.TUN_IPV6_DST),
    goto=("to_vni", "to_tag"), outputs="the tunnels, or the patch of another host",
    drops="from a host or a network that is not known",
)  # fmt: skip
TO_VNI = Table(
    BR_TUN, 1, "to_vni",
    "Local tag -> VNI.",
    matches=(f.VLAN_VID,), writes=(f.TUNNEL_ID,), goto=("unicast",),
    drops="from a network that is not here",
)  # fmt: skip
TO_TAG = Table(
    BR_TUN, 2, "to_tag",
    "VNI -> local tag.",
    matches=(f.TUNNEL_ID,), writes=(f.VLAN_VID,), outputs="the patch to br-int",
    drops="for a network that is not here",
)  # fmt: skip
UNICAST = Table(
    BR_TUN, 10, "unicast",
    "The host where a MAC lives.",
    matches=(f.TUNNEL_ID, f.ETH_DST), writes=(f.TUN_DST, f.TUN_IPV6_DST), goto=("peer", "flood"),
    drops="no host has the MAC",
)  # fmt: skip
TUNNEL_FLOOD = Table(
    BR_TUN, 11, "flood",
    "All hosts that have the network.",
    matches=(f.TUNNEL_ID,), writes=(f.TUN_DST, f.TUN_IPV6_DST), calls=("peer",),
    drops="no host has the network",
)  # fmt: skip
PEER = Table(
    BR_TUN, 12, "peer",
    "Called or gone to. Into the tunnel, except to ourselves.",
    matches=(f.TUN_DST, f.TUN_IPV6_DST), outputs="the tunnels",
)  # fmt: skip

TABLES: tuple[Table, ...] = (
    CLASSIFY, PUNT, ADDRESS, SPOOF, TRACK, EGRESS, SENT, OUTSIDE, STEERED, WATCH, RESOLVE, NEIGHBOUR, REPLY, ROUTER,
    ROUTE, PATH, EXIT, GATEWAY, NAT, NATTED, UPLINK, NEXTHOP, L2, ACTIVE, INBOUND, RETURNED, FLOOD, HEAR, HEARD, CHUNKS,
    CHUNK, ADMIT, INGRESS_TABLE, RECEIVED, TUNNEL, TAG, SERVICE, RULES, SET, MEMBER, DELIVER,
    ALLOWANCE, ARRIVAL, TO_VNI, TO_TAG, UNICAST, TUNNEL_FLOOD, PEER,
)  # fmt: skip
"""Every table."""
BY_NUMBER: dict[tuple[str, int], Table] = {(table.bridge, table.number): table for table in TABLES}
"""(bridge, number) -> table."""
