"""Actions: values as text or number, and nothing that a switch would refuse."""

from collections.abc import Callable

import pytest

from flows.actions import Action, CheckLarger, Ct, FirstLive, Move, Nat, Output, OutputField, Set, Spread
from flows.fields import (
    ETH_DST,
    ETH_TYPE,
    FLAGS,
    IN_PORT,
    MAC,
    NETWORK_KEY,
    OUTPUT,
    PORT_LOCAL,
    TAG,
    TCP_FLAGS,
    TUN_DST,
    VLAN_VID,
    XREG,
)


def test_text_and_number_are_the_same() -> None:
    assert Set(ETH_DST, "fa:16:3e:00:00:01") == Set(ETH_DST, 0xFA163E000001)
    assert Set(TUN_DST, "10.0.0.1") == Set(TUN_DST, 0x0A000001)
    assert Set(ETH_DST, "ff:ff:ff:ff:ff:ff", "01:00:00:00:00:00") == Set(ETH_DST, 1 << 40, 1 << 40)
    assert hash(Set(ETH_DST, "fa:16:3e:00:00:01")) == hash(Set(ETH_DST, 0xFA163E000001))


def test_addresses_are_canonical() -> None:
    assert Nat("dst", "FD00:0::0001", 80) == Nat("dst", "fd00::1", 80)
    assert Nat("src", "10.0.0.1").packed == bytes((10, 0, 0, 1))
    assert Nat().packed == b""


def test_masks_are_canonical() -> None:
    assert Set(FLAGS, 0x3, 0x1) == Set(FLAGS, 0x1, 0x1)
    assert Set(FLAGS, 0x3, 0xFFFFFFFF) == Set(FLAGS, 0x3)
    assert Set(TUN_DST, "10.1.2.3/8") == Set(TUN_DST, 0x0A000000, 0xFF000000)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Set(NETWORK_KEY, 1 << 32), "does not fit"),
        (lambda: Set(FLAGS, 1, 0), "mask of 0"),
        (lambda: Set(ETH_TYPE, 0x0800), "can't be set"),
        (lambda: Set(VLAN_VID, 5), "VLAN_PRESENT"),
        (lambda: Set(IN_PORT, PORT_LOCAL), "can be set to a port"),
        (lambda: Move(TAG, VLAN_VID, 13), "vlan_vid has 12 bits"),
        (lambda: Move(MAC, ETH_DST, 48, 17), "xreg6 has 64 bits"),
        (lambda: Move(MAC, ETH_DST, 0), "can't move 0"),
        (lambda: Move(TAG, ETH_TYPE, 16), "can't be set"),
        (lambda: Output(0), "no OpenFlow port"),
        (lambda: Output(0xFF00), "no OpenFlow port"),
        (lambda: OutputField(XREG[0]), "no 32-bit register"),
        (lambda: Set(TCP_FLAGS, 2), "can't be set"),
        (lambda: Nat("src"), "a side and an address"),
        (lambda: Nat("", "10.0.0.1"), "a side and an address"),
        (lambda: Nat("", "", 80), "no port"),
        (lambda: Nat("dst", "10.0.0.1", 65536), "no port"),
        (lambda: Nat("both", "10.0.0.1"), "only of src or dst"),  # type: ignore[arg-type]
        (lambda: Nat("src", "10.0.0"), "no IP address"),
        (lambda: Nat("src", "::"), "no host's address"),
        (lambda: Ct(0x10000), "no conntrack zone"),
        (lambda: Ct(5, nat=Nat("src", "10.0.0.1")), "connections that are committed"),
        (lambda: FirstLive(MAC, (1,)), "no 32-bit register"),
        (lambda: FirstLive(OUTPUT, ()), "first of 0 ports"),
        (lambda: FirstLive(OUTPUT, (1, PORT_LOCAL)), "no OpenFlow port"),
        (lambda: Spread(MAC, 2), "no 32-bit register"),
        (lambda: Spread(OUTPUT, 0), "can't spread over 0"),
        (lambda: CheckLarger(1500, MAC, 0), "no 32-bit register"),
        (lambda: CheckLarger(65536, FLAGS, 0), "no size"),
        (lambda: CheckLarger(1500, FLAGS, 32), "no bit 32"),
    ],
)
def test_what_a_switch_would_refuse_is_refused(make: Callable[[], Action], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()
