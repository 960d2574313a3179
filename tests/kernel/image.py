"""Debian's kernel and a small initramfs that mounts this machine's root over 9p and starts what it is told."""

import os
import shutil
import subprocess
from pathlib import Path

PACKAGES = ("qemu-system-x86", "busybox-static", "kmod", "cpio")
NEEDED = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
"""Modules that lead to the root."""
INIT = """#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc proc /proc
for word in $($B cat /proc/cmdline); do case $word in tunbridge.probe) echo kernel-runs; $B poweroff -f;; esac; done
$B mount -t devtmpfs dev /dev
for module in /modules/*; do $B insmod $module; done
$B mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose root /root || $B poweroff -f
if [ -n "$TUNBRIDGE_SCRATCH" ]; then # the root is somebody else's too: what is written is forgotten
    $B mkdir -p /lower /upper
    $B mount -t tmpfs -o size=90% tmpfs /upper
    $B mkdir /upper/data /upper/work
    $B mount --move /root /lower
    $B mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work overlay /root || $B poweroff -f
fi
exec $B switch_root /root $TUNBRIDGE_INIT
"""


class Image:
    """In ``folder``, made where it is missing. ``kernel``: path of vmlinuz; ``modules``: root for modprobe -d."""

    def __init__(self, folder: Path) -> None:
        self.modules = folder / "root"
        self.initramfs = folder / "initramfs.gz"
        if not list(self.modules.glob("boot/vmlinuz-*")):
            _fetch(folder, self.modules)
        (self.kernel,) = self.modules.glob("boot/vmlinuz-*")
        self.version = self.kernel.name.removeprefix("vmlinuz-")
        if not (self.modules / "lib/modules" / self.version / "modules.dep").exists():
            run("depmod", "-b", str(self.modules), self.version)
        self._make_initramfs(folder / "initramfs")

    def _make_initramfs(self, tree: Path) -> None:
        shutil.rmtree(tree, ignore_errors=True)
        for name in ("bin", "proc", "dev", "root", "modules"):
            (tree / name).mkdir(parents=True, exist_ok=True)
        (tree / "bin/busybox").write_bytes(Path("/bin/busybox").read_bytes())
        (tree / "bin/busybox").chmod(0o755)
        (tree / "init").write_text(INIT)
        (tree / "init").chmod(0o755)
        wanted: dict[str, None] = {}
        for module in NEEDED:
            shown = run("modprobe", "-d", str(self.modules), "-S", self.version, "--show-depends", module)
            wanted |= dict.fromkeys(line.split()[1] for line in shown.splitlines() if line.startswith("insmod"))
        for number, path in enumerate(wanted):
            (tree / f"modules/{number:02}-{Path(path).name}").write_bytes(Path(path).read_bytes())
        made = self.initramfs.with_suffix(".new")
        packed = "set -o pipefail; find . | cpio -o -H newc --quiet | gzip -1"
        with made.open("wb") as into:
            subprocess.run(["bash", "-c", packed], cwd=tree, stdout=into, check=True)
        made.rename(self.initramfs)


def install(*more: str) -> None:
    """Debian packages that are missing. RuntimeError says which, and why not."""
    packages = (*PACKAGES, *more)
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n", *packages],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
    )  # fmt: skip
    missing = [name for name in packages if f"{name} installed" not in shown.stdout.splitlines()]
    if not missing:
        return
    if os.geteuid() != 0:
        raise RuntimeError(f"these Debian packages are missing, and only root can install them: {' '.join(missing)}")
    run("apt-get", "-qq", "update")
    run("apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing)


def _fetch(folder: Path, root: Path) -> None:
    """The kernel that Debian's linux-image-amd64 stands for; not the one for clouds, which lacks 9p."""
    folder.mkdir(parents=True, exist_ok=True)
    depends = run("apt-cache", "depends", "linux-image-amd64").split()
    package = next(word for word in depends if word.startswith("linux-image-") and word != "linux-image-amd64")
    run("apt-get", "-qq", "download", package, cwd=folder)
    (archive,) = folder.glob(f"{package}_*.deb")
    run("dpkg", "-x", str(archive), str(root))
    archive.unlink()


def run(*command: str, cwd: Path | None = None) -> str:
    """What it printed. RuntimeError with that, when it fails."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}: {done.stdout[-2000:]}")
    return done.stdout
