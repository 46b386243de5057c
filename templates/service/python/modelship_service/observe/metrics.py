"""What Prometheus reads at `/metrics`. Labels are route templates and fixed words: never what a request brought."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    def __init__(self, name: str, version: str) -> None:
        self._registry = registry = CollectorRegistry()
        self.in_flight = 0
        labels = ["method", "route", "status"]
        self._requests = Counter("modelship_requests", "Requests answered.", labels, registry=registry)
        self._latency = Histogram(
            "modelship_request_seconds", "From the head of a request to its answer.", ["route"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._rejected = Counter("modelship_rejected", "Requests turned away.", ["reason"], registry=registry)
        self._queue = Histogram(
            "modelship_queue_seconds", "What the oldest row of a batch waited.", buckets=_SECONDS, registry=registry
        )
        self._batch = Histogram("modelship_batch_rows", "Rows in a batch.", buckets=_ROWS, registry=registry)
        self._model = Histogram(
            "modelship_model_seconds", "One call of the model.", buckets=_SECONDS, registry=registry
        )
        self._deaths = Counter("modelship_worker_deaths", "Workers that died.", registry=registry)
        self._load = Gauge("modelship_load_seconds", "Until the model was ready.", registry=registry)
        self._waiting = Gauge("modelship_queue_rows", "Rows accepted and not answered yet.", registry=registry)
        in_flight = Gauge("modelship_in_flight", "Requests being answered.", registry=registry)
        in_flight.set_function(lambda: self.in_flight)
        memory = Gauge("modelship_memory_bytes", "Resident memory of the service's processes.", registry=registry)
        self.processes: list[int] = [os.getpid()]
        memory.set_function(lambda: float(sum(_resident(pid) for pid in self.processes)))
        info = Gauge("modelship_info", "What is served.", ["name", "version"], registry=registry)
        info.labels(name, version).set(1)
        # Children by their labels: looking one up in the library takes longer than counting.
        self._counted: dict[tuple[str, str | None, int], tuple[Counter, Histogram]] = {}

    def request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        counted = self._counted.get((method, route, status))
        if counted is None:
            counted = self._count(method, route, status)
        counted[0].inc()
        counted[1].observe(seconds)

    def _count(self, method: str, route: str | None, status: int) -> tuple[Counter, Histogram]:
        shown = method if method in _METHODS else "other"
        template = route or "none"
        made = self._requests.labels(shown, template, str(status)), self._latency.labels(template)
        if shown != "other":
            self._counted[(method, route, status)] = made
        return made

    def rejected(self, reason: str) -> None:
        self._rejected.labels(reason).inc()

    def batch(self, rows: int, seconds: float, waited_s: float) -> None:
        self._batch.observe(rows)
        self._model.observe(seconds)
        self._queue.observe(waited_s)

    def loaded(self, seconds: float) -> None:
        self._load.set(seconds)

    def worker_died(self) -> None:
        self._deaths.inc()

    def total(self, sample: str) -> float:
        """A sum or a count since the start."""
        return self._registry.get_sample_value(sample) or 0.0

    def text(self, waiting_rows: int) -> bytes:
        self._waiting.set(waiting_rows)
        return generate_latest(self._registry)


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
