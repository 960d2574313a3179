"""`tunbridge serve` and the commands that look at it, as processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from tests.hosts.serve import Serve, free_port
from tests.switch.vswitch import Vswitch

COMMAND = str(Path(sys.executable).with_name("tunbridge"))
LOCAL = "127.0.0.1"
LIMIT = 20.0


def tunbridge(*arguments: str, endpoint: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({"TUNBRIDGE_ENDPOINT": endpoint} if endpoint else {})
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, timeout=30, env=environment, check=False
    )


def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < end, f"not within {LIMIT:.0f} s: {what}"
        time.sleep(0.02)  # processes tell nobody


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    serve = Serve(
        tmp_path, listen=f"{LOCAL}:{free_port(LOCAL)}", openflow=f"{LOCAL}:{free_port(LOCAL)}",
        ovsdb=f"{LOCAL}:{free_port(LOCAL)}",
    )  # fmt: skip
    serve.start()
    yield serve
    serve.stop()


@pytest.fixture
def host(serve: Serve) -> Iterator[Vswitch]:
    with Vswitch() as switch:
        switch.vsctl("set", "Open_vSwitch", ".", "external_ids:system-id=sys-1", "external_ids:hostname=one")
        db = f"--db={switch.database}"
        joined = tunbridge(
            "host", "join", f"tcp:{serve.ovsdb}", "--tunnel-ip", "172.31.0.1", "--mappings", "ext:br-ex", db
        )
        assert (joined.returncode, joined.stdout, joined.stderr) == (0, f"joined tcp:{serve.ovsdb}\n", "")
        serve.wait_hosts(["one"])
        yield switch


def post(serve: Serve, kind: str, **values: object) -> dict[str, str]:
    answer = httpx.post(f"{serve.url}/v2.0/{kind}s", json={kind: values}, trust_env=False).raise_for_status()
    return answer.json()[kind]  # type: ignore[no-any-return]


def test_a_host_joins_is_looked_at_and_leaves(serve: Serve, host: Vswitch) -> None:
    network = post(serve, "network", name="blue")
    post(serve, "subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    port = post(serve, "port", network_id=network["id"], name="web-1")
    ids = f"external_ids:iface-id={port['id']}"
    host.vsctl("add-port", "br-int", "tap0", "--", "set", "Interface", "tap0", "type=dummy", ids)

    def status() -> str:
        return str(httpx.get(f"{serve.url}/v2.0/ports/{port['id']}", trust_env=False).json()["port"]["status"])

    until(lambda: status() == "ACTIVE", "the port is ACTIVE")
    said = tunbridge("status", endpoint=serve.url)
    assert (said.returncode, said.stderr) == (0, "")
    assert "1 of 1 served" in said.stdout
    (row,) = json.loads(tunbridge("hosts", "--json", endpoint=serve.url).stdout)
    assert (row["name"], row["hostname"], row["tunnel_ip"], row["alive"]) == ("sys-1", "one", "172.31.0.1", True)
    assert row["bridge_mappings"] == [["ext", "br-ex"]]
    assert row["bridges"] == {"br-int": "in step", "br-tun": "in step"}
    listed = tunbridge("hosts", endpoint=serve.url).stdout
    assert "sys-1" in listed
    assert "172.31.0.1" in listed

    flows = json.loads(tunbridge("flows", "--port", "web-1", "--json", endpoint=serve.url).stdout)
    assert {flow["table"] for flow in flows} == {"classify", "spoof", "neighbour", "l2", "unicast", "allowance"}
    assert {flow["intent"] for flow in flows} == {f"port {port['id']} (web-1)"}
    assert {flow["app"] for flow in flows} == {"switching", "guard", "neighbours", "overlay", "allowance"}
    of_network = json.loads(tunbridge("flows", "--network", "blue", "--json", endpoint=serve.url).stdout)
    assert len(of_network) > len(flows)
    everything = json.loads(tunbridge("flows", "--host", "one", "--json", endpoint=serve.url).stdout)
    assert all(flow["intent"] != "nobody" for flow in everything)
    host.ofctl("add-flow", "br-int", "table=70,priority=3,actions=drop")

    def mended() -> list[dict[str, str]]:
        said = tunbridge("audit", "--host", "one", "--json", endpoint=serve.url)
        return list(json.loads(said.stdout)["mended"])

    until(lambda: bool(mended()), "the flow that was added by hand is gone, and told")
    (stray,) = mended()
    assert (stray["host"], stray["where"], stray["kind"]) == ("sys-1", "br-int", "flow")
    assert "table=70" in stray["what"]
    for option in ((), ("--repair",)):
        audited = tunbridge("audit", *option, endpoint=serve.url)
        assert (audited.returncode, audited.stderr) == (0, "")
        assert "every host is as it shall be" in audited.stdout
        assert "table=70" in audited.stdout
    human = tunbridge("flows", "--port", "web-1", endpoint=serve.url).stdout
    assert "network_key:=" in human
    assert "goto:punt" in human
    wrong = httpx.get(f"{serve.url}/tunbridge/v1/flows?prot=x", trust_env=False)
    assert wrong.status_code == 400
    assert "port" in wrong.json()["error"]

    shown = tunbridge("host", "show", f"--db={host.database}")
    assert shown.returncode == 0, shown.stderr
    assert f"tcp:{serve.ovsdb} (connected)" in shown.stdout
    assert "sys-1" in shown.stdout
    assert tunbridge("host", "leave", f"--db={host.database}").returncode == 0
    assert host.vsctl("get-manager") == host.vsctl("get-controller", "br-int") == ""
    until(lambda: tunbridge("status", endpoint=serve.url).returncode == 1, "status says that the host is away")
    assert "not connected" in tunbridge("hosts", endpoint=serve.url).stdout
    assert "br-int" in host.vsctl("list-br").split()
    assert tunbridge("host", "leave", "--bridges", f"--db={host.database}").returncode == 0
    assert "br-int" not in host.vsctl("list-br").split()


def test_what_is_dropped_is_told(serve: Serve, host: Vswitch) -> None:
    network = post(serve, "network", name="blue")
    subnet = post(serve, "subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    router = post(serve, "router", name="edge")
    attached = httpx.put(
        f"{serve.url}/v2.0/routers/{router['id']}/add_router_interface",
        json={"subnet_id": subnet["id"]},
        trust_env=False,
    )
    interface = attached.raise_for_status().json()["port_id"]
    gateway = httpx.get(f"{serve.url}/v2.0/ports/{interface}", trust_env=False).json()["port"]["mac_address"]
    port = post(serve, "port", network_id=network["id"], fixed_ips=[{"ip_address": "10.0.0.5"}])
    ids = f"external_ids:iface-id={port['id']}"
    host.vsctl("add-port", "br-int", "tap0", "--", "set", "Interface", "tap0", "type=dummy", ids)

    def drops(*of: str) -> list[dict[str, object]]:
        return list(json.loads(tunbridge("drops", "--json", *of, endpoint=serve.url).stdout))

    def ready() -> bool:
        flows = json.loads(tunbridge("flows", "--port", port["id"], "--json", endpoint=serve.url).stdout)
        return {"classify", "spoof", "l2"} <= {flow["table"] for flow in flows}

    until(ready, "the port has its flows")
    for source in ("10.0.0.5", "10.0.0.99", "10.0.0.99"):
        packet = Ether(src=port["mac_address"], dst=gateway) / IP(src=source, dst="10.0.0.1") / TCP(dport=80)
        host.appctl("netdev-dummy/receive", "tap0", bytes(packet).hex())
    until(lambda: len(drops()) == 2, "both are told")
    spoofed, refused = drops("--host", "one")
    assert spoofed == {
        "host": "sys-1",
        "table": "spoof",
        "reason": "the address is not the port's",
        "concerns": "",
        "packets": 2,
        "bytes": 2 * len(packet),
    }
    assert (refused["table"], refused["reason"]) == ("route", "addressed to a router")
    assert (refused["concerns"], refused["packets"]) == (f"port {interface}", 1)
    assert drops("--host", "another") == []
    assert "the address is not the port's" in tunbridge("drops", endpoint=serve.url).stdout


@pytest.mark.parametrize("process", ["control", "api"])
def test_a_killed_process_comes_back(serve: Serve, host: Vswitch, process: str) -> None:
    network = post(serve, "network", name="before")
    serve.kill(process)
    # Nobody is refused meanwhile: the listening socket is the supervisor's.
    assert httpx.get(f"{serve.url}/v2.0/networks/{network['id']}", trust_env=False, timeout=LIMIT).status_code == 200
    until(lambda: tunbridge("status", endpoint=serve.url).returncode == 0, "all is well again")


def test_a_killed_supervisor_leaves_nothing(serve: Serve) -> None:
    children = [serve.child("control"), serve.child("api")]
    assert serve._process is not None
    serve._process.send_signal(signal.SIGKILL)
    serve._process.wait()
    until(lambda: not any(_runs(pid) for pid in children), "its children are gone")
    serve.start()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_health_and_metrics(serve: Serve) -> None:
    assert httpx.get(f"{serve.url}/healthz", trust_env=False).status_code == 200
    assert "tunbridge_" in httpx.get(f"{serve.url}/metrics", trust_env=False).text


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server((LOCAL, 0)) as taken:
        address = f"{LOCAL}:{taken.getsockname()[1]}"
        said = tunbridge("serve", "--listen", address, "--data", str(tmp_path))
    assert said.returncode == 1
    assert f"can't listen on {address}: Address already in use" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_data_folder_that_is_in_use(serve: Serve) -> None:
    free = [f"{LOCAL}:0"] * 3
    said = tunbridge(
        "serve", "--data", str(serve.directory / "data"), "--listen", free[0], "--openflow", free[1], "--ovsdb", free[2]
    )
    assert said.returncode == 1
    assert str(serve.directory / "data") in said.stderr
    assert "Traceback" not in said.stderr


def test_nobody_answers() -> None:
    said = tunbridge("hosts", "--endpoint", f"http://{LOCAL}:{free_port(LOCAL)}")
    assert said.returncode == 1
    assert "Is `tunbridge serve` running?" in said.stderr
    assert "Traceback" not in said.stderr


def test_join_with_certificates_and_again_with_other_settings(tmp_path: Path) -> None:
    for name in ("key", "cert", "ca"):
        (tmp_path / name).touch()
    keys = ["--private-key", f"{tmp_path}/key", "--certificate", f"{tmp_path}/cert", "--ca-cert", f"{tmp_path}/ca"]
    with Vswitch() as switch:
        db = f"--db={switch.database}"
        assert tunbridge("host", "join", "192.0.2.1", db).returncode == 0
        assert switch.vsctl("get-manager").split() == ["tcp:192.0.2.1:6640"]
        said = tunbridge("host", "join", "ssl:[2001:db8::1]", *keys, db)
        assert said.returncode == 0, said.stderr
        assert switch.vsctl("get-manager").split() == ["ssl:[2001:db8::1]:6640"]
        assert f"Certificate: {tmp_path}/cert" in switch.vsctl("get-ssl")
        assert tunbridge("host", "join", "ssl:[2001:db8::1]", "--tunnel-ip", "192.0.2.9", db).returncode == 0
        assert switch.vsctl("get-manager").split() == ["ssl:[2001:db8::1]:6640"]
        assert "192.0.2.9" in tunbridge("host", "show", db).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("join", "192.0.2.1", "--db", "unix:/no/such.sock"), "is Open vSwitch running?"),
        (("join", "", "--db", "unix:/no/such.sock"), "names no controller"),
        (("join", "192.0.2.1", "--mappings", "a"), "NAME:BRIDGE"),
        (("join", "ssl:192.0.2.1", "--private-key", "/no/key"), "ssl needs all of"),
        (("show", "--db", "unix:/no/such.sock"), "is Open vSwitch running?"),
    ],
)
def test_host_says_what_is_wrong(arguments: tuple[str, ...], says: str) -> None:
    said = tunbridge("host", *arguments)
    assert said.returncode == 1
    assert says in said.stderr
    assert "Traceback" not in said.stderr
