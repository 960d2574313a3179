"""Actions: values as text or number, and nothing that a switch would refuse."""

from collections.abc import Callable

import pytest

from flows.actions import Action, Move, Output, OutputField, Set
from flows.fields import (
    ETH_DST,
    ETH_TYPE,
    FLAGS,
    IN_PORT,
    MAC,
    NETWORK_KEY,
    PORT_LOCAL,
    TAG,
    TUN_DST,
    VLAN_VID,
    XREG,
)


def test_text_and_number_are_the_same() -> None:
    assert Set(ETH_DST, "fa:16:3e:00:00:01") == Set(ETH_DST, 0xFA163E000001)
    assert Set(TUN_DST, "10.0.0.1") == Set(TUN_DST, 0x0A000001)
    assert Set(ETH_DST, "ff:ff:ff:ff:ff:ff", "01:00:00:00:00:00") == Set(ETH_DST, 1 << 40, 1 << 40)
    assert hash(Set(ETH_DST, "fa:16:3e:00:00:01")) == hash(Set(ETH_DST, 0xFA163E000001))


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
    ],
)
def test_what_a_switch_would_refuse_is_refused(make: Callable[[], Action], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()
