"""The tables of both bridges, in order. A newcomer starts here; docs/pipeline.md is generated from it.

br-int: classify -> punt -> address -> spoof -> resolve -> l2 -> flood | tunnel | deliver
br-tun: arrival -> to_vni -> unicast | flood -> peer, and back: arrival -> to_tag
"""

from flows.fields import (
    ADDRESS as ADDRESS_REGISTER,
)
from flows.fields import (
    ARP_OP,
    ARP_SHA,
    ARP_SPA,
    ARP_THA,
    ARP_TPA,
    ETH_DST,
    ETH_SRC,
    ETH_TYPE,
    FLAGS,
    ICMPV6_TYPE,
    IN_PORT,
    IP_PROTO,
    IPV4_DST,
    IPV4_SRC,
    IPV6_SRC,
    MAC,
    ND_TARGET,
    NETWORK_KEY,
    OUTPUT,
    TUN_DST,
    TUN_IPV6_DST,
    TUNNEL_ID,
    UDP_DST,
    UDP_SRC,
    VLAN_VID,
)
from flows.fields import (
    TAG as TAG_REGISTER,
)
from flows.table import Table

BR_INT, BR_TUN = "br-int", "br-tun"

PATCH_TUN, PATCH_EX = 65001, 65002
"""OpenFlow ports of br-int: the patches to br-tun and to br-ex."""
PATCH_INT, VXLAN = 1, 2
"""OpenFlow ports of br-tun: the patch to br-int, and all VXLAN tunnels."""

FROM_TUNNEL = 0x1
"""Bit of FLAGS: the packet came from another host."""
FLAG_NAMES = {FROM_TUNNEL: "from_tunnel"}

CLASSIFY = Table(
    BR_INT, 0, "classify",
    "From which network is it? A port's own MAC and no VLAN tag, or the local tag that br-tun has put on.",
    matches=(IN_PORT, ETH_SRC, VLAN_VID), writes=(NETWORK_KEY, FLAGS), goto=("punt", "l2"),
)  # fmt: skip
PUNT = Table(
    BR_INT, 1, "punt",
    "What the controller answers: DHCP (through a meter).",
    matches=(NETWORK_KEY, ETH_TYPE, IPV4_DST, IP_PROTO, UDP_SRC, UDP_DST), goto=("address",),
    outputs="the controller",
)  # fmt: skip
ADDRESS = Table(
    BR_INT, 2, "address",
    "Copies the address that the sender claims into ADDRESS: ARP sender, IP source, target of a neighbour "
    "advertisement.",
    matches=(ETH_TYPE, IP_PROTO, ICMPV6_TYPE, IPV6_SRC), reads=(ETH_SRC, ARP_SPA, IPV4_SRC, ND_TARGET),
    writes=(ADDRESS_REGISTER, ARP_SHA), goto=("spoof", "resolve"),
)  # fmt: skip
SPOOF = Table(
    BR_INT, 3, "spoof",
    "Only addresses that belong to the port go on.",
    matches=(IN_PORT, ETH_TYPE, ADDRESS_REGISTER), goto=("resolve",),
)  # fmt: skip
RESOLVE = Table(
    BR_INT, 10, "resolve",
    "Requests for an address: ARP requests and neighbour solicitations look the address up, everything else goes on.",
    matches=(ETH_TYPE, ETH_DST, ARP_OP, IP_PROTO, ICMPV6_TYPE), reads=(ARP_TPA, ND_TARGET),
    writes=(ADDRESS_REGISTER, MAC), goto=("reply", "l2"), calls=("neighbour",),
)  # fmt: skip
NEIGHBOUR = Table(
    BR_INT, 11, "neighbour",
    "Called. Address -> MAC, one flow for each address of a network.",
    matches=(IN_PORT, NETWORK_KEY, ADDRESS_REGISTER), writes=(MAC,),
)  # fmt: skip
REPLY = Table(
    BR_INT, 12, "reply",
    "Answers ARP in the owner's place; sends a neighbour solicitation to the owner alone. Unknown: flood.",
    matches=(ETH_TYPE, ARP_OP, IP_PROTO, ICMPV6_TYPE, MAC), reads=(ETH_SRC, ARP_SPA, ARP_SHA, ADDRESS_REGISTER),
    writes=(ETH_SRC, ETH_DST, ARP_OP, ARP_SPA, ARP_TPA, ARP_SHA, ARP_THA), goto=("l2", "flood"),
    outputs="the port where it came in",
)  # fmt: skip
L2 = Table(
    BR_INT, 20, "l2",
    "Local MACs to their port, groups to flood, all else to the tunnels.",
    matches=(NETWORK_KEY, ETH_DST), writes=(OUTPUT,), goto=("deliver", "flood", "tunnel"),
)  # fmt: skip
FLOOD = Table(
    BR_INT, 21, "flood",
    "Every port of the network here, a chunk of 64 at a time, and the other hosts.",
    matches=(NETWORK_KEY, FLAGS), writes=(OUTPUT,), goto=("tunnel",), calls=("chunk",),
)  # fmt: skip
CHUNK = Table(
    BR_INT, 22, "chunk",
    "Called, with the chunk's number in OUTPUT. The ports of one network whose OpenFlow port number divided by 64 is "
    "that number.",
    matches=(NETWORK_KEY, OUTPUT), outputs="ports of the network",
)  # fmt: skip
TUNNEL = Table(
    BR_INT, 30, "tunnel",
    "To br-tun under the network's local tag; what came from there is dropped.",
    matches=(FLAGS,), reads=(TAG_REGISTER,), writes=(VLAN_VID,), calls=("tag",), outputs="the patch to br-tun",
)  # fmt: skip
TAG = Table(
    BR_INT, 31, "tag",
    "Called. Network -> local VLAN tag on this host.",
    matches=(NETWORK_KEY,), writes=(TAG_REGISTER,),
)  # fmt: skip
DELIVER = Table(
    BR_INT, 40, "deliver",
    "Out of the port in OUTPUT.",
    reads=(OUTPUT,), outputs="the port in OUTPUT",
)  # fmt: skip

