"""Answers that come in pieces, and those that come later."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

import pytest
from conftest import PATIENCE_S

from .client import Caller, until
from .test_pages import value_of
from .test_requests import ANSWER, GOOD


def frames(body: bytes) -> list[bytes]:
    return [frame for frame in body.split(b"\n\n") if frame and not frame.startswith(b":")]


def test_pieces_are_events_and_the_end_is_one_too(caller: Caller) -> None:
    answer = caller.post("/v2/predict", {"up_to": 3})
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
    *pieces, last = frames(answer.body)
    assert [json.loads(piece.removeprefix(b"data: ")) for piece in pieces] == [{"number": n} for n in range(3)]
    assert last.startswith(b"event: done\n")


def test_a_piece_is_sent_when_it_is_there(caller: Caller) -> None:
    connection = http.client.HTTPConnection(*caller.address, timeout=PATIENCE_S)
    connection.request("POST", "/v2/predict", json.dumps({"up_to": 1, "pause": 0.5}), caller.headers())
    response = connection.getresponse()
    assert response.readline() == b'data: {"number":0}\n'
    first = time.monotonic()
    assert b"event: done" in response.read()
    assert time.monotonic() - first > 0.3
    connection.close()


def test_an_error_before_the_first_piece_has_a_status_and_one_after_it_is_an_event(caller: Caller) -> None:
    assert caller.post("/v2/predict", {"up_to": 0}).code == "invalid_input"
    assert caller.post("/v2/predict", {"up_to": 2, "fail_at": 0}).status == 500
    later = caller.post("/v2/predict", {"up_to": 2, "fail_at": 1})
    assert later.status == 200 and b"secret" not in later.body
    kind, data = frames(later.body)[-1].split(b"\n")
    assert kind == b"event: error"
    assert json.loads(data.removeprefix(b"data: "))["error"]["code"] == "model_error"


def test_the_pieces_together_for_who_accepts_only_json(caller: Caller) -> None:
    answer = caller.post("/v2/predict", {"up_to": 2}, accept="application/json")
    assert answer.json == {"pieces": [{"number": 0}, {"number": 1}]}


def test_the_work_for_a_client_that_leaves_ends(caller: Caller) -> None:
    admin = caller.named("admin")
    gone = 'modelship_requests_total{method="POST",route="/v2/predict",status="499"}'
    before = value_of(admin, gone)
    body = json.dumps({"up_to": 1_000_000, "pause": 0.01}).encode()
    with caller.connect() as connection:
        connection.sendall(caller.head("/v2/predict", content_length=str(len(body))) + body)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK")
    until(lambda: value_of(admin, gone) == before + 1, "the end of the stream")
    assert caller.post("/v2/predict", {"up_to": 1}).status == 200


def started(caller: Caller, row: Any) -> str:
    answer = caller.post("/v1/jobs", row)
    assert answer.status == 202
    assert answer.headers["location"] == f"/v1/jobs/{answer.json['id']}"
    return answer.headers["location"]


def over(caller: Caller, place: str) -> Any:
    until(lambda: caller.get(place).json["status"] != "queued", "the end of the job")
    return caller.get(place).json


def test_a_job_has_its_result_later(caller: Caller) -> None:
    place = started(caller, GOOD)
    job = over(caller, place)
    assert (job["status"], job["result"]) == ("succeeded", ANSWER)
    assert caller.ask("DELETE", place).status == 200
    assert caller.get(place).code == "not_found"


def test_a_job_that_fails_and_one_that_is_cancelled(caller: Caller) -> None:
    failed = over(caller, started(caller, {**GOOD, "fault": "raise"}))
    assert (failed["status"], failed["error"]["code"]) == ("failed", "model_error")
    place = started(caller, {**GOOD, "wait": 0.5})
    assert caller.ask("DELETE", place).json["status"] == "cancelled"
    assert caller.post("/v1/jobs", {"point": []}).code == "invalid_input"


@pytest.mark.parametrize(("name", "status"), [("other", 404), ("admin", 200)])
def test_a_job_is_seen_by_its_own_key_and_by_admins(caller: Caller, name: str, status: int) -> None:
    assert caller.named(name).get(started(caller, GOOD)).status == status
