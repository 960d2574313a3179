"""How many flows are written on a bridge meanwhile, as the switch itself tells (ovs-ofctl monitor)."""

import subprocess
import tempfile
import time
from typing import IO

from tests.switch.vswitch import Vswitch


class Written:
    """``with Written(switch, "br-int") as written: …`` and then ``written.count``."""

    def __init__(self, switch: Vswitch, bridge: str) -> None:
        self._switch, self._bridge = switch, bridge
        self.count = 0

    def __enter__(self) -> "Written":
        self._file: IO[bytes] = tempfile.TemporaryFile()
        command = ["ovs-ofctl", "-O", "OpenFlow15", "monitor", self._switch.management(self._bridge), "watch:!initial"]
        environment = dict(self._switch._environment())
        self._monitor = subprocess.Popen(command, stdout=self._file, stderr=self._file, env=environment)
        end = time.monotonic() + 10
        while b"FLOW_MONITOR" not in self._read():
            assert time.monotonic() < end, f"no flow monitor on {self._bridge}: {self._read()!r}"
            time.sleep(0.01)  # it writes to a file
        return self

    def __exit__(self, *_: object) -> None:
        # What was written before this has been told before this.
        self._switch.ofctl("dump-aggregate", self._bridge)
        before = -1
        while before != len(self._read()):
            before = len(self._read())
            time.sleep(0.1)  # until the file does not grow
        self.count = self._read().count(b" event=")
        self._monitor.kill()
        self._monitor.wait()
        self._file.close()

    def _read(self) -> bytes:
        self._file.seek(0)
        return self._file.read()
