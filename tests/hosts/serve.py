"""``tunbridge serve``, as an operator starts it, with the lab's address for hosts."""

import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

from tests.hosts import process
from tests.hosts.namespace import run
from tests.hosts.until import PATIENCE


class NotServing(Exception):
    """It ended, or did not answer in time; the message holds the end of its log."""


class Serve:
    def __init__(self, directory: Path, *, listen: str, openflow: str, ovsdb: str, pki: Path | None = None) -> None:
        """``pki``: folder of `tunbridge pki`; with it, everything is TLS."""
        self.directory = directory / "tunbridge"
        self.listen = listen
        self.openflow = openflow
        self.ovsdb = ovsdb
        self.pki = pki
        self.url = f"http{'s' if pki else ''}://{listen}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory / "serve.log"

    @property
    def _pid_file(self) -> Path:
        return self.directory / "serve.pid"

    def start(self, timeout: float = 30.0) -> None:
        """Returns when it answers. Raises NotServing."""
        self.directory.mkdir(exist_ok=True)
        command = Path(sys.executable).with_name("tunbridge")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(command), "serve", "--listen", self.listen, "--openflow", self.openflow),
                    *("--ovsdb", self.ovsdb, "--data", str(self.directory / "data")),
                    *(("--pki", str(self.pki)) if self.pki else ()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A session of its own: Ctrl-C is for the demo, which then ends it in its own time.
                start_new_session=True,
            )
        self._pid_file.write_text(str(self._process.pid))
        self.wait(timeout)

    def wait(self, timeout: float = 30.0) -> None:
        """Until /healthz says that all of it works."""
        assert self._process
        timeout *= PATIENCE
        end = time.monotonic() + timeout
        said = "nothing"
        while time.monotonic() < end:
            if (status := self._process.poll()) is not None:
                raise NotServing(f"tunbridge serve ended with status {status}.\n{self.log_tail()}")
            try:
                answer = httpx.get(f"{self.url}/healthz", timeout=2.0 * PATIENCE, trust_env=False, verify=self.trust)
                if answer.status_code == 200:
                    return
                said = f"{answer.status_code} {answer.text[:300]}"
            except httpx.TransportError as problem:
                said = repr(problem)
            time.sleep(0.05)
        raise NotServing(f"tunbridge serve: {self.url}/healthz said {said} after {timeout:g} s.\n{self.log_tail()}")

    @property
    def trust(self) -> ssl.SSLContext:
        """Of a client that knows its authority alone."""
        return ssl.create_default_context(cafile=str(self.pki / "ca.pem") if self.pki else None)

    def ask(self, what: str) -> dict[str, Any]:
        """The answer to GET /tunbridge/v1/WHAT. Raises httpx.HTTPError while control is away."""
        url = f"{self.url}/tunbridge/v1/{what}"
        answer = httpx.get(url, timeout=5.0 * PATIENCE, trust_env=False, verify=self.trust)
        return dict(answer.raise_for_status().json())

    def hosts(self) -> dict[str, dict[str, Any]]:
        """What it says of its hosts, by host name."""
        return {host["hostname"]: host for host in self.ask("hosts")["hosts"]}

    def wait_hosts(self, names: Iterable[str], timeout: float = 20.0) -> None:
        """Until all of them are served: alive, and the flows of their bridges in step with what is wanted."""
        timeout *= PATIENCE
        end = time.monotonic() + timeout
        names = set(names)
        missing, said = names, ""
        while time.monotonic() < end:
            try:
                hosts = self.hosts()
                missing = {name for name in names if name not in hosts or not _served(hosts[name])}
                said = str([hosts[name] for name in missing if name in hosts])
            except httpx.HTTPError as problem:
                said = repr(problem)
            if not missing:
                return
            time.sleep(0.05)
        raise NotServing(f"not served after {timeout:g} s: {', '.join(sorted(missing))}; {said}\n{self.log_tail()}")

    def child(self, command: str) -> int:
        """Pid of one of its processes: ``control`` or ``api``."""
        assert self._process
        for pid in process.children(self._process.pid):
            if command in process.command_line(pid):
                return pid
        raise LookupError(f"tunbridge serve has no process {command}")

    def kill(self, command: str) -> None:
        """kill -9 of one of its processes; returns when it is gone."""
        pid = self.child(command)
        process.send(pid, signal.SIGKILL)
        process.wait_gone([pid], 5.0)

    def stop(self) -> None:
        if self._process:
            process.stop(process.owned(self.directory) | {self._process.pid}, grace=10.0)
            self._process = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log_tail(self, lines: int = 30) -> str:
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _served(host: dict[str, Any]) -> bool:
    bridges = host["bridges"].values()
    return bool(host["alive"]) and len(bridges) >= 2 and all(state == "in step" for state in bridges)


def free_port(address: str) -> int:
    """A TCP port that nobody listens on there at this moment."""
    with socket.create_server((address, 0)) as server:
        return int(server.getsockname()[1])


def holder(address: str, port: int) -> str:
    """Who listens there, in words; empty when it is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            return ""
        except OSError:
            users = run(["ss", "-Hltnp", f"sport = :{port}"], check=False)
            return users.split('users:(("')[1].split('"')[0] if "users:" in users else "another process"
