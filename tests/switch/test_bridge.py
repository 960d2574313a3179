"""A bridge brought in step with a real switch: adoption by cookies, plans, and what the switch refuses."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator

import pytest

from apps.contract import EVERYWHERE
from controller.compile.compiler import Plan
from controller.compile.ledger import Entry, entry
from controller.reconcile.bridge import Bridge
from controller.southbound.channel import Channel
from controller.southbound.openflow import OpenFlowListener
from flows.actions import Action, Meter, Output, Set
from flows.fields import ARP_OP, IN_PORT
from flows.flow import Flow, MeterConfig
from flows.match import Match
from flows.tables import CLASSIFY
from flows.text import text
from tests.switch.vswitch import Vswitch

LIMIT = 20.0


def unit(view: object, key: object) -> Iterator[object]:
    raise AssertionError("only its name is of interest")
    yield


def want(key: str, in_port: int, *actions: Action) -> Entry:
    return entry((unit, key), 1, EVERYWHERE, Flow(CLASSIFY, 5, Match({IN_PORT: in_port}), actions))


def refused(key: str, in_port: int) -> Entry:
    """ARP's operation, set in a packet that need not be ARP: OFPBAC_MATCH_INCONSISTENT."""
    return want(key, in_port, Set(ARP_OP, 1))


class Stage:
    """A real switch, a bridge that follows ``entries``, and a way to wait for what it says."""

    def __init__(self, switch: Vswitch) -> None:
        self.switch = switch
        self.entries: list[Entry] = []
        self.version = 0
        self.mended: list[tuple[str, str]] = []
        self._changed = asyncio.Event()
        self.bridge = Bridge("h", "br-int", lambda: iter(self.entries), self._changed.set, lambda: None, self._mended)
        self.listener = OpenFlowListener(
            "127.0.0.1:0", on_channel=self._connected, on_packet_in=lambda channel, packet: None
        )

    def _mended(self, host: str, bridge: str, what: Iterable[tuple[str, str]]) -> None:
        self.mended += what
        self._changed.set()

    def _connected(self, channel: Channel) -> None:
        self.bridge.connect(channel)
        channel.closed.add_done_callback(lambda _: self.bridge.disconnect(channel))

    async def start(self) -> None:
        await self.listener.start()
        await self.vsctl("set-controller", "br-int", f"tcp:127.0.0.1:{self.listener.port}")
        self.bridge.allow()
        await self.until(lambda: self.bridge.adopted)

    async def stop(self) -> None:
        await self.vsctl("del-controller", "br-int")
        await self.bridge.close()
        await self.listener.close()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    async def plan(self, add: list[Entry], delete: list[Entry] = []) -> None:  # noqa: B006
        """Hands over a plan and waits until it is settled."""
        self.version += 1
        self.bridge.add(Plan({e.slot: e for e in add}, {e.slot: e for e in delete}), self.version)
        await self.until(lambda: self.bridge.settled(self.version))

    async def vsctl(self, *arguments: str) -> None:
        await asyncio.to_thread(self.switch.vsctl, *arguments)

    def installed(self) -> set[str]:
        dump = self.switch.ofctl("dump-flows", "br-int", options=["--no-stats"])
        return {
            line.strip().split(", ", 1)[-1].removeprefix("table=0, ") for line in dump.splitlines() if "actions" in line
        }

    def has(self, *entries: Entry) -> bool:
        flows = [e.item for e in entries]
        return self.installed() == {text(flow).removeprefix("table=0, ") for flow in flows if isinstance(flow, Flow)}


@pytest.fixture
def switch() -> Iterator[Vswitch]:
    with Vswitch() as running:
        running.add_bridge("br-int", 7)
        yield running


@pytest.fixture
async def stage(switch: Vswitch) -> AsyncIterator[Stage]:
    stage = Stage(switch)
    yield stage
    await stage.stop()


