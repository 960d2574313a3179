"""The processes that a lab has started, as files tell it: they can be ended by a later run as well.

Each has a pid file in the lab's directory and that directory in its command line. A process is ended only when both
agree, so a pid that has gone to somebody else is left alone.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from tests.hosts.until import PATIENCE


def command_line(pid: int) -> list[str]:
    """Empty for a process that is gone or a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def is_ours(pid: int, directory: Path) -> bool:
    return any(str(directory) in word for word in command_line(pid))


def owned(directory: Path) -> set[int]:
    """Pids of what runs for the directory: from pid files, and the rest of a session whose leader has a pid file."""
    pids = {pid for path in directory.rglob("*.pid") if (pid := read_pid(path))}
    with_sessions = pids | {pid for pid in _all_pids() if _session(pid) in pids}
    return {pid for pid in with_sessions if pid != os.getpid() and is_ours(pid, directory)}


def stop(pids: Iterable[int], *, grace: float = 5.0) -> None:
    """SIGTERM, then SIGKILL to what is left after ``grace`` seconds; returns when all are gone."""
    left = set(pids)
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        for pid in left:
            send(pid, number)
        left = wait_gone(left, patience)
        if not left:
            return
    raise TimeoutError(f"still running after SIGKILL: {sorted(left)}")


def send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def wait_gone(pids: Iterable[int], timeout: float) -> set[int]:
    """Those that are still there in the end. Woken by the kernel (pidfd), children are reaped."""
    handles: dict[int, int] = {}
    for pid in pids:
        try:
            handles[os.pidfd_open(pid)] = pid
        except ProcessLookupError:
            continue
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    end = time.monotonic() + timeout * PATIENCE
    while handles and (rest := end - time.monotonic()) > 0:
        for handle, _ in poll.poll(rest * 1000):
            poll.unregister(handle)
            os.close(handle)
            _reap(handles.pop(handle))
    for handle in handles:
        os.close(handle)
    return set(handles.values())


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _all_pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


class Lines:
    """The lines that a process prints, each waited for with a limit."""

    def __init__(self, process: subprocess.Popen[bytes], what: str) -> None:
        assert process.stdout
        self.descriptor = process.stdout.fileno()
        self.what = what
        self.rest = b""

    def next(self, timeout: float) -> str:
        """TimeoutError when none came, EOFError when the process has closed its output."""
        timeout *= PATIENCE
        end = time.monotonic() + timeout
        while b"\n" not in self.rest:
            if not select.select([self.descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError(f"{self.what}: nothing within {timeout:g} s")
            piece = os.read(self.descriptor, 65536)
            if not piece:
                raise EOFError(f"{self.what}: ended")
            self.rest += piece
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()
