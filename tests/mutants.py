"""Breaks a copy of the project in one place at a time, and shows which test notices: ``make mutants``.

Not part of `make test`: a test that can't fail is found by running this after a change to apps or compiler.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent.parent
FOLDERS = ("apps", "controller", "flows", "tests", "pyproject.toml")
LAWS = ("tests/laws",)
ROUTERS = ("tests/laws/test_routing.py", "tests/laws/test_nat.py")
CONNECTIONS = ("tests/laws", "tests/hosts/test_security.py")


class Mutant(NamedTuple):
    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = LAWS


MUTANTS = (
    Mutant("a rule forgets its remote group", "apps/security/rules.py", "        f.REMOTE: remote,\n", ""),
    Mutant(
        "egress and ingress rules change places",
        "apps/security/rules.py",
        "return t.INGRESS if rule.direction == INGRESS else 0",
        "return 0 if rule.direction == INGRESS else t.INGRESS",
    ),
    Mutant(
        "rules are of either family",
        "apps/security/rules.py",
        "        f.ETH_TYPE: ETHERTYPES[rule.ethertype],\n",
        "",
    ),
    Mutant(
        "a range of ports is one mask",
        "apps/security/rules.py",
        "yield value | port, mask | bits",
        "yield value | port & bits << 1, mask | bits << 1 & PORT",
    ),
    Mutant(
        "replies pass whatever the rules say",
        "apps/security/pipeline.py",
        "(40, REPLY, t.INGRESS, _first(FIRST_SOURCE, family))",
        "(40, REPLY, t.INGRESS | t.ALLOWED, ())",
        CONNECTIONS,
    ),
    Mutant(
        "a member that leaves is kept",
        "controller/view/view.py",
        "                yield index, entry\n        for entry, member in before - after",
        "                yield index, entry\n        for entry, member in ()",
    ),
    Mutant(
        "no drop for what no rule allows",
        "apps/security/pipeline.py",
        "yield Flow(t.RECEIVED, 0, Match({}), ())",
        "yield Flow(t.RECEIVED, 0, Match({}), past)",
    ),
    Mutant(
        "flooded packets pass every set",
        "apps/security/pipeline.py",
        "yield Flow(t.HEARD, 20, Match({f.FLAGS: (t.ALLOWED, t.ALLOWED)}), past)",
        "yield Flow(t.HEARD, 20, Match({}), past)",
    ),
    Mutant(
        "foreign addresses pass the guard",
        "apps/guard.py",
        "yield EVERYWHERE, Flow(t.SPOOF, 0, Match({}), ())",
        "yield EVERYWHERE, Flow(t.SPOOF, 0, Match({}), (track,))",
    ),
    Mutant(
        "a host floods to itself",
        "apps/overlay.py",
        "Flow(PEER, 20, Match({field: peer.tunnel_ip}), ())",
        "Flow(PEER, 20, Match({field: peer.tunnel_ip}), (Output(VXLAN),))",
    ),
    Mutant(
        "16 of 24 bits of the VNI",
        "apps/switching.py",
        "into = (Set(NETWORK_KEY, network.vni),",
        "into = (Set(NETWORK_KEY, network.vni & 0xFFFF),",
    ),
    Mutant(
        "reads of rows are not recorded",
        "controller/view/view.py",
        "        self._note((kind, key))\n        return self._rows",
        "        return self._rows",
    ),
    Mutant(
        "a scope that is left keeps what it changed",
        "controller/compile/compiler.py",
        "            delete |= delta.gone\n        for scope in new & old",
        "        for scope in new & old",
    ),
    Mutant(
        "routers leave the time to live alone",
        "apps/routing/hop.py",
        "        DecTtl(),\n        Set(f.ETH_SRC, port.mac_address),",
        "        Set(f.ETH_SRC, port.mac_address),",
        ROUTERS,
    ),
    Mutant(
        "a static route goes before a connected one",
        "apps/routing/routes.py",
        "STATIC = CONNECTED - 1",
        "STATIC = CONNECTED + 1",
        ROUTERS,
    ),
    Mutant(
        "what a router is sent for itself goes on",
        "apps/routing/interfaces.py",
        "yield here, Flow(t.ROUTE, OWN, Match(to_prefix(router, _whole(fixed.ip_address))), ())",
        "pass",
        ROUTERS,
    ),
    Mutant(
        "errors about no connection leave as they are",
        "apps/nat/gateways.py",
        "other = (Ct(zone, commit=True, nat=nat), Set(f.IPV4_SRC, address))",
        "other = (Ct(zone, commit=True, nat=nat),)",
        ROUTERS,
    ),
    Mutant(
        "new connections to a router's address come in",
        "apps/routing/pipeline.py",
        "yield Flow(t.RETURNED, 20, Match({f.CT_STATE: (state, state)}),",
        "yield Flow(t.RETURNED, 20 + bit, Match({f.CT_STATE: (0, bit)}),",
        ROUTERS,
    ),
    Mutant(
        "a gateway that stands by answers",
        "apps/nat/gateways.py",
        "            choices.append(t.OURSELVES)\n            break",
        "            choices.insert(0, t.OURSELVES)\n            break",
        ROUTERS,
    ),
    Mutant(
        "a host lacks what routers lead to",
        "controller/view/topology.py",
        "            routers.add(router)\n            due += view.members(NETWORKS_OF_ROUTER, router)\n    for",
        "            routers.add(router)\n    for",
        ROUTERS,
    ),
)


def caught(mutant: Mutant, folder: Path) -> str:
    """The first test that fails; empty: none does."""
    path = folder / mutant.file
    text = path.read_text()
    if text.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.what}: {mutant.file} has {text.count(mutant.old)} places like {mutant.old!r}")
    path.write_text(text.replace(mutant.old, mutant.new))
    try:
        for test in mutant.tests:
            command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
            environment = os.environ | {"PYTHONPATH": str(folder)}
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            if done.returncode == 1:
                failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
                return failed[0].split(" ")[1] if failed else "?"
        return ""
    finally:
        path.write_text(text)


def main() -> int:
    console = Console()
    table = Table("broken", "noticed by", title="Mutants")
    survived = 0
    with tempfile.TemporaryDirectory(prefix="tbm-") as temporary:
        folder = Path(temporary)
        for name in FOLDERS:
            source = HERE / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)
        for mutant in MUTANTS:
            with console.status(mutant.what):
                test = caught(mutant, folder)
            survived += not test
            table.add_row(mutant.what, test or "[red]nothing[/]")
    console.print(table)
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
