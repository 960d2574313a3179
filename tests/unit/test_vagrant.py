"""What can be known of vagrant/ without a machine; `make test-vagrant` runs its scripts in three."""

import os
import subprocess
from pathlib import Path

VAGRANT = Path(__file__).parents[2] / "vagrant"


def test_vagrant_validates_the_file(tmp_path: Path) -> None:
    own = {"VAGRANT_HOME": str(tmp_path), "VAGRANT_DOTFILE_PATH": str(tmp_path / "dot")}
    done = subprocess.run(
        ["vagrant", "validate", "--ignore-provider"], cwd=VAGRANT, env=os.environ | own,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "validated successfully" in done.stdout
    assert not (VAGRANT / ".vagrant").exists(), "it would end up in the repository"


def test_the_scripts_are_shell() -> None:
    for script in VAGRANT.glob("*.sh"):
        subprocess.run(["sh", "-n", script], check=True, timeout=10)
