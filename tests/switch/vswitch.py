"""A real ovs-vswitchd with a dummy data path, and its own ovsdb-server, in a temporary directory.

Needs no root, no kernel module and no port: everything speaks over Unix sockets. Several can run side by side.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
"""Where Debian's openvswitch-common puts it."""
SSL = tuple(
    f"--{option}=db:Open_vSwitch,SSL,{option.replace('-', '_')}" for option in ("private-key", "certificate", "ca-cert")
)
"""As Debian starts it: keys are where `ovs-vsctl set-ssl` says."""
TIMEOUT = 20.0
"""Seconds for one command of the tools, and for a process to come up or go."""


class CommandError(Exception):
    """A command failed or took too long. The message holds the command and what it wrote to stderr."""


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


class Vswitch:
    """``with Vswitch() as switch: switch.add_bridge("br-int", 1); switch.ofctl("dump-flows", "br-int")``

    ``tunnels``: the data path is a dummy that knows tunnels (``--enable-dummy=system``), else all types are overridden.
    """

    def __init__(self, *, tunnels: bool = False) -> None:
        self._dummy = "system" if tunnels else "override"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.directory = Path()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def database(self) -> str:
        """Remote of its ovsdb-server, ``unix:PATH``."""
        return f"unix:{self.directory}/db.sock"

    @property
    def log(self) -> Path:
        return self.directory / "ovs-vswitchd.log"

    def start(self) -> None:
        """Returns when the switch answers."""
        self.directory = Path(tempfile.mkdtemp(prefix="vsw-"))
        try:
            self._run("ovsdb-tool", "create", str(self.directory / "conf.db"), str(SCHEMA))
            self._spawn(
                "ovsdb-server",
                "conf.db",
                "--remote=punix:db.sock",
                "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
                *SSL,
            )
            self._appears("db.sock")
            self.vsctl("--no-wait", "init")
            self._spawn_switch()
            self._appears("ovs-vswitchd.ctl")
            # Without --no-wait ovs-vsctl returns when vswitchd has taken this over, so from here on it serves.
            self.vsctl("set", "Open_vSwitch", ".", "external_ids:started=true")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the processes that start() has begun and removes the directory. Harmless when there is nothing."""
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self._processes):
            try:
                process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(TIMEOUT)
        self._processes.clear()
        if self.directory.name.startswith("vsw-"):
            shutil.rmtree(self.directory, ignore_errors=True)
        self.directory = Path()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The switch neither reads nor writes its database, which goes on: its part can be played."""
        self._processes[-1].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._processes[-1].send_signal(signal.SIGCONT)

    def crash(self) -> None:
        """kill -9 of ovs-vswitchd, and a new one at once."""
        process = self._processes.pop()
        process.kill()
        process.wait(TIMEOUT)
        self._spawn_switch()

    def add_bridge(self, name: str, datapath_id: int, **columns: str) -> None:
        """A bridge that speaks OpenFlow 1.5 and forwards nothing by itself. ``columns`` are further Bridge columns."""
        settings = {
            "datapath_type": "dummy",
            "fail_mode": "secure",
            "protocols": "OpenFlow15",
            "other_config:datapath-id": f"{datapath_id:016x}",
            "other_config:disable-in-band": "true",
        } | columns
        pairs = [f"{column}={value}" for column, value in settings.items()]
        self.vsctl("add-br", name, "--", "set", "Bridge", name, *pairs)

    def add_port(self, bridge: str, name: str, ofport: int, **columns: str) -> None:
        """An interface of type dummy unless ``columns`` say otherwise."""
        settings = {"type": "dummy", "ofport_request": str(ofport)} | columns
        pairs = [f"{column}={value}" for column, value in settings.items()]
        self.vsctl("add-port", bridge, name, "--", "set", "Interface", name, *pairs)

    def management(self, bridge: str) -> str:
        """Path of the Unix socket on which the bridge takes OpenFlow connections."""
        return str(self.directory / f"{bridge}.mgmt")

    def ofctl(self, command: str, bridge: str, *arguments: str, options: Sequence[str] = (), stdin: str = "") -> str:
        """``ovs-ofctl -O OpenFlow15 OPTIONS COMMAND BRIDGE ARGUMENTS``; gives its stdout."""
        return self._run(
            "ovs-ofctl", "-O", "OpenFlow15", *options, command, self.management(bridge), *arguments, stdin=stdin
        )

    def appctl(self, *arguments: str) -> str:
        return self._run("ovs-appctl", "-t", str(self.directory / "ovs-vswitchd.ctl"), *arguments)

    def vsctl(self, *arguments: str) -> str:
        return self._run("ovs-vsctl", "--no-syslog", f"--db={self.database}", f"--timeout={TIMEOUT:.0f}", *arguments)

    def _environment(self) -> Mapping[str, str]:
        here = str(self.directory)
        return os.environ | dict.fromkeys(("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"), here)

    def _spawn_switch(self) -> None:
        dummy = (f"--enable-dummy={self._dummy}", "--disable-system", "--disable-system-route")
        self._spawn("ovs-vswitchd", self.database, *dummy)

    def _spawn(self, program: str, *arguments: str) -> None:
        self._processes.append(
            subprocess.Popen(
                [
                    program,
                    *arguments,
                    f"--unixctl={self.directory}/{program}.ctl",
                    f"--log-file={self.directory}/{program}.log",
                    "-vconsole:off",
                    "-vsyslog:off",
                ],
                cwd=self.directory,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def _appears(self, name: str) -> None:
        """Returns when somebody answers at that socket: for a moment it is there, and nobody listens."""
        limit = time.monotonic() + TIMEOUT
        while not _listens(self.directory / name):
            process = self._processes[-1]
            if process.poll() is not None:
                raise CommandError(f"{process.args!r} ended with {process.returncode} before it made {name}")
            if time.monotonic() > limit:
                raise CommandError(f"nobody listened at {name} in {self.directory} within {TIMEOUT} s")
            time.sleep(0.01)  # nothing tells

    def _run(self, *command: str, stdin: str = "") -> str:
        try:
            done = subprocess.run(
                command,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                cwd=self.directory,
                env=self._environment(),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"{' '.join(command)}: no answer within {TIMEOUT} s") from error
        if done.returncode:
            raise CommandError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout
