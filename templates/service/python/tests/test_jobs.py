"""Jobs, over HTTP: from their start to their end, and to whom they belong."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import SUM_MODEL, Answer, Running

GOOD = {"numbers": [1, 2, 3]}
MINE, OTHERS, ADMIN, METRICS = (f"a-key-of-{name}-for-tests" for name in ("mine", "others", "admin", "metrics"))


def begin(service: Running, value: Any, key: str | None = None, path: str = "/v1/jobs") -> Answer:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return service.ask("POST", path, body, {} if key is None else {"x-api-key": key})


def look(service: Running, job: str, key: str | None = None, method: str = "GET") -> Answer:
    return service.ask(method, f"/v1/jobs/{job}", headers={} if key is None else {"x-api-key": key})


def ended(service: Running, job: str, key: str | None = None) -> dict[str, Any]:
    def shown() -> Any:
        answer = look(service, job, key)
        assert answer.status == 200
        return answer.json if answer.json["status"] != "queued" else None

    return service.until(shown, "the end of the job")


@pytest.fixture(scope="module")
def plain(start: Callable[..., Running]) -> Running:
    return start().ready()


def test_from_its_start_to_its_result(plain: Running) -> None:
    started = begin(plain, {**GOOD, "wait": 0.3})
    assert started.status == 202
    job = started.json
    assert set(job) == {"id", "status", "created", "expires"} and (job["status"], job["expires"]) == ("queued", None)
    assert started.headers["location"] == f"/v1/jobs/{job['id']}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", job["created"])
    assert plain.ask("GET", started.headers["location"]).json == job
    done = ended(plain, job["id"])
    assert (done["status"], done["result"]) == ("succeeded", {"total": 6.0, "label": "", "note": None})
    assert done["created"] == job["created"] and done["expires"] > done["created"]
    assert look(plain, job["id"]).json == done


def test_many_rows_in_their_order(plain: Running) -> None:
    rows = [{"numbers": [number], "label": str(number)} for number in range(1000)]
    job = begin(plain, {"rows": rows}).json["id"]
    assert [row["label"] for row in ended(plain, job)["result"]["rows"]] == [str(number) for number in range(1000)]


def test_what_the_model_does_not_take_begins_no_job(plain: Running) -> None:
    wrong = begin(plain, {"numbers": []})
    assert (wrong.status, wrong.code) == (422, "invalid_input") and "location" not in wrong.headers
    assert begin(plain, b"{").code == "invalid_json"
    assert begin(plain, {"rows": []}).code == "invalid_input"
    assert plain.ask("GET", "/v1/jobs").status == 405


@pytest.mark.parametrize("fault", ["raise", "exit", "count", "type", "none", "nan"])
def test_a_model_that_fails(plain: Running, fault: str) -> None:
    done = ended(plain, begin(plain, {**GOOD, "fault": fault}).json["id"])
    assert done["status"] == "failed" and set(done["error"]) == {"code", "message"}
    assert done["error"]["code"] == "model_error" and "result" not in done
    assert "secret" not in json.dumps(done)


def test_one_bad_row_in_many_fails_the_job_and_nobody_elses(plain: Running) -> None:
    rows = [GOOD] * 100 + [{**GOOD, "fault": "raise"}]
    bad, good = begin(plain, {"rows": rows}).json["id"], begin(plain, GOOD).json["id"]
    assert ended(plain, good)["status"] == "succeeded"
    assert ended(plain, bad)["error"]["code"] == "model_error"


def test_a_job_may_take_longer_than_a_request_and_not_for_ever(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_TIMEOUT_S="0.3", MODELSHIP_JOB_TIMEOUT_S="1").ready()
    assert service.predict({**GOOD, "wait": 0.6}).status == 504
    assert ended(service, begin(service, {**GOOD, "wait": 0.6}).json["id"])["status"] == "succeeded"
    late = ended(service, begin(service, {**GOOD, "wait": 2.0}).json["id"])
    assert (late["status"], late["error"]["code"]) == ("failed", "timeout")


def test_to_cancel_one_that_waits(plain: Running) -> None:
    slow = begin(plain, {**GOOD, "wait": 0.6}).json["id"]
    waiting = begin(plain, {**GOOD, "fault": "raise", "label": "never run"}).json["id"]
    cancelled = look(plain, waiting, method="DELETE")
    assert (cancelled.status, cancelled.json["status"]) == (200, "cancelled")
    assert look(plain, waiting).status == 404
    assert look(plain, waiting, method="DELETE").status == 404
    assert ended(plain, slow)["status"] == "succeeded"
    assert look(plain, slow, method="DELETE").json["status"] == "succeeded"
    assert look(plain, slow).status == 404


def test_to_cancel_one_that_runs(plain: Running) -> None:
    running = begin(plain, {**GOOD, "wait": 0.5}).json["id"]
    time.sleep(0.1)
    assert look(plain, running, method="DELETE").json["status"] == "cancelled"
    # What the model has begun takes its time; what comes after it is answered.
    assert plain.predict(GOOD).status == 200
    assert look(plain, running).status == 404


@pytest.mark.parametrize("number", ["x", "0" * 32, "%2e%2e", "a%2fb", "%00", "x" * 5000])
def test_there_is_no_such_job(plain: Running, number: str) -> None:
    for method in ("GET", "DELETE"):
        answer = look(plain, number, method=method)
        assert (answer.status, answer.code) == (404, "not_found")


def test_a_result_is_forgotten_after_its_time(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_JOBS_TTL_S="1").ready()
    job = begin(service, GOOD).json["id"]
    done = ended(service, job)
    assert done["expires"] > done["created"]
    service.until(lambda: True if look(service, job).status == 404 else None, "its end")
    # Work does not expire.
    slow = begin(service, {**GOOD, "wait": 1.6}).json["id"]
    time.sleep(1.3)
    assert look(service, slow).json["status"] == "queued"
    assert ended(service, slow)["status"] == "succeeded"


def test_what_is_forgotten_takes_no_memory(start: Callable[..., Running]) -> None:
    service = start(SUM_MODEL.replace("label=row.label)", "label='x' * 4_000_000)"), MODELSHIP_JOBS_TTL_S="0.5").ready()
    ended(service, begin(service, GOOD).json["id"])
    time.sleep(1)
    before = resident(service)
    for _ in range(20):
        ended(service, begin(service, GOOD).json["id"])
    service.until(lambda: True if resident(service) - before < 20_000_000 else None, "the memory again")


def resident(service: Running) -> int:
    [kilobytes] = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{service.process.pid}/status").read_text())
    return int(kilobytes) * 1024


def test_there_are_so_many_and_results_make_room(start: Callable[..., Running]) -> None:
    service = start(MODELSHIP_JOBS_MAX="3").ready()
    slow = [begin(service, {**GOOD, "wait": 0.4}).json["id"] for _ in range(3)]
    full = begin(service, GOOD)
    assert (full.status, full.code, int(full.headers["retry-after"]) >= 1) == (429, "overloaded", True)
    assert [ended(service, job)["status"] for job in slow] == ["succeeded"] * 3
    assert begin(service, GOOD).status == 202
    assert [look(service, job).status for job in slow] == [404, 200, 200]


def test_none_at_all(start: Callable[..., Running]) -> None:
    assert begin(start(MODELSHIP_JOBS_MAX="0").ready(), GOOD).status == 429


def test_an_accepted_job_waits_for_room_and_leaves_room(start: Callable[..., Running]) -> None:
    """The queue's bound is for requests. A job that was accepted does not fail for it, and does not fill it."""
    service = start(MODELSHIP_QUEUE_MAX_ROWS="4", MODELSHIP_BATCH_MAX_ROWS="2").ready()
    busy = threading.Thread(target=service.predict, args=({"rows": [{**GOOD, "wait": 0.2}] * 4},))
    busy.start()
    time.sleep(0.1)
    jobs = [begin(service, {"rows": [{**GOOD, "wait": 0.02}] * 20}).json["id"] for _ in range(2)]
    busy.join()
    assert service.predict(GOOD).status == 200
    assert [ended(service, job)["status"] for job in jobs] == ["succeeded", "succeeded"]


