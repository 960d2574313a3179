"""The `tunbridge` command."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from controller.cli import host, look, pki
from controller.cli.settings import SettingsError, load
from controller.observe.log import configure

app = typer.Typer(
    name="tunbridge",
    help="A virtual network controller for Open vSwitch that speaks the OpenStack Networking API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(host.app, name="host")
app.add_typer(pki.app, name="pki")
app.command("status")(look.status)
app.command("hosts")(look.hosts)
app.command("flows")(look.flows)
app.command("rules")(look.rules)
app.command("drops")(look.drops)
app.command("audit")(look.audit)


@app.command()
def serve(
    listen: Annotated[str | None, typer.Option(help="REST: HOST:PORT [127.0.0.1:9696]")] = None,
    openflow: Annotated[str | None, typer.Option(help="where bridges dial in: HOST:PORT [127.0.0.1:6653]")] = None,
    ovsdb: Annotated[str | None, typer.Option(help="where hosts dial in: HOST:PORT [127.0.0.1:6640]")] = None,
    operator: Annotated[str | None, typer.Option(help="control's own endpoint: HOST:PORT [127.0.0.1:0]")] = None,
    data: Annotated[str | None, typer.Option(help="folder of the embedded database [tunbridge-data]")] = None,
    db: Annotated[
        str | None, typer.Option(help="a database of your own: unix:PATH or tcp:HOST:PORT, with commas")
    ] = None,
    advertise: Annotated[
        str | None, typer.Option(help="the controller's address for hosts, if not the one that they dial")
    ] = None,
    pki: Annotated[str | None, typer.Option(help="TLS: the folder that `tunbridge pki init` has made")] = None,
    config: Annotated[Path | None, typer.Option(help="a TOML file with the same names; options override it")] = None,
) -> None:
    """Serve: the database, the API and the controller, until interrupted."""
    import uvloop

    from controller.cli.supervisor import serve as run
    from controller.store.embedded import DataInUse
    from controller.store.version import StoreTooNew
    from controller.tls import TlsError

    configure("serve")
    given = {
        "listen": listen, "openflow": openflow, "ovsdb": ovsdb, "operator": operator, "data": data,
        "db": tuple(db.split(",")) if db else None, "advertise": advertise, "pki": pki,
    }  # fmt: skip
    try:
        uvloop.run(run(load(config, given)))
    except (SettingsError, DataInUse, StoreTooNew, TlsError, OSError, RuntimeError, ValueError) as error:
        print(f"tunbridge serve: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def run() -> None:
    """The console script."""
    try:
        app()
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise SystemExit(130) from None


if __name__ == "__main__":
    run()
