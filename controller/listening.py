"""Sockets that are listened on, by address; or inherited, so that they outlive the process that serves them."""

import socket

BACKLOG = 1024
"""After a restart all switches come back within a second."""


def listening(address: str) -> socket.socket:
    """``HOST:PORT`` (an IPv6 host in brackets; port 0: any), ``unix:PATH``, or ``fd:NUMBER`` for one that is inherited.

    Raises ValueError for another text, and OSError that names the address when it can't be had.
    """
    kind, _, rest = address.partition(":")
    if kind == "fd" and rest.isdecimal():
        made = socket.socket(fileno=int(rest))
        made.setblocking(False)
        return made
    host, colon, port = address.rpartition(":")
    if kind != "unix" and not (colon and host and port.isdecimal()):
        raise ValueError(f"{address!r} is not HOST:PORT, [IPv6]:PORT or unix:PATH")
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    # Named as TCP, because asyncio turns Nagle's algorithm off only for accepted sockets that say so.
    made = socket.socket(family, socket.SOCK_STREAM, 0 if kind == "unix" else socket.IPPROTO_TCP)
    try:
        if kind == "unix":
            made.bind(rest)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host.strip("[]"), int(port)))
        made.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        made.close()
        raise OSError(f"can't listen on {address}: {getattr(error, 'strerror', None) or error}") from error
    made.setblocking(False)
    return made


def shown(made: socket.socket) -> str:
    """Where it listens, in the form that :func:`listening` takes."""
    name = made.getsockname()
    if made.family == socket.AF_UNIX:
        return f"unix:{name}"
    return f"[{name[0]}]:{name[1]}" if made.family == socket.AF_INET6 else f"{name[0]}:{name[1]}"