def test_a_job_belongs_to_its_key(start: Callable[..., Running]) -> None:
    names = {"mine": MINE, "others": OTHERS}
    keys = [{"name": name, "hash": sha(key), "scopes": ["predict"]} for name, key in names.items()]
    keys.append({"name": "admin", "hash": sha(ADMIN), "scopes": ["admin"]})
    keys.append({"name": "metrics", "hash": sha(METRICS), "scopes": ["metrics"]})
    service = start(MODELSHIP_API_KEYS=json.dumps({"keys": keys})).ready()
    job = begin(service, {**GOOD, "wait": 0.3}, MINE).json["id"]
    for method in ("GET", "DELETE"):
        assert look(service, job, OTHERS, method).json["error"]["code"] == "not_found"
        # As one that never was.
        assert unnamed(look(service, job, OTHERS, method)) == unnamed(look(service, "0" * 32, OTHERS, method))
        assert look(service, job, METRICS, method).status == 403
        assert look(service, job, None, method).status == 401
    assert ended(service, job, MINE)["status"] == "succeeded"
    assert look(service, job, ADMIN).json["status"] == "succeeded"
    assert look(service, job, OTHERS).status == 404
    assert look(service, job, MINE, "DELETE").status == 200
    assert begin(service, GOOD).status == 401 and begin(service, GOOD, METRICS).status == 403


def sha(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def unnamed(answer: Answer) -> tuple[int, bytes]:
    return answer.status, answer.body.replace(answer.headers["x-request-id"].encode(), b"ID")


def test_the_log_has_its_rows(plain: Running) -> None:
    plain.ask("POST", "/v1/jobs", json.dumps({"rows": [GOOD] * 3}).encode(), {"x-request-id": "a-job"})
    line = plain.event("request", request_id="a-job")
    assert (line["route"], line["status"], line["rows"]) == ("/v1/jobs", 202, 3)
