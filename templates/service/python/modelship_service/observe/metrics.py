"""What is counted of the service, in plain numbers of the event loop alone. `exposition` tells it to Prometheus.

The library's own metrics take a lock each and go from bucket to bucket: more than the rest of what a small batch costs.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Sequence

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Histogram:
    """`counts`: how many fell into each bucket, and beyond the last."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        return sum(self.counts)


class Metrics:
    def __init__(self, name: str, version: str) -> None:
        self.name = name
        self.version = version
        self.in_flight = 0
        # By method, route and status; by route; by reason. Each is a fixed word, or one of the service's own routes.
        self.requests: dict[tuple[str, str | None, int], int] = {}
        self.latency: dict[str | None, Histogram] = {}
        self.rejections: dict[str, int] = {}
        self.batch_rows = Histogram(_ROWS)
        self.model_seconds = Histogram(_SECONDS)
        self.queue_seconds = Histogram(_SECONDS)
        self.load_seconds = 0.0
        self.worker_deaths = 0
        self.processes: list[int] = [os.getpid()]

    def request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        key = (method if method in _METHODS else "other", route, status)
        self.requests[key] = self.requests.get(key, 0) + 1
        latency = self.latency.get(route)
        if latency is None:
            latency = self.latency[route] = Histogram(_SECONDS)
        latency.observe(seconds)

    def rejected(self, reason: str) -> None:
        self.rejections[reason] = self.rejections.get(reason, 0) + 1

    def batch(self, rows: int, seconds: float, waited_s: float) -> None:
        self.batch_rows.observe(rows)
        self.model_seconds.observe(seconds)
        self.queue_seconds.observe(waited_s)

    def loaded(self, seconds: float) -> None:
        self.load_seconds = seconds

    def worker_died(self) -> None:
        self.worker_deaths += 1
