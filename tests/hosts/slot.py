"""A slot: the number that keeps labs on one machine apart.

From it follow a lab's directory, the prefix of its names and its addresses. A lock, held for as long as the lab's
process lives, says who has it. What a killed run has left in its slot is removed by the next to take or sweep it.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.hosts import namespace, process

FOLDER = Path("/run/tunbridge-lab")
SLOTS = 8


class NoSlot(Exception):
    """Every slot is in use."""


class Slot:
    def __init__(self, number: int, lock: int) -> None:
        self.number = number
        self._lock = lock
        self.prefix = f"tb{number}-"
        self.directory = self.folder(number)
        self.link = f"tb{number}"
        """Our end of the cable between the machine and the rack."""
        self.address = self.nth(1)
        """The machine's own address on the underlay: where the controller listens."""

    @staticmethod
    def folder(number: int) -> Path:
        return FOLDER / str(number)

    def nth(self, number: int) -> str:
        # RFC 2544: 198.18.0.0/15 is for benchmarks of network devices, so no real route is hidden by it.
        return f"198.18.{self.number}.{number}"

    @classmethod
    def take(cls) -> "Slot":
        """The first free one, clean and with an empty directory."""
        slot = next(cls._free(), None)
        if slot is None:
            raise NoSlot(f"{SLOTS} labs are running on this machine; their locks are {FOLDER}/*.lock")
        slot.clean()
        slot.directory.mkdir(parents=True)
        return slot

    @classmethod
    def sweep(cls) -> int:
        """Clean what killed runs have left in any slot; how many there were."""
        found = 0
        for slot in cls._free():
            if slot.directory.exists() or namespace.namespaces(slot.prefix):
                slot.clean()
                found += 1
            slot.release()
        return found

    @classmethod
    def _free(cls) -> Iterator["Slot"]:
        FOLDER.mkdir(exist_ok=True)
        for number in range(SLOTS):
            lock = os.open(FOLDER / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            yield cls(number, lock)

    def clean(self) -> None:
        """End what runs for the slot, remove its namespaces, its cable and its directory."""
        process.stop(process.owned(self.directory))
        if names := namespace.namespaces(self.prefix):
            namespace.ip(f"netns del {name}" for name in names)
        # The cable goes with the rack, but a run can be killed between making one and the other.
        if Path("/sys/class/net", self.link).exists():
            namespace.run(["ip", "link", "del", self.link], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def release(self) -> None:
        os.close(self._lock)


if __name__ == "__main__":
    if os.geteuid() == 0:
        print(f"{Slot.sweep()} leftover labs removed")
    else:
        print("not root: labs that killed runs have left stay")
