"""What Prometheus reads at `/metrics`. Labels are route templates and fixed words: never what a request brought."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from modelship_service.observe.gpu import GpuMemory
from modelship_service.observe.memory import memory_of
from modelship_service.observe.metrics import Histogram, Metrics


class Exposition:
    """Imported and made when somebody asks for the first time."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, metrics: Metrics) -> None:
        self._registry = CollectorRegistry()
        self._counted = _Counted(metrics)
        self._registry.register(self._counted)
        gpus = GpuMemory.where_there_is_one()
        if gpus is not None:
            self._registry.register(gpus)

    def text(self, queue_rows: int) -> bytes:
        self._counted.queue_rows = queue_rows
        return generate_latest(self._registry)


class _Counted(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.queue_rows = 0

    def collect(self) -> Iterable[Metric]:
        metrics = self._metrics
        requests = CounterMetricFamily("modelship_requests", "Requests answered.", labels=["method", "route", "status"])
        for (method, route, status), count in metrics.requests.items():
            requests.add_metric([method, route or "none", str(status)], count)
        yield requests
        latency = HistogramMetricFamily(
            "modelship_request_seconds", "From the head of a request to its answer.", labels=["route"]
        )
        for route, histogram in metrics.latency.items():
            _add(latency, histogram, [route or "none"])
        yield latency
        rejected = CounterMetricFamily("modelship_rejected", "Requests turned away.", labels=["reason"])
        for reason, count in metrics.rejections.items():
            rejected.add_metric([reason], count)
        yield rejected
        for name, words, histogram in (
            ("modelship_batch_rows", "Rows in a batch.", metrics.batch_rows),
            ("modelship_model_seconds", "One call of the model.", metrics.model_seconds),
            ("modelship_queue_seconds", "What the oldest row of a batch waited.", metrics.queue_seconds),
        ):
            family = HistogramMetricFamily(name, words)
            _add(family, histogram)
            yield family
        yield CounterMetricFamily("modelship_worker_deaths", "Workers that died.", metrics.worker_deaths)
        yield GaugeMetricFamily("modelship_load_seconds", "Until the model was ready.", metrics.load_seconds)
        yield GaugeMetricFamily("modelship_queue_rows", "Rows waiting or in work.", self.queue_rows)
        yield GaugeMetricFamily("modelship_in_flight", "Requests being answered.", metrics.in_flight)
        memory = memory_of(metrics.processes)
        yield GaugeMetricFamily("modelship_memory_bytes", "Memory of the service's processes.", memory)
        info = GaugeMetricFamily("modelship_info", "What is served.", labels=["name", "version"])
        info.add_metric([metrics.name, metrics.version], 1)
        yield info


def _add(family: HistogramMetricFamily, histogram: Histogram, labels: Sequence[str] = ()) -> None:
    bounds = [*(str(float(bound)) for bound in histogram.bounds), "+Inf"]
    family.add_metric(labels, list(zip(bounds, accumulate(histogram.counts), strict=True)), histogram.sum)
