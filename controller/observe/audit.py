"""What is otherwise than it shall be on hosts that are there, compared now; and what has been mended."""

import asyncio
from typing import TYPE_CHECKING

import msgspec

from controller.reconcile.mendings import DATABASE, Mending
from controller.southbound.link import ChannelClosed

if TYPE_CHECKING:
    from controller.control import Control


class Finding(msgspec.Struct, frozen=True):
    host: str
    where: str
    """A bridge, or ``Open_vSwitch`` for the host's database."""
    what: str
    mended: bool


class Audit(msgspec.Struct, frozen=True):
    found: list[Finding]
    """A bridge that can't be asked is one."""
    mended: list[Mending]
    """What has been put right since control began, as far as it is remembered, the last first."""


async def audit(control: "Control", host: str, repair: bool) -> Audit:
    """``host``: by system-id or host name; "" for all. Asks the switches."""
    chosen = {name for name in control.sessions if host in ("", name, control.names.shown(name))}
    sessions = [(name, control.sessions[name]) for name in sorted(chosen)]
    rows = await asyncio.gather(*(session.audit(repair) for _, session in sessions))
    found = [
        Finding(name, DATABASE, each, mended)
        for (name, _), (what, mended) in zip(sessions, rows, strict=True)
        for each in what
    ]
    bridges = {place: bridge for place, bridge in sorted(control.switches.bridges.items()) if place[0] in chosen}
    answers = await asyncio.gather(*(bridge.audit(repair) for bridge in bridges.values()), return_exceptions=True)
    for (name, bridge), answer in zip(bridges, answers, strict=True):
        if isinstance(answer, ChannelClosed):
            found.append(Finding(name, bridge, f"can't be asked: {answer}", False))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found += [Finding(name, bridge, what, repair) for what in answer]
    mended = [each for each in reversed(control.mendings.latest) if each.host in chosen]
    return Audit(found, mended)
