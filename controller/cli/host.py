"""`tunbridge host`: join, leave and show, on the host itself, over its local OVSDB (ovsdbapp).

Joining is what ``ovs-vsctl set-manager`` does; the rest are settings that the controller reads.
"""

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from controller.cli import look

if TYPE_CHECKING:
    from ovsdbapp.schema.open_vswitch.impl_idl import OvsdbIdl

app = typer.Typer(
    help="On a host: join, leave, show what is set. Anywhere: register a certificate.", no_args_is_help=True
)

Db = Annotated[str, typer.Option(help="this host's own database")]
LOCAL = "unix:/var/run/openvswitch/db.sock"
OUR_IDS = ("ovn-encap-ip", "ovn-bridge-mappings")
BRIDGES = ("br-int", "br-tun")
WAIT = 10
"""Seconds for the local database."""


def _open(db: str) -> "OvsdbIdl":
    # Imported here: `tunbridge flows` need not wait for it, and ovs tells every user that eventlet, which os-ken brings
    # along and nobody here uses, is deprecated.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ovsdbapp.backend.ovs_idl import connection
        from ovsdbapp.schema.open_vswitch.impl_idl import OvsdbIdl

    path = db.removeprefix("unix:")
    if db.startswith("unix:") and not Path(path).exists():
        _stop(f"there is no database at {path}: is Open vSwitch running? Another place: --db unix:PATH")
    try:
        idl = connection.OvsdbIdl.from_server(db, "Open_vSwitch")
        return OvsdbIdl(connection.Connection(idl, timeout=WAIT))
    except Exception as error:  # ovsdbapp raises bare Exception and TimeoutException
        _stop(f"{db} does not answer: {error}")


def _stop(reason: str) -> NoReturn:
    print(f"tunbridge host: {reason}", file=sys.stderr)
    raise SystemExit(1)


def _row(api: "OvsdbIdl") -> Any:
    return next(iter(api.tables["Open_vSwitch"].rows.values()))


@app.command()
def join(
    controller: Annotated[str, typer.Argument(help="tcp:HOST:6640 or ssl:HOST:6640; HOST alone means tcp and 6640")],
    tunnel_ip: Annotated[str, typer.Option(help="where this host's tunnels end, if not where it dials from")] = "",
    mappings: Annotated[str, typer.Option(help="physical networks: NAME:BRIDGE, with commas")] = "",
    private_key: Annotated[Path | None, typer.Option(help="for ssl")] = None,
    certificate: Annotated[Path | None, typer.Option(help="for ssl")] = None,
    ca_cert: Annotated[Path | None, typer.Option(help="for ssl")] = None,
    db: Db = LOCAL,
) -> None:
    """Join a controller. Running it again changes the settings."""
    target = _target(controller)
    keys = [path for path in (private_key, certificate, ca_cert) if path is not None]
    if keys and len(keys) != 3:
        _stop("ssl needs all of --private-key, --certificate and --ca-cert")
    for path in keys:
        if not path.is_file():
            _stop(f"{path} is no file")
    for mapping in filter(None, mappings.split(",")):
        if mapping.count(":") != 1:
            _stop(f"--mappings: {mapping!r} is not NAME:BRIDGE")
    api = _open(db)
    settings = {k: v for k, v in (("ovn-encap-ip", tunnel_ip), ("ovn-bridge-mappings", mappings)) if v}
    managers = api.get_manager().execute(check_error=True)
    with api.transaction(check_error=True) as txn:
        if keys:
            private, public, authority = (str(path.resolve()) for path in keys)
            ssl = txn.add(api.db_create("SSL", private_key=private, certificate=public, ca_cert=authority))
            txn.add(api.db_set("Open_vSwitch", ".", ("ssl", ssl)))
        if settings:
            txn.add(api.db_set("Open_vSwitch", ".", ("external_ids", settings)))
        for other in managers:
            if other != target:
                txn.add(api.remove_manager(other))
        if target not in managers:
            txn.add(api.add_manager(target))
    print(f"joined {target}")


@app.command()
def add(
    system_id: Annotated[str, typer.Argument(help="external_ids:system-id of the host's Open vSwitch")],
    certificate: Annotated[Path, typer.Option(help="the host's certificate, whose name is another")],
    endpoint: look.Endpoint = look.DEFAULT,
) -> None:
    """Where the controller is: register a host's certificate, so that it speaks for that host."""
    from controller.cli.authority import fingerprint, read_certificate

    try:
        digest = fingerprint(read_certificate(certificate.read_bytes()))
    except (OSError, ValueError) as error:
        _stop(f"{certificate} is no certificate: {error}")
    look.ask(endpoint, "/tunbridge/v1/hosts", "POST", host=system_id, fingerprint=digest)
    print(f"registered: {system_id}, SHA-256 {digest}")


@app.command()
def leave(
    bridges: Annotated[bool, typer.Option(help="delete br-int and br-tun as well")] = False,
    db: Db = LOCAL,
) -> None:
    """Leave the controller. VMs here lose their network: a bridge whose last controller goes drops its flows."""
    api = _open(db)
    managers = api.get_manager().execute(check_error=True)
    with api.transaction(check_error=True) as txn:
        for target in managers:
            txn.add(api.remove_manager(target))
        for name in BRIDGES:
            if bridges:
                txn.add(api.del_br(name, if_exists=True))
            elif api.br_exists(name).execute(check_error=True):
                txn.add(api.del_controller(name))
    print("left; br-int and br-tun are " + ("gone" if bridges else "there, without flows"))


@app.command()
def show(db: Db = LOCAL) -> None:
    """What is set on this host, and whether the controller is connected."""
    api = _open(db)
    row = _row(api)
    console = Console(highlight=False)
    console.print(f"system-id        {row.external_ids.get('system-id', '(none yet: the controller gives one)')}")
    console.print(f"Open vSwitch     {_one(row.ovs_version)}")
    managers = api.tables["Manager"].rows.values()
    for manager in managers:
        state = "connected" if manager.is_connected else "not connected"
        console.print(f"manager          {manager.target} ({state})")
    if not managers:
        console.print("manager          none: this host has not joined")
    for key in OUR_IDS:
        if key in row.external_ids:
            console.print(f"{key:17}{row.external_ids[key]}")
    for bridge in api.tables["Bridge"].rows.values():
        controllers = ", ".join(
            f"{c.target} ({'connected' if c.is_connected else 'not connected'})" for c in bridge.controller
        )
        console.print(f"bridge           {bridge.name}: {len(bridge.ports)} ports, {controllers or 'no controller'}")


def _one(value: Any) -> str:
    return value if isinstance(value, str) else value[0] if value else "?"


def _target(text: str) -> str:
    kind, colon, rest = text.partition(":")
    if kind not in ("tcp", "ssl") or not colon:
        kind, rest = "tcp", text
    if not rest:
        _stop(f"{text!r} names no controller")
    return f"{kind}:{rest}" if _has_port(rest) else f"{kind}:{rest}:6640"


def _has_port(address: str) -> bool:
    host, colon, port = address.rpartition(":")
    return bool(colon) and port.isdecimal() and (":" not in host or host.endswith("]"))
