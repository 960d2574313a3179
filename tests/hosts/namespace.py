"""A network namespace, by its name: commands run in it, sockets opened in it."""

import ctypes
import os
import socket
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.hosts.until import PATIENCE

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class CommandFailed(Exception):
    """A command ended with another status than 0; the message holds the command and what it printed."""


def run(
    argv: Sequence[str], *, namespace: str = "", text: str | None = None, check: bool = True, timeout: float = 30.0
) -> str:
    """What the command printed, both streams.

    In a namespace by ``nsenter``: ``ip netns exec`` and ``ip -n`` mount another /sys, which a container may not do.
    """
    whole = [*entering(namespace), *argv]
    # Without a given input there is none: a command that asks must not take the terminal's keys.
    timeout *= PATIENCE
    feed = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
    try:
        done = subprocess.run(
            whole, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False, **feed
        )
    except subprocess.TimeoutExpired as late:
        raise CommandFailed(f"{' '.join(whole)}: no end after {timeout:g} s, printed {late.output!r}") from late
    if check and done.returncode:
        raise CommandFailed(f"{' '.join(whole)}: status {done.returncode}\n{(text or '')[:2000]}{done.stdout}")
    return done.stdout


def entering(namespace: str) -> list[str]:
    """The start of a command line that runs the rest in the namespace."""
    return ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []


def ip(lines: Iterable[str], namespace: str = "") -> None:
    """Many ``ip`` commands by one process."""
    run(["ip", "-batch", "-"], namespace=namespace, text="\n".join(lines) + "\n")


def namespaces(prefix: str) -> list[str]:
    """Names of the namespaces that start with the prefix."""
    folder = Path("/run/netns")
    return sorted(path.name for path in folder.glob(f"{prefix}*")) if folder.is_dir() else []


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread's system calls happen in the namespace: sockets made here stay there, /proc/sys/net is its own."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        other = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            _enter(other)
        finally:
            os.close(other)
        try:
            yield
        finally:
            _enter(own)
    finally:
        os.close(own)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")


def open_socket(namespace: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
    with inside(namespace):
        return socket.socket(family, kind, protocol)


def settings(namespace: str, values: dict[str, str]) -> None:
    """Kernel settings of the namespace: name under /proc/sys/net -> value."""
    with inside(namespace):
        for name, value in values.items():
            Path("/proc/sys/net", name).write_text(value)
