"""`make demo`: three hosts join, two projects get networks with the same addresses, a third a router and floating IPs,
and every path between their virtual machines and to the outside is tried. Ends with status 1 when one of them was not
as it should be."""

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from tests.hosts.lab import Lab
from tests.hosts.lease import NoLease
from tests.hosts.namespace import CommandFailed
from tests.hosts.paths import Path as Route
from tests.hosts.paths import Result, expected_lease, lease_text, paths
from tests.hosts.routed import Routed
from tests.hosts.routed_paths import routed_paths
from tests.hosts.serve import NotServing, Serve, holder
from tests.hosts.slot import NoSlot, Slot
from tests.hosts.tenant import ApiError
from tests.hosts.world import HOSTS, PLACES, Place, World

LOGS = Path("build/demo-logs")
OPENFLOW, OVSDB = 6653, 6640
UPLINKS, GATEWAY_HOST = ("h1", "h3"), "h3"
"""Hosts with a second network card, and the one that asks to be a gateway."""
AT_ONCE = 6
"""Paths tried at a time: most of them wait."""

T = TypeVar("T")
Row = tuple[Route, Result]


class CannotStart(Exception):
    """Something about this machine; the message says what to do."""


class Demo:
    def __init__(self, console: Console, listen: str) -> None:
        self.console = console
        self.listen = listen
        self.lab: Lab | None = None
        self.routed: Routed | None = None
        self.serve: Serve | None = None

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        begin = time.monotonic()
        with self.console.status(what):
            yield
        self.console.print(f"[green]✓[/] {what} [dim]{time.monotonic() - begin:.1f} s[/]", highlight=False)

    def check_machine(self) -> None:
        if os.geteuid() != 0:
            raise CannotStart("network namespaces and switches need root: run it as root")
        if swept := Slot.sweep():
            self.console.print(f"[green]✓[/] removed what {swept} killed run(s) had left")
        address, _, port = self.listen.rpartition(":")
        if name := holder(address, int(port)):
            raise CannotStart(f"{self.listen} is taken by {name}: stop it, or choose another with --listen")

    def run(self) -> list[Row]:
        self.check_machine()
        with self.step("a rack and three hosts, each with its own Open vSwitch; two of them with a cable outside"):
            lab = self.lab = Lab()
            lab.add_outside()
            for name in HOSTS:
                lab.add_host(name, uplink=name in UPLINKS, gateway=name == GATEWAY_HOST)
            lab.warm()
        controller = f"{lab.address}:{OVSDB}"
        serve = self.serve = Serve(
            lab.directory, listen=self.listen, openflow=f"{lab.address}:{OPENFLOW}", ovsdb=controller
        )
        with self.step(f"tunbridge serve on http://{self.listen}, database embedded"):
            serve.start()
        with self.step(f"each host joins: ovs-vsctl set-manager tcp:{controller}"):
            for host in lab.hosts.values():
                host.join(controller)
            serve.wait_hosts(lab.hosts)
        world = World(lab, serve)
        with self.step("two projects, red and blue: a network each, both 10.0.0.0/24 and fd00::/64"):
            world.make_networks()
        with self.step(f"{len(PLACES)} ports over REST, {len(PLACES)} virtual machines plugged"):
            for place in PLACES:
                world.make_port(place)
                world.boot(place)
            for place in PLACES:
                world.wait_active(place.name)
        with self.step("each leases its address with a DHCP client"):
            leases = self.all(lambda place: self.leased(world, place), PLACES)
        routes = paths(world)
        routed = self.routed = Routed(lab, serve)
        with self.step("a third project: two networks, a router with a gateway outside, two floating IPs"):
            routed.make_networks()
            routed.boot()
            with suppress(AssertionError):  # the paths will show what does not work
                routed.settle(5.0)
            routes += routed_paths(routed, GATEWAY_HOST)
        with world.serving(), routed.inet.serve():
            tried = self.all(lambda path: (path, attempt(path)), routes, "trying every path")
        return [*leases, *tried]

    def leased(self, world: World, place: Place) -> Row:
        vm = world.vm(place.name)

        def trial() -> Result:
            begin = time.monotonic()
            vm.dhcp()
            return Result(lease_text(vm), (time.monotonic() - begin) * 1000)

        path = Route(place.name, "DHCP", f"on {place.host}", "a lease", expected_lease(place), trial)
        return path, attempt(path)

    def all(self, do: Callable[[T], Row], items: Sequence[T], what: str = "") -> list[Row]:
        """Several at a time, results in order."""
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn())
        with (
            ThreadPoolExecutor(AT_ONCE) as pool,
            Progress(*columns, console=self.console, transient=True, disable=not what) as progress,
        ):
            return list(progress.track(pool.map(do, items), total=len(items), description=what))

    def close(self) -> None:
        if self.routed:
            self.routed.close()
        if self.serve:
            self.serve.stop()
        if self.lab:
            self.lab.close()

    def keep_logs(self) -> None:
        if self.lab and self.lab.directory.exists():
            shutil.rmtree(LOGS, ignore_errors=True)
            for log in self.lab.directory.rglob("*.log"):
                to = LOGS / log.relative_to(self.lab.directory)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(log, to)
            self.console.print(f"Logs of all parts are in {LOGS}/")


