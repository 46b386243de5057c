"""What Prometheus reads at `/metrics`. Labels are route templates and fixed words: never what a request brought."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from modelship_service.observe.gpu import GpuMemory
from modelship_service.observe.memory import memory_of

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    def __init__(self, name: str, version: str) -> None:
        self._registry = registry = CollectorRegistry()
        self.in_flight = 0
        self._answered = _Answered()
        self._batches = _Batches()
        registry.register(self._answered)
        registry.register(self._batches)
        self._rejected = Counter("modelship_rejected", "Requests turned away.", ["reason"], registry=registry)
        self._deaths = Counter("modelship_worker_deaths", "Workers that died.", registry=registry)
        self._load = Gauge("modelship_load_seconds", "Until the model was ready.", registry=registry)
        self._waiting = Gauge("modelship_queue_rows", "Rows accepted and not answered yet.", registry=registry)
        in_flight = Gauge("modelship_in_flight", "Requests being answered.", registry=registry)
        in_flight.set_function(lambda: self.in_flight)
        memory = Gauge("modelship_memory_bytes", "Memory of the service's processes.", registry=registry)
        self.processes: list[int] = [os.getpid()]
        memory.set_function(lambda: float(memory_of(self.processes)))
        info = Gauge("modelship_info", "What is served.", ["name", "version"], registry=registry)
        info.labels(name, version).set(1)

    def request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        self._answered.count(method, route, status, seconds)

    def rejected(self, reason: str) -> None:
        self._rejected.labels(reason).inc()

    def batch(self, rows: int, seconds: float, waited_s: float) -> None:
        self._batches.rows.observe(rows)
        self._batches.model.observe(seconds)
        self._batches.queue.observe(waited_s)

    def loaded(self, seconds: float) -> None:
        self._load.set(seconds)

    def worker_died(self) -> None:
        self._deaths.inc()

    def total(self, sample: str) -> float:
        """A sum or a count since the start."""
        return self._registry.get_sample_value(sample) or 0.0

    def watch_gpus(self) -> None:
        gpus = GpuMemory.where_there_is_one()
        if gpus is not None:
            self._registry.register(gpus)

    def text(self, waiting_rows: int) -> bytes:
        self._waiting.set(waiting_rows)
        return generate_latest(self._registry)


class _Histogram:
    """Counted in a plain list, by the event loop alone, and put into the library's words when somebody asks.

    The library's own takes a lock and goes from bucket to bucket: more than the rest of what a small batch costs.
    """

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        # How many fell into each bucket and beyond.
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str] = ()) -> None:
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        family.add_metric(labels, list(zip(bounds, accumulate(self._counts), strict=True)), self._sum)


class _Batches(Collector):
    """What the model was given at once, and how long that waited and took."""

    def __init__(self) -> None:
        self.rows = _Histogram(_ROWS)
        self.model = _Histogram(_SECONDS)
        self.queue = _Histogram(_SECONDS)

    def collect(self) -> Iterable[Metric]:
        for histogram, name, words in (
            (self.rows, "modelship_batch_rows", "Rows in a batch."),
            (self.model, "modelship_model_seconds", "One call of the model."),
            (self.queue, "modelship_queue_seconds", "What the oldest row of a batch waited."),
        ):
            family = HistogramMetricFamily(name, words)
            histogram.add_to(family)
            yield family


class _Answered(Collector):
    """Requests by method, route and status, and their latency by route."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str | None, int], int] = {}
        self._latency: dict[str | None, _Histogram] = {}

    def count(self, method: str, route: str | None, status: int, seconds: float) -> None:
        key = (method if method in _METHODS else "other", route, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        latency = self._latency.get(route)
        if latency is None:
            latency = self._latency[route] = _Histogram(_SECONDS)
        latency.observe(seconds)

    def collect(self) -> Iterable[Metric]:
        requests = CounterMetricFamily("modelship_requests", "Requests answered.", labels=["method", "route", "status"])
        for (method, route, status), count in self._requests.items():
            requests.add_metric([method, route or "none", str(status)], count)
        latency = HistogramMetricFamily(
            "modelship_request_seconds", "From the head of a request to its answer.", labels=["route"]
        )
        for route, histogram in self._latency.items():
            histogram.add_to(latency, [route or "none"])
        return requests, latency
