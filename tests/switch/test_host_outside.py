"""What leads from a host to the world outside: patches to its external bridges, uplinks, the wish to be a gateway."""

from flows.tables import PATCH_EX
from tests.switch.listeners import Control, get, join, spoilt, vsctl
from tests.switch.vswitch import Vswitch

MAPPINGS = "external_ids:ovn-bridge-mappings"


async def says(host: Vswitch, *settings: str) -> None:
    await vsctl(host, "set", "Open_vSwitch", ".", *settings)


async def add_link(host: Vswitch, bridge: str, name: str, *more: str) -> None:
    await vsctl(host, "add-port", bridge, name, "--", "set", "Interface", name, "type=dummy", *more)


async def ports(host: Vswitch, bridge: str) -> set[str]:
    return set((await vsctl(host, "list-ports", bridge)).split())


async def test_a_patch_to_each_external_bridge(host: Vswitch, control: Control) -> None:
    await says(host, f"{MAPPINGS}=physnet1:br-a,physnet2:br-b,again:br-a,physnet3:br-c")
    await join(host, control)
    await control.ready("h1")
    for index, bridge in enumerate(("br-a", "br-b", "br-c")):
        suffix = f"-{index + 1}" if index else ""
        assert await ports(host, bridge) == {f"patch-int-ex{suffix}"}
        assert await vsctl(host, "get-fail-mode", bridge) == "standalone"
        assert await get(host, "Interface", f"patch-ex{suffix}", "options") == f"{{peer=patch-int-ex{suffix}}}"
        assert await get(host, "Interface", f"patch-ex{suffix}", "ofport") == str(PATCH_EX + index)
    for spoil in ("patch-ex-3", "patch-int-ex-2"):
        await spoilt(host, control, "del-port", spoil)
    await spoilt(host, control, "del-br", "br-c")
    assert await ports(host, "br-c") == {"patch-int-ex-3"}


async def test_patches_of_a_mapping_that_goes_are_removed_and_nothing_else(host: Vswitch, control: Control) -> None:
    await says(host, f"{MAPPINGS}=physnet1:br-a,physnet2:br-b,physnet3:br-c")
    await join(host, control)
    await control.ready("h1")
    # Names like ours, and a patch of ours that somebody else uses now.
    await vsctl(
        host, "add-port", "br-int", "patch-ex-9", "--", "set", "Interface", "patch-ex-9", "type=patch",
        "options:peer=elsewhere", "--", "add-port", "br-a", "patch-ex-8", "--", "set", "Interface", "patch-ex-8",
        "type=dummy", "--", "add-port", "br-a", "patch-x", "--", "set", "Interface", "patch-x", "type=patch",
        "options:peer=nobody",
    )  # fmt: skip
    told = len(control.told)
    await says(host, f"{MAPPINGS}=physnet3:br-c,physnet1:br-a")
    await control.until(lambda: any(new and new.ready for _, _, new in control.told[told:]))
    assert await ports(host, "br-int") == {"patch-tun", "patch-ex", "patch-ex-2", "patch-ex-9"}
    assert await ports(host, "br-a") == {"patch-int-ex-2", "patch-ex-8", "patch-x"}
    assert await ports(host, "br-b") == set()
    assert await ports(host, "br-c") == {"patch-int-ex"}
    assert control.facts["h1"].bridge_mappings == (("physnet3", "br-c"), ("physnet1", "br-a"))
    for index, name in enumerate(("patch-ex", "patch-ex-2")):
        assert await get(host, "Interface", name, "ofport") == str(PATCH_EX + index)


async def test_uplinks_are_bridges_with_a_link_that_is_up(host: Vswitch, control: Control) -> None:
    await says(host, f"{MAPPINGS}=physnet1:br-a,physnet2:br-b,also:br-b")
    await join(host, control)
    assert (await control.ready("h1")).uplinks == (), "neither patches nor what a bridge has of itself are links"
    await add_link(host, "br-b", "nic1")
    both = (("physnet2", PATCH_EX + 1), ("also", PATCH_EX + 1))
    await control.until(lambda: control.facts["h1"].uplinks == both)
    await add_link(host, "br-b", "nic2")
    await vsctl(host, "del-port", "nic1")
    await control.quiet()
    assert control.facts["h1"].uplinks == both, "the second of two stays"
    told = len(control.told)
    host.appctl("netdev-dummy/set-admin-state", "nic2", "down")
    await control.until(lambda: control.facts["h1"].uplinks == ())
    assert control.facts["h1"].ready
    host.appctl("netdev-dummy/set-admin-state", "nic2", "up")
    await control.until(lambda: control.facts["h1"].uplinks == both)
    assert len(control.told) == told + 2, "one change each"
    await add_link(host, "br-a", "nic3")
    await control.until(lambda: control.facts["h1"].uplinks == (("physnet1", PATCH_EX), *both))
    await vsctl(host, "del-br", "br-b")
    await control.until(lambda: control.facts["h1"].uplinks == (("physnet1", PATCH_EX),))
    await control.ready("h1")


async def test_a_host_asks_to_be_a_gateway(host: Vswitch, control: Control) -> None:
    await join(host, control)
    assert not (await control.ready("h1")).gateway
    for options, gateway in (
        ('"enable-chassis-as-gw"', True),
        ('"enable-chassis-as-gwx"', False),
        ('"availability-zones=a:b, enable-chassis-as-gw"', True),
        ('"availability-zones=a:b"', False),
    ):
        told = len(control.told)
        await says(host, f"external_ids:ovn-cms-options={options}")
        await control.more(told)
        assert control.facts["h1"].gateway is gateway
        assert control.facts["h1"].ready
