"""Traces go to a collector that speaks OTLP over HTTP: a server of the test that keeps what it is sent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from conftest import SUM_MODEL

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector:
    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.resources: list[dict[str, Any]] = []
        self.paths: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
                collector.paths.add(self.path)
                for one in sent["resourceSpans"]:
                    collector.resources.append(one["resource"])
                    for scope in one["scopeSpans"]:
                        collector.spans += scope["spans"]
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


def attributes(described: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in described["attributes"]}


def test_each_request_is_a_span_of_its_callers_trace(start: Any, collector: Collector) -> None:
    service = start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, MODELSHIP_NAME="sums").ready()
    service.predict({"numbers": [1, 2]}, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    service.predict({"numbers": [1], "fault": "raise"})
    assert service.end() == 0
    assert collector.paths == {"/v1/traces"}
    good = next(one for one in collector.spans if one["traceId"] == TRACE)
    assert (good["parentSpanId"], good["name"]) == ("00f067aa0ba902b7", "POST /v1/predict")
    said = attributes(good)
    assert (said["http.route"], int(said["http.response.status_code"])) == ("/v1/predict", 200)
    assert int(said["modelship.rows"]) == 1
    assert int(good["endTimeUnixNano"]) > int(good["startTimeUnixNano"])
    failed = next(one for one in collector.spans if int(attributes(one)["http.response.status_code"]) == 500)
    assert failed["traceId"] != TRACE and failed["status"]["code"] in (2, "STATUS_CODE_ERROR")
    assert attributes(collector.resources[0])["service.name"] == "sums"


def test_a_collector_that_is_gone_keeps_nobody_waiting(start: Any, collector: Collector) -> None:
    collector.server.shutdown()
    collector.server.server_close()
    service = start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url).ready()
    assert service.predict({"numbers": [1]}).status == 200
    started = time.monotonic()
    assert service.end() == 0
    assert time.monotonic() - started < 5


def test_without_an_endpoint_nothing_is_imported(start: Any) -> None:
    model = SUM_MODEL.replace("import time", "import sys, time", 1).replace(
        "        for row in rows:",
        "        print('imported:', 'opentelemetry' in sys.modules)\n        for row in rows:",
        1,
    )
    service = start(model).ready()
    service.predict({"numbers": [1]})
    service.until(lambda: "imported: False" in service.stderr or None, "what the model printed")
