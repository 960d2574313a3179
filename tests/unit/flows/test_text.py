"""Text for people. (What ovs-ofctl says is judged by law 3, with ovs-ofctl.)"""

import pytest

from flows.actions import (
    CheckLarger,
    Ct,
    DecTtl,
    FirstLive,
    Goto,
    Move,
    Nat,
    Output,
    OutputField,
    PushVlan,
    Resubmit,
    Set,
    Spread,
)
from flows.fields import (
    ADDRESS,
    ADDRESS4,
    ARP_SPA,
    ETH_DST,
    ETH_SRC,
    ETH_TYPE,
    FLAGS,
    IN_PORT,
    IP_PROTO,
    IP_TTL,
    MAC,
    NETWORK_KEY,
    OUTPUT,
    PATH,
    REG,
    ROUTER,
    TAG,
    TCP_FLAGS,
    VLAN_VID,
)
from flows.flow import Flow
from flows.match import Match
from flows.tables import CHUNK, DELIVER, FROM_TUNNEL, L2, NEIGHBOUR, PATCH_TUN
from flows.text import named, text


@pytest.mark.parametrize(
    ("flow", "plain", "for_people"),
    [
        (
            Flow(L2, 20, Match({NETWORK_KEY: 5, ETH_DST: "fa:16:3e:00:00:01"}), (Set(OUTPUT, 7), Goto(DELIVER))),
            f"table={L2.number}, priority=20,reg0=0x5,dl_dst=fa:16:3e:00:00:01 "
            f"actions=set_field:0x7->reg3,goto_table:{DELIVER.number}",
            "table=l2 priority=20 network_key=5 dl_dst=fa:16:3e:00:00:01 -> output:=7 goto:deliver",
        ),
        (
            Flow(NEIGHBOUR, 20, Match({ADDRESS: "10.0.0.1"}), (Set(MAC, "fa:16:3e:00:00:01"),)),
            f"table={NEIGHBOUR.number}, priority=20,reg8=0,reg9=0,reg10=0,reg11=0xa000001 "
            "actions=set_field:0xfa163e000001->xreg6",
            "table=neighbour priority=20 address=10.0.0.1 -> mac:=fa:16:3e:00:00:01",
        ),
        (
            Flow(NEIGHBOUR, 20, Match({ADDRESS: "fd00::1", IN_PORT: 5}), ()),
            f"table={NEIGHBOUR.number}, priority=20,reg8=0xfd000000,reg9=0,reg10=0,reg11=0x1,in_port=5 actions=drop",
            "table=neighbour priority=20 address=fd00::1 in_port=5 -> drop",
        ),
        (
            Flow(NEIGHBOUR, 20, Match({ADDRESS4: "10.0.0.1", REG[1]: 2}), (Set(FLAGS, FROM_TUNNEL, FROM_TUNNEL),)),
            f"table={NEIGHBOUR.number}, priority=20,reg1=0x2,reg11=0xa000001 actions=set_field:0x1/0x1->reg5",
            "table=neighbour priority=20 service=0x2 address4=10.0.0.1 -> flags:=from_tunnel",
        ),
        (
            Flow(L2, 0, Match({FLAGS: (0, FROM_TUNNEL)}), (Resubmit(CHUNK), Output(3), OutputField(OUTPUT))),
            f"table={L2.number}, priority=0,reg5=0/0x1 actions=resubmit(,{CHUNK.number}),output:3,output:NXM_NX_REG3[]",
            "table=l2 priority=0 flags=-from_tunnel -> call:chunk output:3 output:output",
        ),
        (
            Flow(
                L2,
                0,
                Match({ETH_TYPE: 0x0806}),
                (Move(MAC, ETH_SRC, 48), Move(ADDRESS4, ARP_SPA, 32), PushVlan(), Move(TAG, VLAN_VID, 12)),
            ),
            f"table={L2.number}, priority=0,arp actions=move:OXM_OF_PKT_REG6[0..47]->NXM_OF_ETH_SRC[],"
            "move:NXM_NX_REG11[]->NXM_OF_ARP_SPA[],push_vlan:0x8100,move:NXM_NX_REG6[0..11]->OXM_OF_VLAN_VID[]",
            "table=l2 priority=0 arp -> eth_src:=mac arp_spa:=address4 push_vlan:0x8100 vlan_vid:=tag[0..11]",
        ),
        (
            Flow(
                L2,
                0,
                Match({ETH_TYPE: 0x86DD, IP_PROTO: 6, IP_TTL: 1, TCP_FLAGS: (0x2, 0x12), ROUTER: 5}),
                (
                    DecTtl(),
                    FirstLive(OUTPUT, (3, PATCH_TUN)),
                    Spread(PATH, 3),
                    CheckLarger(1514, FLAGS, 0),
                    CheckLarger(1514, FLAGS, 31),
                    Ct(4096, DELIVER, commit=True, nat=Nat("dst", "fd00::1", 80)),
                    Ct(TAG, DELIVER, nat=Nat()),
                ),
            ),
            f"table={L2.number}, priority=0,tcp6,reg4=0x5,nw_ttl=1,tcp_flags=+syn-ack actions=dec_ttl,"
            "bundle_load(eth_src,0,active_backup,ofport,NXM_NX_REG3[],members:3,65001),"
            "multipath(symmetric_l3l4+udp,0,hrw,3,0,NXM_NX_REG7[]),check_pkt_larger(1514)->NXM_NX_REG5[0],"
            f"check_pkt_larger(1514)->NXM_NX_REG5[31],ct(commit,table={DELIVER.number},zone=4096,nat(dst=[fd00::1]:80)),"
            f"ct(table={DELIVER.number},zone=NXM_NX_REG6[0..15],nat)",
            "table=l2 priority=0 tcp6 router=5 nw_ttl=1 tcp_flags=+syn-ack -> dec_ttl output:=first_live(3,65001) "
            "path:=spread(3) from_tunnel:=larger(1514) flags[31]:=larger(1514) "
            "ct:commit+deliver(4096,dst:=[fd00::1]:80) ct:deliver(tag,nat)",
        ),
        (
            Flow(L2, 0, Match({FLAGS: (2, 3)}), ()),
            f"table={L2.number}, priority=0,reg5=0x2/0x3 actions=drop",
            "table=l2 priority=0 flags=-from_tunnel+ingress -> drop",
        ),
    ],
)
def test_text(flow: Flow, plain: str, for_people: str) -> None:
    assert text(flow) == plain
    assert named(flow) == for_people
