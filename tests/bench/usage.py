"""What processes use, from /proc, and on what machine."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path


def cpu(pids: Iterable[int]) -> float:
    """CPU milliseconds of all their threads so far, to the nanosecond (sched-stats, first field)."""
    stats = (path.read_text() for pid in pids for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(stat.split()[0]) for stat in stats) / 1e6


def memory(pids: Iterable[int]) -> float:
    """Resident MiB."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def machine() -> str:
    """What a page of figures says of it."""
    switch = subprocess.run(["ovs-vswitchd", "--version"], capture_output=True, text=True, check=True).stdout
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{os.cpu_count()} cores, Open vSwitch {switch.splitlines()[0].split()[-1]}, Python {python}"
