"""Metrics of the control process (Prometheus)."""

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

if TYPE_CHECKING:
    from controller.control import Control


class ControlMetrics:
    """Counters that are counted as things happen, and gauges that are read when asked for."""

    def __init__(self, control: "Control") -> None:
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
        gauges = {
            "hosts": ("Hosts whose OVSDB session is up", lambda: len(control.sessions)),
            "bridges_adopted": ("Bridges in step with what is wanted", lambda: sum(b.adopted for b in control.bridges.values())),
            "flows_written": ("Flow messages accepted by switches since start", lambda: sum(b.written for b in control.bridges.values())),
            "ports_waiting": ("Ports whose flows are not confirmed yet", lambda: control.status.waiting),
            "units_failed": (
                "Units that raised, clashed, or were refused by a switch",
                lambda: len(control.failed) + sum(len(b.faults) for b in control.bridges.values()),
            ),
            "store_connected": ("1 while the database answers", lambda: control.store.connected),
        }  # fmt: skip
        for name, (help, read) in gauges.items():
            Gauge(f"tunbridge_{name}", help, registry=self.registry).set_function(read)