async def test_adoption_keeps_what_is_equal_and_nothing_else(stage: Stage) -> None:
    kept, changed, missing = want("kept", 1, Output(9)), want("changed", 2, Output(9)), want("missing", 3)
    before = want("changed", 2, Output(8))
    stage.entries = [kept, before]
    await stage.start()
    assert stage.has(kept, before)
    stage.switch.ofctl("add-flow", "br-int", "table=9,priority=3,actions=drop")
    stage.switch.ofctl("add-flow", "br-int", "table=9,priority=4,cookie=0x7,actions=drop")
    written = stage.bridge.written
    # What the switch held before, as another process would find it.
    stage.entries = [kept, changed, missing]
    assert stage.bridge.channel is not None
    stage.bridge.channel.close("the controller is killed")
    await stage.until(lambda: not stage.bridge.adopted)
    await stage.until(lambda: stage.bridge.adopted)
    assert stage.has(kept, changed, missing)
    # Two added (one over its predecessor, whose cookie is then deleted), and a delete for each stray cookie.
    assert stage.bridge.written - written == 5
    stage.bridge.channel.close("and again")
    await stage.until(lambda: not stage.bridge.adopted)
    await stage.until(lambda: stage.bridge.adopted)
    assert stage.bridge.written - written == 5, "nothing is rewritten"


async def test_plans(stage: Stage) -> None:
    await stage.start()
    one, two = want("one", 1, Output(1)), want("two", 2, Output(1))
    await stage.plan([one, two])
    assert stage.has(one, two)
    changed = want("one", 1, Output(2))
    await stage.plan([changed], [two])
    assert stage.has(changed)


async def test_what_is_refused_costs_its_unit_only(stage: Stage) -> None:
    await stage.start()
    old, other = want("bad", 1, Output(1)), want("good", 2, Output(1))
    await stage.plan([old])
    # The unit gives up port 1's flow, and wants another that is fine and one that the switch refuses.
    fine, wrong = want("bad", 3, Output(1)), refused("bad", 4)
    await stage.plan([fine, wrong, other], [old])
    assert stage.has(old, other), "its old flows stay, the other unit's came"
    (fault,) = stage.bridge.faults.values()
    assert "OFPBAC_MATCH_INCONSISTENT" in fault
    assert list(stage.bridge.faults) == [(unit, "bad")]
    # It comes to its senses: what was left out is made good as well.
    right = want("bad", 4, Output(1))
    await stage.plan([right])
    assert stage.has(fine, right, other)
    assert stage.bridge.faults == {}


async def test_a_refused_unit_that_goes_leaves_nothing(stage: Stage) -> None:
    await stage.start()
    old, wrong = want("bad", 1, Output(1)), refused("bad", 4)
    await stage.plan([old])
    await stage.plan([wrong], [old])
    assert stage.has(old)
    await stage.plan([], [wrong])
    assert stage.has()
    assert stage.bridge.faults == {}


async def test_refused_while_adopting(stage: Stage) -> None:
    good, wrong = want("good", 1, Output(1)), refused("bad", 2)
    stage.entries = [good, wrong]
    await stage.start()
    assert stage.has(good)
    assert list(stage.bridge.faults) == [(unit, "bad")]


async def test_meters(stage: Stage) -> None:
    meter = MeterConfig("br-int", 1, 100, 50)
    limited = want("limited", 1, Meter(1), Output(1))
    stage.entries = [limited, entry((unit, "meter"), 1, EVERYWHERE, meter)]
    await stage.start()
    assert stage.has(limited)
    assert stage.bridge.channel is not None
    assert await stage.bridge.channel.meters() == {1: (100, 50)}
    await stage.plan([entry((unit, "meter"), 1, EVERYWHERE, MeterConfig("br-int", 1, 200, 60))])
    assert await stage.bridge.channel.meters() == {1: (200, 60)}


async def test_a_switch_that_goes_in_the_middle(stage: Stage) -> None:
    await stage.start()
    many = [want(f"u{n}", n, Output(1)) for n in range(1, 20_001)]
    stage.entries = many
    stage.bridge.add(Plan({e.slot: e for e in many}), 1)
    await asyncio.sleep(0)
    assert stage.bridge.channel is not None
    stage.bridge.channel.close("cut")
    await stage.until(lambda: not stage.bridge.adopted)
    assert not stage.bridge.settled(1)
    await stage.until(lambda: stage.bridge.settled(1))
    assert len(stage.installed()) == 20_000
