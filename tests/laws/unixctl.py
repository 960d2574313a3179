"""One command over vswitchd's control socket: JSON-RPC, without the cost of a process."""

import json
import re
import socket
from pathlib import Path


def ask(directory: Path, method: str, *params: str) -> str:
    """``directory``: where the switch runs. What was asked earlier is done by then: a new connection is taken up in the
    main loop's next turn, after it has moved packets."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(20)
        control.connect(str(directory / "ovs-vswitchd.ctl"))
        control.sendall(json.dumps({"method": method, "params": params, "id": 0}).encode())
        answer = b""
        while True:
            more = control.recv(1 << 16)
            assert more, "the switch has closed its control socket"
            answer += more
            try:
                reply = json.loads(answer)
                break
            except ValueError:
                continue
    assert reply["error"] is None, reply["error"]
    return str(reply["result"])


def lookups(directory: Path) -> int:
    """How often packets have gone through the data path's table: once, and once more for each recirculation."""
    (counted,) = re.findall(r"hit:(\d+) missed:(\d+)", ask(directory, "dpif/show"))
    return sum(map(int, counted))
