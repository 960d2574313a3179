"""What the api process counts, in Prometheus' terms."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from controller.store import Store

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Measures:
    def __init__(self, store: Store) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "tunbridge_api_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "tunbridge_api_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        connected = Gauge("tunbridge_api_store_connected", "1 while the database answers.", registry=self.registry)
        connected.set_function(lambda: float(store.connected))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self.registry)
