"""What one change cost one of the two."""

import statistics
from collections.abc import Sequence

import msgspec


class Cost(msgspec.Struct, frozen=True):
    """Milliseconds: medians over the repetitions; CPU is the mean."""

    wall: float
    """From the request until the switch has confirmed."""
    cpu: float
    """Of what computes: northd and ovn-controller, or control."""
    cpu_all: float
    """The same and the databases, and the api."""
    flows: int
    """That the switch has more afterwards."""
    written: int
    """That were added, changed or removed on the switch meanwhile, by its own flow monitor; of one change."""


class Size(msgspec.Struct, frozen=True):
    """Everything about one of the two at one size."""

    ports: int
    changes: dict[str, Cost]
    flows: int
    """In all, on br-int and br-tun."""
    memory: float
    """MiB: of what computes."""
    build: float
    """Seconds: from nothing on the switch and nobody running, with all ports stored, until confirmed."""
    restart: float
    """Seconds: kill -9 of what computes and its next start, until it has the switch in step again."""
    rate: float
    """Flows a second that the switch took in the build; 0 where it can't be told."""


def middle(values: Sequence[float]) -> float:
    return statistics.median(values)
