"""`tunbridge pki` and `serve --pki`: a host is who its certificate says; what is refused, and what is told of it."""

import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from controller.cli import authority
from tests.cli.test_serve import COMMAND, LOCAL, tunbridge, until
from tests.hosts.serve import Serve, free_port
from tests.switch.vswitch import Vswitch

pytestmark = pytest.mark.timeout(180)


def pki(folder: Path, *arguments: str) -> str:
    done = tunbridge("pki", *arguments, "--dir", str(folder))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An authority, the controller's certificate, and that of host h1."""
    made = tmp_path / "pki"
    pki(made, "init", "controller.example")
    pki(made, "host", "h1")
    return made


@pytest.fixture
def serve(tmp_path: Path, folder: Path) -> Iterator[Serve]:
    serve = Serve(
        tmp_path, listen=f"{LOCAL}:{free_port(LOCAL)}", openflow=f"{LOCAL}:{free_port(LOCAL)}",
        ovsdb=f"{LOCAL}:{free_port(LOCAL)}", pki=folder,
    )  # fmt: skip
    serve.start()
    yield serve
    serve.stop()


@pytest.fixture
def switch() -> Iterator[Vswitch]:
    with Vswitch() as running:
        yield running


def join(switch: Vswitch, serve: Serve, name: str, key: Path, certificate: Path, ca: Path) -> None:
    switch.vsctl("set", "Open_vSwitch", ".", f"external_ids:system-id={name}", f"external_ids:hostname={name}")
    done = tunbridge(
        *("host", "join", f"ssl:{serve.ovsdb}", f"--db={switch.database}", "--private-key", str(key)),
        *("--certificate", str(certificate), "--ca-cert", str(ca)),
    )
    assert done.returncode == 0, done.stderr


def h1(folder: Path) -> tuple[Path, Path, Path]:
    return folder / "hosts/h1-key.pem", folder / "hosts/h1.pem", folder / "ca.pem"


def hosts(serve: Serve) -> list[dict[str, object]]:
    return list(serve.ask("hosts")["hosts"])


def told(serve: Serve, *words: str) -> None:
    """The log says so, in one line."""
    until(
        lambda: any(all(word in line for word in words) for line in serve.log.read_text().splitlines()),
        f"the log says {words}: {serve.log_tail()}",
    )


