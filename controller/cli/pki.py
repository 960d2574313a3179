"""`tunbridge pki`: a folder with an authority, the controller's certificate, and hosts'."""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from controller.cli import authority
from controller.cli.authority import Certificate, Key
from controller.tls import CA, CERTIFICATE, KEY

app = typer.Typer(help="Keys and certificates for TLS.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--dir", help="the folder", show_default=True)]
DEFAULT = Path("tunbridge-pki")
CA_KEY, HOSTS = "ca-key.pem", "hosts"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@app.command()
def init(
    name: Annotated[
        list[str] | None, typer.Argument(help="names and addresses by which clients reach the controller")
    ] = None,
    folder: Folder = DEFAULT,
) -> None:
    """Make an authority, and the controller's certificate. Localhost is always among its names."""
    if (folder / CA_KEY).exists():
        _stop(f"there is an authority in {folder} already; `tunbridge pki renew` makes certificates anew")
    now = datetime.now(UTC)
    ca_key, key = authority.new_key(), authority.new_key()
    ca = authority.new_authority(ca_key, now)
    also = list(dict.fromkeys([*(name or ()), *LOOPBACK]))
    (folder / HOSTS).mkdir(parents=True, exist_ok=True)
    _write(folder / CA_KEY, ca_key)
    _write(folder / CA, ca)
    _write(folder / KEY, key)
    _write(folder / CERTIFICATE, authority.sign(ca, ca_key, key, "controller", also, now))
    print(f"made: {folder}. The controller: tunbridge serve --pki {folder}")


@app.command()
def host(
    system_id: Annotated[str, typer.Argument(help="external_ids:system-id of the host's Open vSwitch")],
    folder: Folder = DEFAULT,
) -> None:
    """Make a host's key and certificate."""
    ca, ca_key = _authority(folder)
    path, key_path = _host_files(folder, system_id)
    if path.exists():
        _stop(f"{path} is there already; `tunbridge pki renew {system_id} --dir {folder}` makes it anew")
    path.parent.mkdir(exist_ok=True)
    key = authority.new_key()
    _write(key_path, key)
    _write(path, authority.sign(ca, ca_key, key, system_id, (), datetime.now(UTC)))
    print(f"made: {key_path} {path}")
    print(f"copy these and {folder / CA} to the host, and there: tunbridge host join ssl:CONTROLLER:6640")
    print("    --private-key … --certificate … --ca-cert …")


@app.command()
def renew(
    name: Annotated[str, typer.Argument(help="a host's system-id, or controller; none: all that end soon")] = "",
    days: Annotated[int, typer.Option(help="without a name: those that end within so many days")] = 30,
    folder: Folder = DEFAULT,
) -> None:
    """Make certificates anew, with the keys that they have. The controller takes its own up without a restart."""
    ca, ca_key = _authority(folder)
    now = datetime.now(UTC)
    every = {"controller": (folder / CERTIFICATE, folder / KEY)}
    every |= {path.stem: _host_files(folder, path.stem) for path in sorted((folder / HOSTS).glob("*.pem"))
              if not path.stem.endswith("-key")}  # fmt: skip
    if name and name not in every:
        _stop(f"{folder} has no certificate of {name}; there are: {', '.join(every)}")
    for each, (path, key_path) in every.items():
        old = _certificate(path)
        if each == name or (not name and old.not_valid_after_utc - now < timedelta(days=days)):
            key = _key(key_path)
            made = authority.sign(ca, ca_key, key, authority.name_of(old), authority.also_of(old), now)
            _write(path, made)
            print(f"renewed: {path}, until {made.not_valid_after_utc:%Y-%m-%d}")
    if ca.not_valid_after_utc - now < timedelta(days=days):
        print(f"the authority itself ends {ca.not_valid_after_utc:%Y-%m-%d}: make another folder", file=sys.stderr)


def _authority(folder: Path) -> tuple[Certificate, Key]:
    if not (folder / CA_KEY).is_file():
        _stop(f"{folder} has no authority: `tunbridge pki init --dir {folder}`, or another --dir")
    return _certificate(folder / CA), _key(folder / CA_KEY)


def _host_files(folder: Path, system_id: str) -> tuple[Path, Path]:
    if not system_id or "/" in system_id or system_id.startswith("."):
        _stop(f"{system_id!r} can't be the name of a file")
    return folder / HOSTS / f"{system_id}.pem", folder / HOSTS / f"{system_id}-key.pem"


def _certificate(path: Path) -> Certificate:
    try:
        return authority.read_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        _stop(f"{path} is no certificate: {error}")


def _key(path: Path) -> Key:
    try:
        return authority.read_key(path.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        _stop(f"{path} is no key of ours: {error}")


def _write(path: Path, what: Key | Certificate) -> None:
    """Whole or not at all: the controller may read it this moment. Keys are for their owner alone."""
    mode = 0o644 if isinstance(what, Certificate) else 0o600
    new = path.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(authority.pem(what))
    new.replace(path)


def _stop(reason: str) -> NoReturn:
    print(f"tunbridge pki: {reason}", file=sys.stderr)
    raise SystemExit(1)
