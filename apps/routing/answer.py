"""stub"""

from collections.abc import Iterable

from apps.contract import Answer, PacketIn
from controller.view.view import View


def answer(packet: PacketIn, view: View) -> Iterable[Answer]:
    return ()