def test_a_host_with_its_certificate_is_served(serve: Serve, folder: Path, switch: Vswitch) -> None:
    join(switch, serve, "h1", *h1(folder))
    serve.wait_hosts(["h1"])
    assert switch.vsctl("get-controller", "br-int").strip().startswith("ssl:")
    answer = httpx.get(f"{serve.url}/v2.0/networks", verify=serve.trust, trust_env=False)
    assert answer.json() == {"networks": []}
    environment = os.environ | {"TUNBRIDGE_ENDPOINT": serve.url, "SSL_CERT_FILE": str(folder / "ca.pem")}
    done = subprocess.run([COMMAND, "hosts", "--json"], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [host["name"] for host in json.loads(done.stdout)] == ["h1"]


def test_a_host_without_a_name_gets_that_of_its_certificate(serve: Serve, folder: Path, switch: Vswitch) -> None:
    key, certificate, ca = h1(folder)
    switch.vsctl("set", "Open_vSwitch", ".", "external_ids:hostname=h1")
    done = tunbridge(
        *("host", "join", f"ssl:{serve.ovsdb}", f"--db={switch.database}", "--private-key", str(key)),
        *("--certificate", str(certificate), "--ca-cert", str(ca)),
    )
    assert done.returncode == 0, done.stderr
    serve.wait_hosts(["h1"])


def test_who_claims_anothers_name_is_refused_until_registered(serve: Serve, folder: Path, switch: Vswitch) -> None:
    join(switch, serve, "h2", *h1(folder))
    told(serve, "refused: it says that it is h2, but its certificate is that of h1", "tunbridge host add h2")
    assert hosts(serve) == []
    environment = os.environ | {"SSL_CERT_FILE": str(folder / "ca.pem")}
    added = subprocess.run(
        [COMMAND, "host", "add", "h2", "--certificate", str(folder / "hosts/h1.pem"), "--endpoint", serve.url],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    serve.wait_hosts(["h2"])
    # From now on the certificate speaks for h2 alone.
    with Vswitch() as other:
        join(other, serve, "h1", *h1(folder))
        told(serve, "refused: it says that it is h1, but its certificate is that of h2")


def test_a_bridge_of_another_host_is_refused(serve: Serve, folder: Path, switch: Vswitch) -> None:
    """h2's database says that h1's bridge is its own; h2 can't have it."""
    pki(folder, "host", "h2")
    join(switch, serve, "h1", *h1(folder))
    serve.wait_hosts(["h1"])
    taken = switch.vsctl("get", "Bridge", "br-int", "datapath_id").strip().strip('"')
    with Vswitch() as thief:
        files = folder / "hosts/h2-key.pem", folder / "hosts/h2.pem", folder / "ca.pem"
        join(thief, serve, "h2", *files)
        serve.wait_hosts(["h2"])
        thief.vsctl("set", "Bridge", "br-int", f"other_config:datapath-id={taken}")
        switch.vsctl("del-manager")  # h1 is not there to say that it is its own
        until(
            lambda: thief.vsctl("get", "Bridge", "br-int", "datapath_id").strip().strip('"') == taken, "it has the id"
        )
        until(lambda: any(h["name"] == "h1" and not h["alive"] for h in hosts(serve)), "h1 is away")
        # h1's br-int connects anew, with the id that h2 claims.
        switch.vsctl("set-controller", "br-int", f"ssl:{serve.openflow}")
        told(serve, "switch is not the one that its host says it is", "it says that it is h2", "that of h1")


@pytest.mark.parametrize("wrong", ["authority", "expired"])
def test_certificates_that_are_not_accepted(serve: Serve, folder: Path, switch: Vswitch, wrong: str) -> None:
    now, key = datetime.now(UTC), authority.new_key()
    if wrong == "authority":
        ca_key = authority.new_key()
        ca = authority.new_authority(ca_key, now)
    else:
        ca = authority.read_certificate((folder / "ca.pem").read_bytes())
        ca_key = authority.read_key((folder / "ca-key.pem").read_bytes())
        now -= timedelta(days=400)
    (folder / "key.pem").write_bytes(authority.pem(key))
    (folder / "cert.pem").write_bytes(authority.pem(authority.sign(ca, ca_key, key, "h1", (), now)))
    join(switch, serve, "h1", folder / "key.pem", folder / "cert.pem", folder / "ca.pem")
    reason = {"authority": "", "expired": "certificate has expired"}[wrong]
    told(serve, "TLS handshake failed", "the peer's certificate is not accepted", reason)
    assert hosts(serve) == []


def test_plain_text_to_a_tls_port(serve: Serve, switch: Vswitch) -> None:
    switch.vsctl("set-manager", f"tcp:{serve.ovsdb}")
    told(serve, "TLS handshake failed", "ssl:")
    for port in (serve.openflow, serve.ovsdb):
        with socket.create_connection((LOCAL, int(port.rpartition(":")[2])), timeout=20) as plain:
            plain.sendall(b"\x06\x00\x00\x08\x00\x00\x00\x01")
            try:
                while plain.recv(4096):
                    pass
            except ConnectionError:
                pass
    with pytest.raises(httpx.HTTPError):
        httpx.get(serve.url.replace("https", "http"), trust_env=False, timeout=20)
    assert hosts(serve) == []


def test_the_controller_of_another_name_is_not_trusted(serve: Serve, folder: Path) -> None:
    assert httpx.get(f"{serve.url}/healthz", verify=serve.trust, trust_env=False).status_code == 200
    with (
        pytest.raises(httpx.ConnectError, match="certificate verify failed"),
        httpx.Client(verify=serve.trust, trust_env=False) as client,
    ):
        client.get(f"{serve.url}/healthz", extensions={"sni_hostname": "another.example"})
    other = folder.parent / "other"
    pki(other, "init")
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        trust = ssl.create_default_context(cafile=str(other / "ca.pem"))
        httpx.get(f"{serve.url}/healthz", verify=trust, trust_env=False)


def test_renewal_without_a_restart(serve: Serve, folder: Path, switch: Vswitch) -> None:
    def shown() -> bytes | None:
        context = serve.trust
        with (
            socket.create_connection((LOCAL, int(serve.listen.rpartition(":")[2])), timeout=20) as plain,
            context.wrap_socket(plain, server_hostname=LOCAL) as secured,
        ):
            return secured.getpeercert(binary_form=True)

    before = shown()
    assert "renewed" not in pki(folder, "renew"), "nothing ends soon"
    assert "controller.pem" in pki(folder, "renew", "controller")
    assert shown() != before
    # The key is the same, and so are the names.
    old, new = (authority.read_certificate(_pem(each)) for each in (before, shown()))
    assert old.public_key() == new.public_key()
    assert authority.also_of(old) == authority.also_of(new)
    pki(folder, "renew", "h1")
    join(switch, serve, "h1", *h1(folder))
    serve.wait_hosts(["h1"])


def test_commands_say_what_is_wrong(tmp_path: Path, folder: Path) -> None:
    def wrong(*arguments: str) -> str:
        done = tunbridge(*arguments)
        assert done.returncode == 1, done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "already" in wrong("pki", "init", "--dir", str(folder))
    assert "already" in wrong("pki", "host", "h1", "--dir", str(folder))
    assert "pki init" in wrong("pki", "host", "h1", "--dir", str(tmp_path / "nowhere"))
    assert "no certificate of h9" in wrong("pki", "renew", "h9", "--dir", str(folder))
    assert "can't be the name" in wrong("pki", "host", "../x", "--dir", str(folder))
    assert "pki init" in wrong("serve", "--pki", str(tmp_path / "nowhere"))
    assert "no certificate" in wrong("host", "add", "h1", "--certificate", str(folder / "ca-key.pem"))
    (folder / "controller.pem").write_text("garbage")
    assert "pki renew" in wrong("serve", "--pki", str(folder))
    assert (folder / "ca-key.pem").stat().st_mode & 0o777 == 0o600


def _pem(der: bytes | None) -> bytes:
    return ssl.DER_cert_to_PEM_cert(der or b"").encode()