def attempt(path: Route) -> Result:
    try:
        return path.trial()
    except (NoLease, CommandFailed, OSError, ValueError) as problem:
        return Result(f"{type(problem).__name__}: {str(problem).splitlines()[0]}")


def table(rows: list[Row]) -> Table:
    shown = Table(title="Every path", title_justify="left", header_style="bold", pad_edge=False, box=None)
    for name in ("", "from", "to", "way", "what", "should be", "was", "ms"):
        shown.add_column(name, justify="right" if name == "ms" else "left", overflow="fold")
    for path, result in rows:
        right = result.got == path.should
        shown.add_row(
            "[green]✓[/]" if right else "[red]✗[/]",
            path.origin,
            path.target,
            path.way,
            path.what,
            path.should,
            result.got if right else f"[red]{escape(result.got)}[/]",
            "" if result.ms is None else f"{result.ms:.1f}",
        )
    return shown


def hints(console: Console, demo: Demo) -> None:
    assert demo.lab and demo.serve and demo.routed
    url, prefix, floating = demo.serve.url, demo.lab.slot.prefix, demo.routed.floating
    h1 = demo.lab.hosts["h1"]
    more = "" if demo.listen == "127.0.0.1:9696" else f" --endpoint {url}"
    console.print(
        f"""
[bold]It stays up. Try, in another terminal:[/]
  curl -s {url}/v2.0/ports | python3 -m json.tool
  .venv/bin/openstack --os-auth-type none --os-endpoint {url} network list
  .venv/bin/tunbridge hosts{more}
  .venv/bin/tunbridge flows --host h1 --bridge br-int{more}
  ip netns exec {prefix}red1 ping 10.0.0.13
  ip netns exec {prefix}red3 tcpdump -ni eth0
  ip netns exec {prefix}inet ping {floating["a2"]}
  ovs-vsctl --db={h1.socket} show
  tail -f {demo.serve.log}
[bold]Ctrl-C removes all of it.[/]""",
        highlight=False,
        soft_wrap=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:9696", help="where the API answers: HOST:PORT [%(default)s]")
    console = Console(width=None if sys.stdout.isatty() else 150)
    demo = Demo(console, parser.parse_args().listen)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        rows = demo.run()
        console.print(table(rows))
        wrong = sum(result.got != path.should for path, result in rows)
        console.print(
            f"\n[bold red]{wrong} of {len(rows)} paths were not as they should be.[/]"
            if wrong
            else f"\n[bold green]All {len(rows)} paths are as they should be.[/]"
        )
        if wrong:
            demo.keep_logs()
        if sys.stdin.isatty() and sys.stdout.isatty():
            hints(console, demo)
            with suppress(KeyboardInterrupt):
                signal.pause()
        return 1 if wrong else 0
    except KeyboardInterrupt:
        return 130
    except CannotStart as problem:
        console.print(f"[red]demo:[/] {problem}", markup=True, highlight=False)
        return 1
    except (NotServing, NoSlot, ApiError, NoLease, CommandFailed, TimeoutError, OSError) as problem:
        console.print("[red]demo:[/]", str(problem), highlight=False)
        demo.keep_logs()
        return 1
    finally:
        # For commands that it runs as well: who is in a hurry must not leave half of it behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with console.status("cleaning up"):
            demo.close()


if __name__ == "__main__":
    sys.exit(main())
