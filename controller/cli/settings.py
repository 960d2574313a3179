"""What `tunbridge serve` is told: by options, by a TOML file, or left at what works on one machine."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec


class SettingsError(Exception):
    """The file is wrong; says where and what to do."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Addresses are HOST:PORT, an IPv6 host in brackets. Port 0 takes a free one."""

    listen: str = "127.0.0.1:9696"
    """REST."""
    openflow: str = "127.0.0.1:6653"
    ovsdb: str = "127.0.0.1:6640"
    """Where hosts dial in."""
    operator: str = "127.0.0.1:0"
    """Where control answers the api processes about flows and hosts."""
    data: str = "tunbridge-data"
    """Folder of the embedded database."""
    db: tuple[str, ...] = ()
    """Remotes of a database that somebody else runs (``unix:PATH``, ``tcp:HOST:PORT``); empty: the embedded one."""
    pki: str | None = None
    """Folder of keys and certificates (`tunbridge pki init`): TLS on all that is listened on."""
    advertise: str | None = None
    """The controller's address as hosts reach it, where that is not the one that they dialled."""

    @property
    def remotes(self) -> tuple[str, ...]:
        return self.db or (f"unix:{Path(self.data).resolve() / 'db.sock'}",)


def load(file: Path | None, given: dict[str, Any]) -> Settings:
    """Options override the file; the file overrides the defaults."""
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = tomllib.loads(file.read_text())
        except OSError as error:
            raise SettingsError(f"{file}: {error.strerror}") from None
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{file} is not TOML: {error}") from None
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        settings = msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"{file or 'options'}: {error}; known settings: {', '.join(Settings.__struct_fields__)}"
        ) from None
    for name in ("listen", "openflow", "ovsdb", "operator"):
        host, colon, port = getattr(settings, name).rpartition(":")
        if not host or not colon or not port.isdecimal() or int(port) > 65535:
            raise SettingsError(f"{name}: {getattr(settings, name)!r} is not HOST:PORT")
    return settings
