"""Metrics of the control process (Prometheus)."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

if TYPE_CHECKING:
    from controller.control import Control
    from controller.reconcile.bridge import Bridge


class ControlMetrics:
    """Counters that are counted as things happen, and gauges that are read when asked for."""

    def __init__(self, control: "Control") -> None:
        def bridges() -> "Iterable[Bridge]":
            return control.switches.bridges.values()

        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.compile_seconds = Histogram(
            "tunbridge_compile_seconds",
            "Time that one batch of changes took from the view to the plans",
            buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1, 5),
            registry=self.registry,
        )
        self.punts = Counter(
            "tunbridge_punts",
            "Packets that switches sent to the controller",
            ["app", "outcome"],
            registry=self.registry,
        )
        self.mended = Counter(
            "tunbridge_mended",
            "Changes made by hand on hosts that were undone",
            ["kind"],
            registry=self.registry,
        )
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "hosts": ("Hosts whose OVSDB session is up", lambda: len(control.sessions)),
            "bridges_adopted": ("Bridges in step with what is wanted", lambda: sum(b.adopted for b in bridges())),
            "flows_written": ("Flow messages that switches have accepted", lambda: sum(b.written for b in bridges())),
            "ports_waiting": ("Ports whose flows are not confirmed yet", lambda: control.status.waiting),
            "units_failed": (
                "Units that raised, clashed, or were refused by a switch",
                lambda: len(control.failed) + sum(len(b.faults) for b in bridges()),
            ),
            "store_connected": ("1 while the database answers", lambda: control.store.connected),
        }
        for name, (help, read) in gauges.items():
            Gauge(f"tunbridge_{name}", help, registry=self.registry).set_function(read)
