from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import pytest
from conftest import SUM_MODEL, Running

GOOD = {"numbers": [1, 2, 3]}
HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\n"


def raw(service: Running, data: bytes, *, half_close: bool = False, patience: float = 10) -> bytes:
    """Everything that comes back for bytes as they are."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=patience) as connection:
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := connection.recv(65_536):
                answer += part
        except ConnectionResetError:
            pass
        return answer


def test_one_row_gives_one_output(service: Running) -> None:
    answer = service.predict(GOOD)
    assert (answer.status, answer.json) == (200, {"total": 6.0, "label": "", "note": None})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_many_rows_give_as_many_in_the_same_order(service: Running) -> None:
    rows = [{"numbers": [number], "label": str(number)} for number in range(100)]
    answer = service.predict({"rows": rows})
    assert [row["label"] for row in answer.json["rows"]] == [str(number) for number in range(100)]


def test_a_wrong_input_names_path_and_rule(service: Running) -> None:
    answer = service.predict({"rows": [GOOD, {"numbers": []}]})
    assert answer.status == 422
    assert answer.json == {
        "error": {
            "code": "invalid_input",
            "message": "rows[1].numbers: at least 1 item is needed",
            "details": [{"path": "rows[1].numbers", "rule": "at least 1 item is needed", "type": "too_short"}],
            "request_id": answer.headers["x-request-id"],
        }
    }


@pytest.mark.parametrize("body", [b"", b"{", b'{"numbers": [NaN]}', b"\xff", b"[" * 100_000, b'{"label": "\\ud800"}'])
def test_what_is_not_json_is_400(service: Running, body: bytes) -> None:
    answer = service.predict(body)
    assert (answer.status, answer.code) == (400, "invalid_json")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/predict/", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/%00%ff", 404, "not_found"),
        ("POST", "//v1/predict", 404, "not_found"),
        ("GET", "/v1/predict", 405, "method_not_allowed"),
        ("DELETE", "/v1/predict", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/predict", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
    ],
)
def test_wrong_paths_and_methods(service: Running, method: str, path: str, status: int, code: str) -> None:
    answer = service.ask(method, path)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers.get("allow") == (
        {"/v1/predict": "POST", "/healthz": "GET, HEAD"}[path] if status == 405 else None
    )


def test_head_is_get_without_a_body(service: Running) -> None:
    answer = service.ask("HEAD", "/healthz")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "13")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": "application/vnd.row+json"}, 200),
        ({"content-type": ""}, 200),
        ({"content-encoding": "identity"}, 200),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/json; charset=utf-16"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-encoding": "gzip"}, 400),
        ({"content-encoding": "br"}, 415),
    ],
)
def test_types_and_encodings(service: Running, headers: dict[str, str], status: int) -> None:
    assert service.predict(GOOD, **headers).status == status


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_and_the_answer_arrives(start: Any, chunked: bool) -> None:
    service = start(MODELSHIP_MAX_BODY_BYTES="1000").ready()
    body = b"x" * 3_000_000
    if chunked:
        answer = raw(service, HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
    else:
        answer = raw(service, HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert answer.startswith(b"HTTP/1.1 413 ") and b'"body_too_large"' in answer
    assert b"connection: close" in answer
    assert service.predict(b" " * 1001).code == "body_too_large"
    assert service.predict(json.dumps(GOOD).encode().ljust(1000)).status == 200


def test_a_huge_declared_length_is_refused_before_the_body_comes(service: Running) -> None:
    started = time.monotonic()
    answer = raw(service, HEAD + b"Content-Length: 999999999999999999\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 413 ") and time.monotonic() - started < 5


def test_expect_100_continue(service: Running) -> None:
    body = json.dumps(GOOD).encode()
    expect = b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: "
    answer = raw(service, HEAD + expect + b"%d\r\n\r\n" % len(body) + body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    refused = raw(service, HEAD + expect + b"999999999\r\n\r\n")
    assert refused.startswith(b"HTTP/1.1 413 ") and b"100 Continue" not in refused


def test_a_body_that_does_not_come_is_408(start: Any) -> None:
    service = start(MODELSHIP_TIMEOUT_S="0.3").ready()
    answer = raw(service, HEAD + b'Content-Length: 20\r\n\r\n{"numbers":')
    assert answer.startswith(b"HTTP/1.1 408 ") and b'"request_timeout"' in answer


def test_a_client_that_leaves_in_the_middle_is_only_a_line_in_the_log(start: Any) -> None:
    service = start().ready()
    assert raw(service, HEAD + b"Content-Length: 20\r\n\r\n{", half_close=True) == b""
    assert service.event("request", status=499)["code"] == "client_gone"
    assert service.predict(GOOD).status == 200


def test_a_client_that_closes_its_half_still_gets_its_answer(service: Running) -> None:
    body = json.dumps({**GOOD, "wait": 0.2}).encode()
    answer = raw(service, HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body, half_close=True)
    assert answer.startswith(b"HTTP/1.1 200 OK") and b'"total":6.0' in answer


def test_pipelined_requests_are_answered_in_order(service: Running) -> None:
    bodies = [json.dumps({**GOOD, "label": f"n{number}"}).encode() for number in range(20)]
    data = b"".join(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies)
    answer = raw(service, data + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    places = [answer.index(b'"n%d"' % number) for number in range(20)]
    assert places == sorted(places) and answer.count(b"HTTP/1.1 200 OK") == 21


def test_what_is_not_http_is_400(service: Running) -> None:
    answer = raw(service, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and b'"bad_request"' in answer


def test_a_request_id_comes_back_when_it_is_a_decent_one(service: Running) -> None:
    assert service.predict(GOOD, **{"x-request-id": "trace-1.a:b"}).headers["x-request-id"] == "trace-1.a:b"
    for bad in ("a b", "x" * 129, "<script>", ""):
        given = service.predict(GOOD, **{"x-request-id": bad}).headers["x-request-id"]
        assert given != bad and len(given) == 24


@pytest.mark.parametrize("fault", ["raise", "exit", "stop", "count", "type", "none", "nan", "surrogate"])
def test_a_model_that_fails_is_500_and_the_log_alone_says_why(service: Running, fault: str) -> None:
    answer = service.predict({**GOOD, "fault": fault})
    assert (answer.status, answer.code) == (500, "model_error")
    assert b"secret" not in answer.body and b"Traceback" not in answer.body
    line = service.event("model_error", request_id=answer.headers["x-request-id"])
    promised = fault in ("count", "type", "none", "nan")
    assert line["reason"].startswith("predict returned ") == promised
    assert ("traceback" in line) != promised
    assert b"modelship_service" not in json.dumps(line).encode()
    assert service.predict(GOOD).status == 200


def test_outputs_may_be_plain_objects_of_the_right_shape(service: Running) -> None:
    assert service.predict({**GOOD, "fault": "dict"}).json == {"total": 1.0, "label": "d", "note": None}


def test_a_model_that_takes_too_long_is_504_and_a_full_queue_429(start: Any) -> None:
    service = start(MODELSHIP_TIMEOUT_S="0.4", MODELSHIP_QUEUE_MAX_ROWS="2").ready()
    started = time.monotonic()
    slow = service.predict({**GOOD, "wait": 1.5})
    assert (slow.status, slow.code, time.monotonic() - started < 1.2) == (504, "timeout", True)
    assert service.predict(GOOD).status == 504
    full = service.predict({"rows": [GOOD] * 2})
    assert (full.status, full.code, int(full.headers["retry-after"]) >= 1) == (429, "overloaded", True)
    assert (full.headers["x-ratelimit-limit-requests"], full.headers["x-ratelimit-remaining-requests"]) == ("2", "1")
    assert service.ask("GET", "/healthz").status == 200
    time.sleep(1.2)
    assert service.predict(GOOD).status == 200
    assert service.predict({"rows": [GOOD] * 10}).status == 200


def test_the_event_loop_stays_free_while_the_model_works(service: Running) -> None:
    slow = threading.Thread(target=service.predict, args=({**GOOD, "wait": 1.0},))
    slow.start()
    time.sleep(0.1)
    started = time.monotonic()
    assert service.ask("GET", "/readyz").status == 200
    assert time.monotonic() - started < 0.5
    slow.join()


def test_the_model_card(service: Running) -> None:
    card = service.ask("GET", "/v1/model").json
    assert (card["name"], card["version"], card["max_rows"]) == ("sums", "1.2.0", 1024)
    assert card["input"]["properties"]["numbers"]["maxItems"] == 64
    assert card["output"]["required"] == ["total", "label"]


def test_bodies_are_in_the_log_only_where_that_is_asked_for(start: Any) -> None:
    service = start(MODELSHIP_LOG_BODIES="1").ready()
    service.predict({**GOOD, "label": "shown"}, **{"x-request-id": "one"})
    service.predict(b"\xff" * 9_000, **{"x-request-id": "two"})
    assert json.loads(service.event("request", request_id="one")["body"])["label"] == "shown"
    assert service.event("request", request_id="two")["body"] == "\\xff" * 4096


def test_the_headers_that_a_security_review_asks_for(service: Running) -> None:
    api, page = service.ask("GET", "/v1/model").headers, service.ask("GET", "/docs").headers
    for headers in (api, page, service.ask("GET", "/nowhere").headers):
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
        assert (headers["x-frame-options"], headers["referrer-policy"]) == ("DENY", "no-referrer")
        assert "server" not in headers
    assert api["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "script-src 'sha256-" in page["content-security-policy"]


def test_without_the_playground_there_is_a_list_of_routes(start: Any) -> None:
    service = start(MODELSHIP_PLAYGROUND="0")
    assert "POST /v1/predict" in service.ask("GET", "/").json["routes"]
    assert service.ask("GET", "/docs").headers["content-type"] == "text/html; charset=utf-8"


def test_the_pages_are_there_before_the_model(start: Any) -> None:
    service = start(files={"model.py": SUM_MODEL.replace("import time", "import time; time.sleep(2)", 1)})
    assert service.ask("GET", "/").headers["content-type"] == "text/html; charset=utf-8"


def test_openapi_is_made_of_the_users_types_and_the_example(service: Running) -> None:
    document = service.ask("GET", "/openapi.json").json
    assert document["info"] == {"title": "sums", "version": "1.2.0"}
    body = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert body["example"] == {"numbers": [1, 2], "label": "example"}
    assert service.predict(body["example"]).status == 200
    text = json.dumps(document)
    named = set(document["components"]["schemas"])
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used <= named and {"Input", "Output", "Error", "Job", "Model"} == named


def test_each_request_is_one_line_of_json_without_its_body(start: Any) -> None:
    service = start().ready()
    service.predict({**GOOD, "label": "canary-of-the-body"}, **{"x-request-id": "one"})
    service.predict({"rows": "canary-of-the-body"}, **{"x-request-id": "two"})
    service.ask("GET", "/healthz", headers={"x-request-id": "probe"})
    service.ask("GET", "/canary-of-the-path", headers={"x-request-id": "three"})
    one = service.event("request", request_id="one")
    assert set(one) == {"ts", "level", "event", "method", "route", "status", "ms", "request_id", "rows", "queue_ms"}
    assert (one["route"], one["status"], one["rows"], one["level"]) == ("/v1/predict", 200, 1, "info")
    assert service.event("request", request_id="two")["code"] == "invalid_input"
    assert service.event("request", request_id="three")["route"] is None
    assert not [event for event in service.events if event.get("request_id") == "probe"]
    assert b"canary" not in b"".join(service.lines)
    service.until(lambda: "loaded by the user's code" in service.stderr or None, "what the user printed, on stderr")
