"""``python -m tests.kernel [PYTEST ARGUMENTS]``: tests/hosts, or what is named, under Debian's kernel."""

import shlex
import sys
import time

from tests.kernel.guest import ROOT, Guest
from tests.kernel.image import Image, install

FOLDER = ROOT / "build/kernel"
LIMIT = 3 * 3600.0
PATIENCE = 6
"""How much longer waits may be under emulation."""


def main() -> int:
    chosen = sys.argv[1:] or ["tests/hosts"]
    try:
        install()
        guest = Guest(Image(FOLDER), FOLDER / "share")
        print(f"Linux {guest.image.version} in QEMU, {'with KVM' if guest.accelerated else 'emulated'}", flush=True)
        patience = 1 if guest.accelerated else PATIENCE
        options = ["-v", "-p", "no:cacheprovider", "-o", f"timeout={300 * patience}"]
        pytest = [".venv/bin/python", "-m", "pytest", *options, *chosen]
        began = time.monotonic()
        status = guest.run(f"cd {ROOT} && LAB_DATAPATH=system LAB_PATIENCE={patience} {shlex.join(pytest)}\n", LIMIT)
    except RuntimeError as error:
        print(f"test-kernel: {error}", file=sys.stderr)
        return 2
    print(f"{time.monotonic() - began:.0f} s, exit status {status}")
    return status


if __name__ == "__main__":
    sys.exit(main())
