"""OpenTelemetry traces, where the standard variables name an OTLP endpoint: a span for each request."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelship_service.http.request import Request

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_LAST_EXPORT_S = 2.0


def tracing_from(env: Mapping[str, str], name: str, version: str) -> Tracing | None:
    """None, and nothing imported, unless an endpoint is set. OTLP goes out as JSON over HTTP."""
    disabled = env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if disabled or not any(env.get(variable, "").strip() for variable in _ENDPOINTS):
        return None
    return Tracing(name, version)


class Tracing:
    """Sampling, batching, headers, time-outs and the resource follow the OTEL_ variables, as the SDK reads them."""

    def __init__(self, name: str, version: str) -> None:
        from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = {"service.version": version}
        if not os.environ.get("OTEL_SERVICE_NAME"):
            resource["service.name"] = name
        self._provider = TracerProvider(resource=Resource.create(resource))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("modelship", version)
        self._propagator = TraceContextTextMapPropagator()
        self._server = SpanKind.SERVER

    def request(self, request: Request, route: str | None, status: int, seconds: float) -> None:
        """Hand in the span of a request that is over now."""
        from opentelemetry.trace import Status, StatusCode

        ended = time.time_ns()
        carrier = {
            name: given.decode("latin-1")
            for name in ("traceparent", "tracestate")
            if (given := request.headers.get(name.encode()))
        }
        attributes: dict[str, Any] = {
            "http.request.method": request.method,
            "http.response.status_code": status,
            "modelship.request_id": request.id,
        }
        if route is not None:
            attributes["http.route"] = route
        if request.rows is not None:
            attributes["modelship.rows"] = request.rows
        if request.queued_s is not None:
            attributes["modelship.queue_seconds"] = request.queued_s
        if request.key is not None:
            attributes["modelship.key"] = request.key.name
        span = self._tracer.start_span(
            f"{request.method} {route}" if route else request.method,
            context=self._propagator.extract(carrier),
            kind=self._server,
            attributes=attributes,
            start_time=ended - int(seconds * 1e9),
        )
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)

    def stop(self) -> None:
        """Send what is left, for a moment: a collector that does not answer does not keep the service."""
        last = threading.Thread(target=self._provider.shutdown, name="last traces", daemon=True)
        last.start()
        last.join(_LAST_EXPORT_S)
