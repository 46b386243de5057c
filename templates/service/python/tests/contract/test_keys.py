"""Who may ask what, and how much of it."""

from __future__ import annotations

import base64
import json

import pytest

from .client import Caller, until
from .test_requests import GOOD


@pytest.mark.parametrize("path", ["/healthz", "/startupz", "/readyz", "/v2/health/live", "/v2/health/ready"])
def test_probes_are_open(stranger: Caller, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status == 200
    assert (head := stranger.ask("HEAD", path)).status == 200 and head.body == b""


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/v1/predict",
            "/v1/model",
            "/v1/jobs",
            "/v1/jobs/x",
            "/v2/predict",
            "/openapi.json",
            "/metrics",
            "/docs",
            "/",
        ),
        *("/v2", "/v2/models/contract", "/v2/repository/index", "/v1/models", "/v1/chat/completions", "/v1/embeddings"),
        *("/nothing", "//v1/predict", "/v1/predict/", "/V1/predict", "/%76%31/predict", "/healthz/../v1/predict"),
        *("/healthz/", "//healthz", "/v1/predict?x=/healthz", "/%00"),
    ],
)
def test_all_else_is_closed_however_it_is_spelled(stranger: Caller, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        answer = stranger.ask(method, path)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("known_as", ["bearer", "x-api-key", "basic"])
def test_a_key_is_taken_in_three_ways(stranger: Caller, key: str, known_as: str) -> None:
    basic = base64.b64encode(f"anyone:{key}".encode()).decode()
    header = {
        "bearer": {"authorization": f"Bearer {key}"},
        "x-api-key": {"x-api-key": key},
        "basic": {"authorization": f"Basic {basic}"},
    }[known_as]
    assert stranger.predict(GOOD, **header).status == 200
    assert stranger.predict(GOOD, **{name: value[:-2] for name, value in header.items()}).status == 401


@pytest.mark.parametrize(("name", "code"), [("unheard-of", "invalid_key"), ("expired", "expired_key")])
def test_keys_that_are_not_good(caller: Caller, name: str, code: str) -> None:
    answer = caller.named(name).predict(GOOD)
    assert (answer.status, answer.code) == (401, code)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("other", {"/v1/model"}), ("metrics", {"/metrics"}), ("admin", {"/v1/model", "/metrics"})],
)
def test_a_key_may_do_what_its_scopes_say(caller: Caller, name: str, allowed: set[str]) -> None:
    for path in ("/v1/model", "/metrics"):
        answer = caller.named(name).get(path)
        assert answer.status == (200 if path in allowed else 403)
        if path not in allowed:
            assert answer.code == "forbidden"


def test_a_limited_key_is_told_how_much_is_left_and_when_to_come_back(caller: Caller) -> None:
    answers = [caller.named("limited").predict(GOOD) for _ in range(6)]
    assert {one.headers["x-ratelimit-limit-requests"] for one in answers} == {"5"}
    left = [int(one.headers["x-ratelimit-remaining-requests"]) for one in answers]
    assert left == sorted(left, reverse=True) and left[-1] == 0
    refused = answers[-1]
    assert (refused.status, refused.code) == (429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 12
    unlimited = caller.predict(GOOD)
    assert unlimited.status == 200 and not any(header.startswith("x-ratelimit") for header in unlimited.headers)


def test_a_key_with_a_cap_on_what_runs_at_once(caller: Caller) -> None:
    single = caller.named("single")
    body = json.dumps({"up_to": 1_000_000, "pause": 0.01}).encode()
    with single.connect() as connection:
        connection.sendall(single.head("/v2/predict", content_length=str(len(body))) + body)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK")
        refused = single.predict(GOOD)
        assert (refused.code, int(refused.headers["retry-after"]) >= 1) == ("too_many_requests", True)
    until(lambda: single.predict(GOOD).status == 200, "the end of the stream")
