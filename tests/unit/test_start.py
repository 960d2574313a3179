"""What a start of control loads: each module is time in which nobody is answered."""

import subprocess
import sys

CODE = """
import sys, controller.cli.process, controller.control, controller.observe.endpoint
print(*{name.partition(".")[0] for name, module in sys.modules.items() if module is not None})
"""


def test_control_does_not_load_what_it_may_never_need() -> None:
    loaded = {*subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout.split()}
    assert "structlog" in loaded
    assert not loaded & {"rich", "os_ken", "typer"}
