"""What a request is answered with: outputs, or an error that says what is wrong with it."""

from __future__ import annotations

import gzip
import json
import socket
from typing import Any

import pytest

from .client import Caller

GOOD = {"point": [1, 2, 3], "name": "Ada"}
ANSWER = {"total": 6.0, "doubled": [2.0, 4.0, 6.0], "greeting": "hello Ada"}


def test_one_row(caller: Caller) -> None:
    answer = caller.predict(GOOD)
    assert (answer.status, answer.json) == (200, ANSWER)
    assert answer.headers["content-type"] == "application/json"


def test_many_rows_in_their_order(caller: Caller) -> None:
    rows = [{"point": [number, 0, 0], "name": f"é{number}"} for number in range(200)]
    answers = caller.predict({"rows": rows}).json["rows"]
    assert [one["total"] for one in answers] == [float(number) for number in range(200)]
    assert answers[-1]["greeting"] == "hello é199"


@pytest.mark.parametrize(
    ("body", "path", "rule"),
    [
        ({"name": "Ada"}, "point", "a value is needed"),
        ({"point": [1, 2]}, "point", "at least 3 items are needed"),
        ({"point": [1, 2, 1001]}, "point[2]", "must be 1000 or less"),
        ({"rows": [GOOD, {**GOOD, "name": "x" * 101}]}, "rows[1].name", "at most 100 characters are allowed"),
        ({"rows": []}, "rows", "at least 1 item is needed"),
        ({"rows": [GOOD] * 1025}, "rows", "at most 1024 items are allowed"),
    ],
)
def test_a_wrong_input_names_path_and_rule_and_repeats_nothing(caller: Caller, body: Any, path: str, rule: str) -> None:
    answer = caller.predict(body)
    error = answer.json["error"]
    assert (answer.status, error["code"]) == (422, "invalid_input")
    # Python writes a float's limit with its decimal, JavaScript has none to write.
    shown = error["details"][0]["rule"].replace("1000.0", "1000")
    assert (error["details"][0]["path"], shown) == (path, rule)
    assert error["request_id"] == answer.headers["x-request-id"]
    assert b"1001" not in answer.body and b"xxx" not in answer.body


@pytest.mark.parametrize("body", [b"", b"{", b'{"point": [NaN, 1, 2]}', b"\xff", b"[" * 1000])
def test_what_is_not_json_is_400(caller: Caller, body: bytes) -> None:
    answer = caller.predict(body)
    assert (answer.status, answer.code) == (400, "invalid_json")


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "allow"),
    [
        ("GET", "/nothing", 404, "not_found", None),
        ("POST", "/v1/predict/", 404, "not_found", None),
        ("POST", "/v3/predict", 404, "not_found", None),
        ("GET", "/v1/predict", 405, "method_not_allowed", "POST"),
        ("DELETE", "/v1/model", 405, "method_not_allowed", "GET, HEAD"),
        ("POST", "/healthz", 405, "method_not_allowed", "GET, HEAD"),
    ],
)
def test_wrong_paths_and_methods(
    caller: Caller, method: str, path: str, status: int, code: str, allow: str | None
) -> None:
    answer = caller.ask(method, path)
    assert (answer.status, answer.code, answer.headers.get("allow")) == (status, code, allow)


def test_other_types_and_encodings_are_415(caller: Caller) -> None:
    assert caller.predict(GOOD, **{"content-type": "text/plain"}).code == "unsupported_media_type"
    assert caller.predict(GOOD, **{"content-encoding": "br"}).code == "unsupported_media_type"
    assert caller.predict(GOOD, **{"content-type": "application/vnd.row+json"}).status == 200


def test_a_gzipped_request(caller: Caller) -> None:
    body = gzip.compress(json.dumps(GOOD).encode())
    assert caller.predict(body, **{"content-encoding": "gzip"}).json == ANSWER
    assert caller.predict(body[:-9], **{"content-encoding": "gzip"}).code == "invalid_encoding"


def test_a_body_that_is_too_large_is_413_before_and_after_it_is_decompressed(caller: Caller) -> None:
    bomb = gzip.compress(b" " * (65 * 1024 * 1024), 1)
    assert caller.predict(bomb, **{"content-encoding": "gzip"}).code == "body_too_large"
    with caller.connect() as connection:
        connection.sendall(caller.head("/v1/predict", content_length="999999999999"))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("fault", ["raise", "nan"])
def test_a_model_that_fails_is_500_for_that_request_alone(caller: Caller, fault: str) -> None:
    answer = caller.predict({**GOOD, "fault": fault})
    assert (answer.status, answer.code) == (500, "model_error")
    assert b"secret" not in answer.body and b"Traceback" not in answer.body
    assert caller.predict(GOOD).json == ANSWER


def test_a_request_id_comes_back_and_is_made_where_there_is_none(caller: Caller) -> None:
    assert caller.predict(GOOD, **{"x-request-id": "trace-1.a:b"}).headers["x-request-id"] == "trace-1.a:b"
    made = [caller.predict(GOOD, **{"x-request-id": "<no>"}).headers["x-request-id"] for _ in range(2)]
    assert len(set(made)) == 2 and "<no>" not in made


@pytest.mark.parametrize("path", ["/", "/docs", "/v1/model", "/nothing", "/readyz", "/metrics"])
def test_every_answer_has_the_headers_of_a_security_review(caller: Caller, path: str) -> None:
    for one in (caller, caller.stranger(), caller.named("admin")):
        headers = one.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["x-request-id"]
        assert headers.keys().isdisjoint({"server", "access-control-allow-origin", "x-powered-by"})


def test_a_client_that_closes_its_half_still_gets_its_answer(caller: Caller) -> None:
    body = json.dumps({**GOOD, "wait": 0.2}).encode()
    with caller.connect() as connection:
        connection.sendall(caller.head("/v1/predict", content_length=str(len(body))) + body)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK") and b'"total":6' in answer
