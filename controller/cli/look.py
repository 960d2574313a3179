"""`tunbridge status`, `hosts`, `flows`, `rules`, `drops` and `audit`: what the REST endpoint says, as tables."""

import os
import sys
from typing import Annotated, Any, NoReturn

import httpx
import typer
from rich.console import Console
from rich.table import Table

Endpoint = Annotated[str, typer.Option(envvar="TUNBRIDGE_ENDPOINT", help="URL of the REST endpoint", show_default=True)]
Json = Annotated[bool, typer.Option("--json", help="as JSON, for programs")]
DEFAULT = "http://127.0.0.1:9696"
WAIT = 15.0


def ask(endpoint: str, path: str, method: str = "GET", **query: str) -> Any:
    given = {k: v for k, v in query.items() if v}
    try:
        answer = httpx.request(method, endpoint.rstrip("/") + path, params=given, timeout=WAIT)
    except httpx.HTTPError as error:
        _stop(f"no answer from {endpoint}: {error}. Is `tunbridge serve` running? Another address: --endpoint")
    if answer.is_error:
        try:
            body = answer.json()
            reason = body.get("error") or body["NeutronError"]["message"]
        except (ValueError, KeyError, AttributeError):
            reason = answer.text
        _stop(f"{endpoint}{path}: {answer.status_code} {reason}")
    return answer.json()


def _stop(reason: str) -> NoReturn:
    print(f"tunbridge: {reason}", file=sys.stderr)
    raise SystemExit(1)


def _console() -> Console:
    # Without a terminal nothing is cut off: columns are for people, lines for grep.
    return Console(width=None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", "400")), highlight=False)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def status(endpoint: Endpoint = DEFAULT, json: Json = False) -> None:
    """Is all well? Exits 1 when it is not."""
    answer = ask(endpoint, "/tunbridge/v1/status")
    console = _console()
    well = answer["database"] == "connected" and answer["hosts"] == answer["hosts_alive"] and not answer["failures"]
    if json:
        console.print_json(data=answer)
    else:
        for name in ("database", "networks", "subnets", "ports", "ports_waiting"):
            console.print(f"{name.replace('_', ' '):15}{answer[name]}")
        console.print(f"{'hosts':15}{answer['hosts_alive']} of {answer['hosts']} served")
        for failure in answer["failures"]:
            console.print(f"[red]failed[/]         {failure['intent']}: {failure['reason']}")
    raise SystemExit(0 if well else 1)


def hosts(endpoint: Endpoint = DEFAULT, json: Json = False) -> None:
    """The hosts that have joined."""
    answer = ask(endpoint, "/tunbridge/v1/hosts")["hosts"]
    console = _console()
    if json:
        console.print_json(data=answer)
        return
    table = _table("host", "name", "tunnel address", "alive", "ports", "bridges", "Open vSwitch", "problem")
    for host in answer:
        alive = "[green]yes[/]" if host["alive"] else "[red]no[/]"
        bridges = ", ".join(f"{name} {state}" for name, state in host["bridges"].items())
        problem = "; ".join(filter(None, [host["problem"], *host["faults"]]))
        table.add_row(
            host["name"],
            host["hostname"],
            host["tunnel_ip"],
            alive,
            str(host["ports"]),
            bridges,
            host["version"],
            problem,
        )
    console.print(table if answer else "no host has joined yet; on a host: ovs-vsctl set-manager tcp:CONTROLLER:6640")


def flows(
    host: Annotated[str, typer.Option(help="system-id or host name")] = "",
    bridge: Annotated[str, typer.Option(help="br-int or br-tun")] = "",
    network: Annotated[str, typer.Option(help="id or name")] = "",
    port: Annotated[str, typer.Option(help="id or name")] = "",
    endpoint: Endpoint = DEFAULT,
    json: Json = False,
) -> None:
    """The flows that are installed now, and what wants each."""
    answer = ask(endpoint, "/tunbridge/v1/flows", host=host, bridge=bridge, network=network, port=port)["flows"]
    console = _console()
    if json:
        console.print_json(data=answer)
        return
    place = None
    table = _table()
    for flow in answer:
        if (here := (flow["host"], flow["bridge"])) != place:
            if place:
                console.print(table, "")
            place = here
            console.print(f"[bold]{flow['host']} {flow['bridge']}[/]")
            table = _table("table", "prio", "packets", "app", "intent", "flow")
        table.add_row(
            flow["table"], str(flow["priority"]), str(flow["packets"]), flow["app"], flow["intent"], flow["flow"]
        )
    console.print(table if place else "no flow matches")


def rules(
    group: Annotated[str, typer.Option(help="security group: id or name")] = "",
    host: Annotated[str, typer.Option(help="system-id or host name")] = "",
    endpoint: Endpoint = DEFAULT,
    json: Json = False,
) -> None:
    """Security group rules, and how much each has let through."""
    answer = ask(endpoint, "/tunbridge/v1/rules", group=group, host=host)["rules"]
    console = _console()
    if json:
        console.print_json(data=answer)
        return
    table = _table("group", "rule", "allows", "packets", "bytes")
    for rule in answer:
        name = f"{rule['group_name']} ({rule['group'][:8]})"
        table.add_row(name, rule["rule"], rule["what"], str(rule["packets"]), str(rule["bytes"]))
    console.print(table if answer else "no rule matches")


def drops(
    host: Annotated[str, typer.Option(help="system-id or host name")] = "",
    endpoint: Endpoint = DEFAULT,
    json: Json = False,
) -> None:
    """What has been dropped, where and why."""
    answer = ask(endpoint, "/tunbridge/v1/drops", host=host)["drops"]
    console = _console()
    if json:
        console.print_json(data=answer)
        return
    table = _table("host", "table", "packets", "bytes", "reason", "concerns")
    for drop in answer:
        numbers = (str(drop["packets"]), str(drop["bytes"]))
        table.add_row(drop["host"], drop["table"], *numbers, drop["reason"], drop["concerns"])
    console.print(table if answer else "nothing has been dropped")


def audit(
    host: Annotated[str, typer.Option(help="system-id or host name")] = "",
    repair: Annotated[bool, typer.Option("--repair", help="put right what differs")] = False,
    endpoint: Endpoint = DEFAULT,
    json: Json = False,
) -> None:
    """Compares hosts with what they shall be. Exits 1 when something differs and was not put right."""
    answer = ask(endpoint, "/tunbridge/v1/audit", "POST" if repair else "GET", host=host)["audit"]
    console = _console()
    if json:
        console.print_json(data=answer)
    else:
        if answer["mended"]:
            table = _table("when", "host", "where", "was changed by hand, and mended")
            for mending in answer["mended"]:
                table.add_row(mending["at"], mending["host"], mending["where"], mending["what"])
            console.print(table, "")
        table = _table("host", "where", "differed" if repair else "differs", "")
        for finding in answer["found"]:
            outcome = "[green]put right[/]" if finding["mended"] else ""
            table.add_row(finding["host"], finding["where"], finding["what"], outcome)
        console.print(table if answer["found"] else "every host is as it shall be")
    raise SystemExit(0 if all(finding["mended"] for finding in answer["found"]) else 1)
