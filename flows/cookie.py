"""The cookie of a flow: who wants it, and a digest of what it is."""

from hashlib import blake2b

from flows.flow import Flow
from flows.wire import body

APP_SHIFT = 56
APP_MASK = 0xFF << APP_SHIFT


def cookie(app: int, flow: Flow, encoded: bytes | None = None) -> int:
    """8 bits of app (1 to 255), 56 bits of digest of bridge, table, priority, match and actions.

    The same in every process and after every restart. ``encoded`` is body(flow), where the caller has it already.
    """
    if not 0 < app < 256:
        raise ValueError(f"app number {app} is not between 1 and 255")
    table = flow.table
    place = b"%s %d %d " % (table.bridge.encode(), table.number, flow.priority)
    digest = blake2b(place + (body(flow) if encoded is None else encoded), digest_size=7).digest()
    return app << APP_SHIFT | int.from_bytes(digest)


def app_of(cookie: int) -> int:
    """The app's number; 0: not one of ours."""
    return cookie >> APP_SHIFT