ARRIVAL = Table(
    BR_TUN, 0, "arrival",
    "From br-int or from a tunnel?",
    matches=(IN_PORT,), goto=("to_vni", "to_tag"),
)  # fmt: skip
TO_VNI = Table(
    BR_TUN, 1, "to_vni",
    "Local tag -> VNI.",
    matches=(VLAN_VID,), writes=(TUNNEL_ID,), goto=("unicast",),
)  # fmt: skip
TO_TAG = Table(
    BR_TUN, 2, "to_tag",
    "VNI -> local tag.",
    matches=(TUNNEL_ID,), writes=(VLAN_VID,), outputs="the patch to br-int",
)  # fmt: skip
UNICAST = Table(
    BR_TUN, 10, "unicast",
    "The host where a MAC lives.",
    matches=(TUNNEL_ID, ETH_DST), writes=(TUN_DST, TUN_IPV6_DST), goto=("peer", "flood"),
)  # fmt: skip
TUNNEL_FLOOD = Table(
    BR_TUN, 11, "flood",
    "All hosts that have the network.",
    matches=(TUNNEL_ID,), writes=(TUN_DST, TUN_IPV6_DST), calls=("peer",),
)  # fmt: skip
PEER = Table(
    BR_TUN, 12, "peer",
    "Called or gone to. Into the tunnel, except to ourselves.",
    matches=(TUN_DST, TUN_IPV6_DST), outputs="the tunnels",
)  # fmt: skip

TABLES: tuple[Table, ...] = (
    CLASSIFY, PUNT, ADDRESS, SPOOF, RESOLVE, NEIGHBOUR, REPLY, L2, FLOOD, CHUNK, TUNNEL, TAG, DELIVER,
    ARRIVAL, TO_VNI, TO_TAG, UNICAST, TUNNEL_FLOOD, PEER,
)  # fmt: skip
"""Every table."""
BY_NUMBER: dict[tuple[str, int], Table] = {(table.bridge, table.number): table for table in TABLES}
"""(bridge, number) -> table."""
