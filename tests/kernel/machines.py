"""``python -m tests.kernel.machines``: what `vagrant up` does, with vagrant's own scripts, in three machines in QEMU.

Three small Debians that boot with systemd and have nothing installed that a fresh one has not. A network card leads
out (for packages), another to a network of their own. The test plays Vagrant: it names the machines, gives them
addresses, copies the project and runs vagrant/controller.sh and vagrant/host.sh. Then a machine on one host pings one
on the other.
"""

import concurrent.futures
import secrets
import shutil
import sys
import time
from pathlib import Path

from tests.kernel.guest import ROOT, Guest
from tests.kernel.image import Image, install, run

FOLDER = ROOT / "build/kernel"
LIMIT = 3600.0
CONTROLLER = "192.168.56.10"
HOSTS = {"host1": "192.168.56.11", "host2": "192.168.56.12"}
"""As in vagrant/Vagrantfile."""
BASE = "systemd-sysv,udev,kmod,iproute2,iputils-ping,procps,ca-certificates"
PACKAGES_FROM = ("/etc/hosts", "/etc/resolv.conf", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
"""How this machine finds Debian's and Python's packages, and whom it trusts; the guests do as it does."""
UNIT = """[Unit]
After=network.target
[Service]
Type=oneshot
StandardOutput=tty
ExecStart=/bin/sh /etc/first.sh
[Install]
WantedBy=multi-user.target
"""
FIRST = """mkdir -p /run/share
modprobe 9pnet_virtio
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 share /run/share
setsid sh /run/share/command >/run/share/output 2>&1 </dev/null
echo $? >/run/share/status
sync
systemctl poweroff --force --force
"""
VAGRANT = """set -eu
say() { printf '%%-10s %%5.0f s  %%s\\n' %(name)s "$(cut -d' ' -f1 /proc/uptime)" "$1"; }
mkdir -p /run/share/all
mount -t 9p -o trans=virtio,version=9p2000.L all /run/share/all
trap '[ $? = 0 ] || touch /run/share/all/failed' EXIT
wait_for() { until [ -e "/run/share/all/$1" ]; do [ ! -e /run/share/all/failed ]; sleep 1; done; }
until [ -e /sys/class/net/eth0 ] && [ -e /sys/class/net/eth1 ]; do sleep 1; done # udev is at it
hostname %(name)s
echo "127.0.1.1 %(name)s" >>/etc/hosts
ip address add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2
ip address add %(address)s/24 dev eth1
ip link set eth1 up
say "is up"
"""
ON_CONTROLLER = f"""cp -r /run/share/tunbridge /opt/tunbridge
sh /opt/tunbridge/vagrant/controller.sh {CONTROLLER}
sh /opt/tunbridge/vagrant/controller.sh {CONTROLLER} # again: it changes nothing
say "is provisioned"
touch /run/share/all/controller
wait_for host1
wait_for host2
/opt/tunbridge/.venv/bin/python - <<'PYTHON'
import json, urllib.request

def post(path, **values):
    kind, body = path.removesuffix("s"), None
    asked = urllib.request.Request(
        f"http://{CONTROLLER}:9696/v2.0/{{path}}", json.dumps({{kind: values}}).encode(),
        {{"Content-Type": "application/json"}}, method="POST",
    )
    return json.load(urllib.request.urlopen(asked))[kind]

network = post("networks", name="blue")["id"]
post("subnets", network_id=network, ip_version=4, cidr="10.1.0.0/24")
for host in ("host1", "host2"):
    port = post("ports", network_id=network)
    with open(f"/run/share/all/{{host}}.port", "w") as told:
        print(port["id"], port["mac_address"], port["fixed_ips"][0]["ip_address"], file=told)
PYTHON
touch /run/share/all/ports
wait_for host1.done
wait_for host2.done
export TUNBRIDGE_ENDPOINT=http://{CONTROLLER}:9696
/opt/tunbridge/.venv/bin/tunbridge hosts
/opt/tunbridge/.venv/bin/tunbridge status
touch /run/share/all/controller.done
"""
ON_HOST = """cp -r /run/share/vagrant /root/vagrant
wait_for controller
sh /root/vagrant/host.sh %(controller)s %(address)s
sh /root/vagrant/host.sh %(controller)s %(address)s # again: it changes nothing
say "is provisioned"
until ovs-vsctl br-exists br-int; do sleep 1; done
touch /run/share/all/%(name)s
wait_for ports
read -r id mac address </run/share/all/%(name)s.port
ip netns add vm
ovs-vsctl add-port br-int tap1 -- set Interface tap1 type=internal external_ids:iface-id=$id
ip link set tap1 netns vm address $mac
ip -n vm address add $address/24 dev tap1
ip -n vm link set tap1 up
touch /run/share/all/%(name)s.plugged
wait_for %(other)s.plugged
read -r id mac address </run/share/all/%(other)s.port
for attempt in 1 2 3 4 5 6; do
    ip netns exec vm ping -c 3 -W 10 $address && break
    [ $attempt -lt 6 ]
done
ovs-appctl dpctl/show
ovs-ofctl -O OpenFlow15 dump-aggregate br-int
touch /run/share/all/%(name)s.done
wait_for controller.done # it asks for its hosts
"""


def tree(folder: Path, image: Image) -> Path:
    """The root of every machine: Debian as debootstrap makes it, with the kernel's modules."""
    root = folder / "debian"
    if not (root / "etc/first.sh").exists():
        shutil.rmtree(root, ignore_errors=True)
        run("debootstrap", "--variant=minbase", f"--include={BASE}", "bookworm", str(root))
        shutil.copytree(image.modules / "lib/modules", root / "usr/lib/modules", dirs_exist_ok=True)
        (root / "etc/systemd/system/first.service").write_text(UNIT)
        wanted = root / "etc/systemd/system/multi-user.target.wants"
        (wanted / "first.service").symlink_to("../first.service")
        (root / "etc/first.sh").write_text(FIRST)
    for path in map(Path, PACKAGES_FROM):
        if path.exists():
            (root / path.relative_to("/")).write_bytes(path.read_bytes())
    return root


def main() -> int:
    try:
        install("debootstrap")
        image = Image(FOLDER)
        root = tree(FOLDER, image)
    except RuntimeError as error:
        print(f"machines: {error}", file=sys.stderr)
        return 2
    shutil.rmtree(FOLDER / "machines", ignore_errors=True)
    together = FOLDER / "machines/all"
    together.mkdir(parents=True)
    lan = f"socket,id=lan,mcast=230.0.0.1:{20_000 + secrets.randbelow(20_000)},localaddr=127.0.0.1"
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        done = {}
        for number, (name, address) in enumerate({"controller": CONTROLLER, **HOSTS}.items()):
            share = FOLDER / "machines" / name
            share.mkdir()
            left_out = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*_cache", ".hypothesis")
            (other,) = HOSTS.keys() - {name, "controller", "host1" if name == "controller" else ""}
            if name == "controller":
                shutil.copytree(ROOT, share / "tunbridge", ignore=left_out)
                command = ON_CONTROLLER
            else:
                shutil.copytree(ROOT / "vagrant", share / "vagrant")
                command = ON_HOST % {"name": name, "other": other, "address": address, "controller": CONTROLLER}
            guest = Guest(
                image, share, root=root,
                words=["TUNBRIDGE_INIT=/sbin/init", "TUNBRIDGE_SCRATCH=1", "net.ifnames=0", "systemd.show_status=0"],
                devices=[
                    *("-netdev", "user,id=out", "-device", f"virtio-net-pci,netdev=out,mac=52:54:00:00:01:0{number}"),
                    *("-netdev", lan, "-device", f"virtio-net-pci,netdev=lan,mac=52:54:00:00:02:0{number}"),
                    *("-fsdev", f"local,id=all,path={together},security_model=none"),
                    *("-device", "virtio-9p-pci,fsdev=all,mount_tag=all"),
                ],
            )  # fmt: skip
            done[name] = pool.submit(guest.run, VAGRANT % {"name": name, "address": address} + command, LIMIT)
        failed = {name: future.exception() or future.result() for name, future in done.items()}
    for name, outcome in failed.items():
        print(f"{name}: {'done' if outcome == 0 else outcome}")
    print(f"{time.monotonic() - began:.0f} s")
    return int(any(outcome != 0 for outcome in failed.values()))


if __name__ == "__main__":
    sys.exit(main())
