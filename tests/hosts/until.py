"""Waiting for what can only be looked at again and again, as an operator would."""

import os
import time
from collections.abc import Callable

PATIENCE = float(os.environ.get("LAB_PATIENCE", "1"))
"""By how much all limits of waits are stretched: an emulated machine is slow."""


def until(look: Callable[[], object], wanted: object, timeout: float = 10.0) -> None:
    """Until what is seen is what is wanted. AssertionError shows the last look."""
    timeout *= PATIENCE
    end = time.monotonic() + timeout
    while (seen := look()) != wanted and time.monotonic() < end:
        time.sleep(0.05)
    assert seen == wanted, f"after {timeout:g} s: {seen!r}, not {wanted!r}"
