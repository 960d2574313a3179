"""One QEMU guest: this machine's files, Debian's kernel, no disk, no network card."""

import os
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.kernel.image import Image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROBE = 10.0
"""Seconds that a kernel gets to show that it runs under KVM; where KVM is but a promise it hangs or dies."""


class Guest:
    """``share``: an empty folder for what goes in and what comes out.

    ``words`` are the environment of the guest's first process, ``root`` is its root and ``devices`` are further options
    of QEMU; given none, guest.sh is started with this machine's files.
    """

    def __init__(
        self,
        image: Image,
        share: Path,
        *,
        root: Path = Path("/"),
        words: Sequence[str] = (),
        devices: Sequence[str] = (),
    ) -> None:
        self.image, self.share = image, share
        self.accelerated = _kvm_works(image)
        here = f"TUNBRIDGE_INIT={HERE}/guest.sh", f"TUNBRIDGE_MODULES={image.modules}", f"TUNBRIDGE_ROOT={ROOT}"
        self._root, self._words, self._devices = root, words or here, devices

    def run(self, command: str, limit: float) -> int:
        """The command's exit status; its output goes to ``share/output`` and, as it comes, to the terminal.

        TimeoutError when it took longer than ``limit`` seconds; RuntimeError, with the console's end, when it died.
        """
        self.share.mkdir(parents=True, exist_ok=True)
        (self.share / "command").write_text(command)
        for name in ("output", "status"):
            (self.share / name).unlink(missing_ok=True)
        console = self.share / "console"
        with console.open("wb") as log:
            machine = subprocess.Popen(
                [
                    *_qemu(self.image, *self._words),
                    *(("-accel", "kvm") if self.accelerated else ("-accel", "tcg,thread=multi,tb-size=512")),
                    *("-cpu", "max", "-smp", str(os.cpu_count() or 1), "-m", "4G"),
                    *_shared("root", self._root, ",readonly=on,multidevs=remap"),
                    *_shared("share", self.share),
                    *self._devices,
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            self._follow(machine, time.monotonic() + limit, limit)
        finally:
            machine.kill()
            machine.wait()
        status = self.share / "status"
        if not status.exists():
            raise RuntimeError(f"the guest ended by itself: {console.read_text(errors='replace')[-2000:]}")
        return int(status.read_text())

    def _follow(self, machine: "subprocess.Popen[bytes]", end: float, limit: float) -> None:
        output, shown = self.share / "output", 0
        handle = os.pidfd_open(machine.pid)
        try:
            while True:
                over = bool(select.select([handle], [], [], 0.5)[0])
                text = output.read_bytes() if output.exists() else b""
                print(text[shown:].decode(errors="replace"), end="", flush=True)
                shown = len(text)
                if over:
                    return
                if time.monotonic() > end:
                    raise TimeoutError(f"the guest was not done within {limit:g} s")
        finally:
            os.close(handle)


def _qemu(image: Image, *words: str) -> list[str]:
    # One that hangs ends, with its reason, after two minutes.
    line = "console=ttyS0 quiet panic=-1 softlockup_panic=1 watchdog_thresh=60 mitigations=off tsc=reliable"
    return [
        *("qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"),
        *("-kernel", str(image.kernel), "-initrd", str(image.initramfs), "-append", " ".join([line, *words])),
    ]


def _shared(tag: str, folder: Path, more: str = "") -> list[str]:
    return [
        *("-fsdev", f"local,id={tag},path={folder},security_model=none{more}"),
        *("-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"),
    ]


def _kvm_works(image: Image) -> bool:
    if not os.access("/dev/kvm", os.W_OK):
        return False
    probe = [*_qemu(image, "tunbridge.probe"), "-accel", "kvm", "-cpu", "max", "-m", "256"]
    try:
        done = subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE, check=False)
    except subprocess.TimeoutExpired:
        return False
    return b"kernel-runs" in done.stdout
