"""Metrics of the control process (Prometheus)."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

if TYPE_CHECKING:
    from controller.control import Control
    from controller.reconcile.bridge import Bridge
    from controller.southbound.channel import Channel


class ControlMetrics:
    """Counters that are counted as things happen, and gauges that are read when asked for."""

    def __init__(self, control: "Control") -> None:
        def bridges() -> "Iterable[Bridge]":
            return control.switches.bridges.values()

        def channels() -> "Iterable[Channel]":
            return [bridge.channel for bridge in bridges() if bridge.channel is not None]

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
            "facts_waiting": ("Rows whose facts are not written yet", lambda: control.facts.waiting),
            "neighbours_asked": ("Addresses being asked for", lambda: control.neighbours.asked),
            "neighbours_unwritten": ("Neighbours not written yet", lambda: control.neighbours.unwritten),
            "neighbour_packets_dropped": (
                "Packets that waited for a neighbour in vain, or found no room to",
                lambda: control.neighbours.dropped,
            ),
            "neighbours_unkept": ("Neighbours that found no room to be written", lambda: control.neighbours.unkept),
            "packet_ins_dropped": (
                "Packets dropped because their switch sends too many (of switches connected now)",
                lambda: sum(channel.packet_ins_dropped for channel in channels()),
            ),
            "packet_outs_dropped": (
                "Packets dropped because their switch does not read (of switches connected now)",
                lambda: sum(channel.packet_outs_dropped for channel in channels()),
            ),
            "switch_pauses": (
                "How often a switch was not read for a while (of switches connected now)",
                lambda: sum(channel.pauses for channel in channels()),
            ),
            "plans_pending": ("Flows that wait for their switch", lambda: sum(b.pending for b in bridges())),
            "connections_refused": ("Connections for which there was no room", lambda: control.refused),
            "store_connected": ("1 while the database answers", lambda: control.store.connected),
        }
        for name, (help, read) in gauges.items():
            Gauge(f"tunbridge_{name}", help, registry=self.registry).set_function(read)
