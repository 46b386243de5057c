from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import PACKAGE, SUM_MODEL

SLOW_TO_LOAD = SUM_MODEL.replace('print("loaded by the user\'s code")', "time.sleep(30)")


def test_it_listens_at_once_and_is_ready_when_the_model_is(start: Any) -> None:
    service = start(SUM_MODEL.replace("print(", "time.sleep(1.0); print("))
    assert service.ask("GET", "/healthz").json == {"live": True}
    early = service.predict({"numbers": [1]})
    assert (early.status, early.code, early.headers["retry-after"]) == (503, "not_ready", "1")
    for path in ("/readyz", "/v1/model", "/openapi.json"):
        assert service.ask("GET", path).status == 503
    service.ready()
    assert service.ask("GET", "/readyz").json == {"ready": True}
    assert service.predict({"numbers": [1]}).status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_exit_code_0(start: Any, number: int) -> None:
    service = start().ready()
    started = time.monotonic()
    assert service.end(number) == 0
    assert time.monotonic() - started < 2
    assert [event["event"] for event in service.events[-2:]] == ["draining", "stopped"]
    assert "Traceback" not in service.stderr


def test_a_signal_while_the_model_loads(start: Any) -> None:
    service = start(SLOW_TO_LOAD)
    assert service.ask("GET", "/healthz").status == 200
    started = time.monotonic()
    assert service.end() == 0
    assert time.monotonic() - started < 3


def test_a_request_in_flight_is_finished_and_the_next_probe_says_unready(start: Any) -> None:
    service = start().ready()
    answers: list[Any] = []
    port = service.port
    flight = threading.Thread(target=lambda: answers.append(service.predict({"numbers": [1], "wait": 1.0})))
    flight.start()
    with socket.create_connection(("127.0.0.1", port)) as kept:
        time.sleep(0.3)
        service.process.send_signal(signal.SIGTERM)
        service.event("draining")
        kept.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = kept.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 503 ") and b"connection: close" in answer
    flight.join()
    assert (answers[0].status, answers[0].headers["connection"]) == (200, "close")
    assert service.exit_code() == 0


def test_the_drain_has_a_deadline_and_who_waits_gets_an_answer(start: Any) -> None:
    service = start(MODELSHIP_DRAIN_S="1").ready()
    answers: list[Any] = []
    flight = threading.Thread(target=lambda: answers.append(service.predict({"numbers": [1], "wait": 30})))
    flight.start()
    time.sleep(0.3)
    started = time.monotonic()
    assert service.end() == 0
    assert time.monotonic() - started < 5
    flight.join()
    assert (answers[0].status, answers[0].code) == (503, "not_ready")


def test_a_signal_under_load_loses_nothing_that_was_accepted(start: Any) -> None:
    service = start(MODELSHIP_QUEUE_MAX_ROWS="1000").ready()
    port, counts, lock = service.port, {"answered": 0, "lost": 0}, threading.Lock()
    body = b'{"numbers": [1], "wait": 0.001}'
    request = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def client() -> None:
        answered = lost = 0
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            stream = connection.makefile("rb")
            while True:
                try:
                    connection.sendall(request)
                    status = stream.readline()
                    close, length = False, 0
                    while (line := stream.readline()) not in (b"\r\n", b""):
                        close |= line.lower() == b"connection: close\r\n"
                        if line.lower().startswith(b"content-length:"):
                            length = int(line[15:])
                    content = stream.read(length)
                except OSError:
                    status, content = b"", b""
                if status != b"HTTP/1.1 200 OK\r\n" or b'"total":1.0' not in content:
                    lost += 1
                    break
                answered += 1
                if close:
                    break
        with lock:
            counts["answered"] += answered
            counts["lost"] += lost

    clients = [threading.Thread(target=client) for _ in range(64)]
    for one in clients:
        one.start()
    time.sleep(1.0)
    assert service.end() == 0
    for one in clients:
        one.join()
    assert counts["lost"] == 0 and counts["answered"] > 100, counts


@pytest.mark.parametrize(
    ("change", "stage", "reason", "last"),
    [
        (
            ("import time", "import nowhere_to_be_found"),
            "import",
            "model.py:2: ModuleNotFoundError: No module named",
            "import nowhere_to_be_found",
        ),
        (("class Input(", "class Input(("), "import", "model.py:8: SyntaxError", None),
        (
            ('print("loaded by the user\'s code")', 'raise OSError("no weights here")'),
            "load",
            "OSError: no weights here",
            'raise OSError("no weights here")',
        ),
        (
            ('print("loaded by the user\'s code")', "raise SystemExit(4)"),
            "load",
            "SystemExit: 4",
            "raise SystemExit(4)",
        ),
        (("class Model:", "class Mod:"), "import", "model.py: no class named Model", None),
        (
            ("rows: list[Input]) -> list[Output]", "rows)"),
            "schema",
            "model.py:25: Model.predict: the argument rows has no annotation",
            None,
        ),
        (("class Input(BaseModel)", "class Input"), "schema", "which is no pydantic model", None),
    ],
)
def test_a_model_that_cannot_be_served_ends_it_at_once(
    start: Any, change: Any, stage: str, reason: str, last: Any
) -> None:
    started = time.monotonic()
    service = start(SUM_MODEL.replace(*change))
    assert service.exit_code() == 3
    assert time.monotonic() - started < 5
    failed = service.event("model_failed")
    assert (failed["stage"], failed["level"]) == (stage, "error")
    assert reason in failed["reason"] and "\n" not in failed["reason"]
    assert "modelship_service" not in service.stderr and "importlib" not in service.stderr
    if last:
        assert service.stderr.startswith("Traceback (most recent call last):")
        frames = [line.strip() for line in service.stderr.splitlines()]
        assert frames[[line.startswith("File ") for line in frames].index(True) + 1] == last
    else:
        assert "Traceback" not in service.stderr


def test_a_model_that_is_not_there(start: Any) -> None:
    service = start(None)
    assert service.exit_code() == 3
    assert service.event("model_failed")["reason"].startswith("model.py is not there: the entry is model.py:Model")


def test_model_files_that_are_not_there(start: Any) -> None:
    service = start(MODELSHIP_FILES="/nowhere/model")
    assert service.exit_code() == 3
    assert service.stderr.strip().endswith(
        "the model files are not there: /nowhere/model (is the image started without its weights?)"
    )


def test_the_model_gets_the_path_of_its_files(start: Any) -> None:
    model = SUM_MODEL.replace('print("loaded by the user\'s code")', 'print((files / "weights.txt").read_text())')
    service = start(model, files={"weights/weights.txt": "these are the weights"}, MODELSHIP_FILES="weights").ready()
    service.until(lambda: "these are the weights" in service.stderr or None, "the user's print")


def test_user_files_do_not_hide_the_librarys(start: Any) -> None:
    files = {f"{name}.py": "raise RuntimeError('imported')" for name in ("json", "queue", "logging", "uvicorn", "http")}
    assert start(files=files).ready().predict({"numbers": [1]}).status == 200


def test_an_entry_in_a_folder_with_neighbours(start: Any) -> None:
    files = {
        "src/served.py": "from helpers import double\nfrom src.other import x\n"
        + SUM_MODEL.replace("class Model", "class Mine"),
        "src/other.py": "x = 1",
        "helpers.py": "def double(x): return 2 * x",
    }
    assert start(None, files, MODELSHIP_ENTRY="src/served.py:Mine").ready().predict({"numbers": [1]}).status == 200


def test_libraries_are_told_not_to_report_home_unless_the_user_says_so(start: Any) -> None:
    model = SUM_MODEL.replace("import time", "import os, time").replace(
        'print("loaded by the user\'s code")', 'print("telemetry off:", os.getenv("ORT_DISABLE_TELEMETRY"))'
    )
    quiet, asked = start(model).ready(), start(model, ORT_DISABLE_TELEMETRY="0").ready()
    quiet.until(lambda: "telemetry off: 1" in quiet.stderr or None, "the default")
    asked.until(lambda: "telemetry off: 0" in asked.stderr or None, "the user's choice")


def test_an_example_that_the_types_refuse_is_left_out(start: Any) -> None:
    service = start(files={"examples/request.json": '{"numbers": []}'}).ready()
    assert service.event("example_ignored")["reason"] == "numbers: at least 1 item is needed"
    document = service.ask("GET", "/openapi.json").json
    assert "example" not in document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]


def test_a_setting_that_is_wrong(start: Any) -> None:
    service = start(MODELSHIP_TIMEOUT_S="soon")
    assert service.exit_code() == 2
    assert service.event("settings_invalid")["reason"].startswith("MODELSHIP_TIMEOUT_S must be")


def test_a_port_that_is_taken(start: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        service = start(MODELSHIP_PORT=str(taken.getsockname()[1]))
        assert service.exit_code() == 1
    assert "cannot listen on 127.0.0.1 port" in service.event("listen_failed")["reason"]


def test_the_health_command_follows_readiness(start: Any) -> None:
    service = start(SLOW_TO_LOAD)

    def health() -> int:
        env = {
            **os.environ,
            "PYTHONPATH": str(PACKAGE),
            "MODELSHIP_PORT": str(service.port),
            "MODELSHIP_HOST": "0.0.0.0",
        }
        return subprocess.run([sys.executable, "-m", "modelship_service.health"], env=env).returncode

    assert health() == 1
    service = start().ready()
    assert health() == 0
    assert service.end() == 0
    assert health() == 1


def test_the_check_command_prints_the_schema(start: Any, tmp_path: Any) -> None:
    (tmp_path / "model.py").write_text(SUM_MODEL)
    env = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    command = [sys.executable, "-m", "modelship_service.check"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0 and '"maxItems": 64' in done.stdout
    (tmp_path / "model.py").write_text("import nothing_of_this_name\n")
    failed = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (failed.returncode, failed.stdout) == (3, "")
    assert failed.stderr.rstrip().endswith("No module named 'nothing_of_this_name'")
    assert "modelship_service" not in failed.stderr


def test_a_log_that_nobody_reads_does_not_end_it(tmp_path: Any) -> None:
    (tmp_path / "model.py").write_text(SUM_MODEL)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    reader, writer = os.pipe()
    os.close(reader)
    env = {**os.environ, "PYTHONPATH": str(PACKAGE), "MODELSHIP_HOST": "127.0.0.1", "MODELSHIP_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "modelship_service"], cwd=tmp_path, env=env, stdout=writer)
    os.close(writer)
    try:
        health = [sys.executable, "-m", "modelship_service.health"]
        end = time.monotonic() + 10
        while subprocess.run(health, env=env).returncode and time.monotonic() < end:
            time.sleep(0.05)
        assert subprocess.run(health, env=env).returncode == 0
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()


def test_started_alive_and_ready_are_three_answers(start: Any) -> None:
    def answers(service: Any) -> list[int]:
        return [service.ask("GET", path).status for path in ("/startupz", "/healthz", "/readyz")]

    service = start(SUM_MODEL.replace("print(", "time.sleep(1.0); print("), MODELSHIP_DRAIN_S="5")
    assert answers(service) == [503, 200, 503]
    service.ready()
    assert answers(service) == [200, 200, 200]
    flight = threading.Thread(target=service.predict, args=({"numbers": [1], "wait": 1.0},))
    flight.start()
    with socket.create_connection(("127.0.0.1", service.port)) as kept:
        time.sleep(0.2)
        service.process.send_signal(signal.SIGTERM)
        service.event("draining")
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert kept.recv(65_536).startswith(b"HTTP/1.1 200 ")
    flight.join()
    assert service.exit_code() == 0


COUNTING = SUM_MODEL.replace(
    "        for row in rows:\n",
    '        print("asked for", [row.label for row in rows])\n        for row in rows:\n',
    1,
)
EXAMPLE = {"examples/request.json": '{"numbers": [1, 2], "label": "of the example"}'}


def test_the_example_is_asked_before_it_is_ready(start: Any) -> None:
    slow = COUNTING.replace("return [Output(total=sum", "time.sleep(0.8); return [Output(total=sum")
    service = start(slow, EXAMPLE)
    service.until(lambda: "asked for ['of the example']" in service.stderr or None, "the example")
    assert service.ask("GET", "/readyz").status == 503
    service.ready()
    assert service.ask("GET", "/readyz").status == 200
    assert service.stderr.count("asked for") == 1


def test_the_models_own_warm_up_comes_first(start: Any) -> None:
    model = COUNTING + '\n    def warm_up(self) -> None:\n        print("warming up")\n'
    service = start(model, EXAMPLE).ready()
    said = [line for line in service.stderr.splitlines() if line.startswith(("asked", "warming"))]
    assert said == ["warming up", "asked for ['of the example']"]


def test_an_example_that_the_model_fails_on_ends_it(start: Any) -> None:
    service = start(SUM_MODEL, {"examples/request.json": '{"numbers": [1], "fault": "raise"}'})
    assert service.exit_code() == 3
    failed = service.event("model_failed")
    assert failed["stage"] == "warm_up" and "examples/request.json" in failed["reason"]
    assert 'raise ValueError("secret of the user")' in service.stderr
    assert "ready" not in [event["event"] for event in service.events]


def test_a_warm_up_that_fails_ends_it(start: Any) -> None:
    model = SUM_MODEL + '\n    def warm_up(self) -> None:\n        raise RuntimeError("too cold")\n'
    service = start(model)
    assert service.exit_code() == 3
    failed = service.event("model_failed")
    assert failed["stage"] == "warm_up" and "too cold" in failed["reason"]


def test_the_example_is_not_asked_where_that_is_switched_off(start: Any) -> None:
    example = {"examples/request.json": '{"numbers": [1], "fault": "raise"}'}
    service = start(COUNTING, example, MODELSHIP_WARM_UP="0").ready()
    assert "asked for" not in service.stderr
    assert service.predict({"numbers": [1]}).status == 200


OLD = """
from pathlib import Path
from pydantic import BaseModel


class Input(BaseModel):
    text: str


class Output(BaseModel):
    length: int


class Model:
    def load(self, files: Path) -> None:
        pass

    def predict(self, rows: list[Input]) -> list[Output]:
        return [Output(length=len(row.text)) for row in rows]
"""


def test_two_versions_of_the_api_side_by_side(start: Any) -> None:
    service = start(
        SUM_MODEL, {"old.py": OLD}, MODELSHIP_ENTRY="v1=old.py:Model,v2=model.py:Model", MODELSHIP_NAME="two"
    ).ready()
    assert service.predict({"text": "abc"}).json == {"length": 3}
    new = service.ask("POST", "/v2/predict", b'{"numbers": [1, 2]}')
    assert (new.status, new.json["total"]) == (200, 3.0)
    assert service.predict({"numbers": [1, 2]}).code == "invalid_input"
    assert service.ask("POST", "/v3/predict", b"{}").status == 404
    assert [service.ask("GET", f"/v{number}/model").json["api"] for number in (1, 2)] == ["v1", "v2"]
    job = service.ask("POST", "/v2/jobs", b'{"numbers": [4]}')
    assert job.headers["location"].startswith("/v2/jobs/")

    def done() -> Any:
        shown = service.ask("GET", job.headers["location"]).json
        return shown if shown["status"] == "succeeded" else None

    assert service.until(done, "the job")["result"]["total"] == 4.0

    # The Open Inference Protocol has its place under /v2 all the same, where these are versions of one model.
    assert service.ask("GET", "/v2").json["name"]
    assert service.ask("GET", "/v2/health/ready").status == 200
    assert service.ask("GET", "/v2/models/two").json["versions"] == ["1", "2"]
    names = [
        [one["name"] for one in service.ask("GET", f"/v2/models/two/versions/{number}").json["inputs"]]
        for number in (1, 2)
    ]
    assert names[0] == ["text"] and "numbers" in names[1]
    wrong = service.ask("POST", "/v2/predict", b'{"numbers": []}')
    assert wrong.json["error"]["code"] == "invalid_input"


def test_types_of_one_name_in_two_versions_stay_apart_in_the_document(start: Any) -> None:
    service = start(SUM_MODEL, {"old.py": OLD}, MODELSHIP_ENTRY="v1=old.py:Model,v2=model.py:Model").ready()
    document = service.ask("GET", "/openapi.json").json
    schemas = document["components"]["schemas"]

    def input_of(api: str) -> set[str]:
        body = document["paths"][f"/{api}/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        return set(schemas[body["anyOf"][0]["$ref"].rpartition("/")[2]]["properties"])

    assert input_of("v1") == {"text"}
    assert input_of("v2") == {"numbers", "label", "wait", "fault"}


def test_a_version_that_is_broken_ends_the_service(start: Any) -> None:
    service = start(
        SUM_MODEL, {"old.py": "import nothing_of_this_name"}, MODELSHIP_ENTRY="v1=old.py:Model,v2=model.py:Model"
    )
    assert service.exit_code() == 3
    assert service.event("model_failed")["reason"].startswith("old.py:1: ModuleNotFoundError")


STREAMING = """
import time
from collections.abc import Iterator
from pathlib import Path
from pydantic import BaseModel


class Row(BaseModel):
    pieces: int


class Piece(BaseModel):
    number: int


class Model:
    def load(self, files: Path) -> None:
        pass

    def predict(self, row: Row) -> Iterator[Piece]:
        for number in range(row.pieces):
            time.sleep(0.001)
            yield Piece(number=number)
"""


def test_a_signal_under_load_of_all_kinds_loses_nothing(start: Any) -> None:
    """Batches, jobs and streams at once: whatever was begun is answered whole, and what is refused says so."""
    service = start(
        SUM_MODEL,
        {"streaming.py": STREAMING},
        MODELSHIP_ENTRY="v1=model.py:Model,v2=streaming.py:Model",
        MODELSHIP_QUEUE_MAX_ROWS="1000",
    ).ready()
    port, lock = service.port, threading.Lock()
    counts = {"rows": 0, "jobs": 0, "streams": 0}
    lost: list[Any] = []

    def ask(kind: str, connection: http.client.HTTPConnection) -> bool:
        """Whether to go on."""
        if kind == "streams":
            connection.request("POST", "/v2/predict", b'{"pieces": 20}')
        elif kind == "jobs":
            connection.request("POST", "/v1/jobs", b'{"numbers": [1], "wait": 0.001}')
        else:
            connection.request("POST", "/v1/predict", b'{"rows": [{"numbers": [1], "wait": 0.001}, {"numbers": [2]}]}')
        response = connection.getresponse()
        body = response.read()
        if kind == "streams":
            whole = response.status == 200 and body.count(b'"number"') == 20 and body.endswith(b"data: {}\n\n")
        elif kind == "jobs":
            whole = response.status == 202 or (response.status in (429, 503) and b'"code"' in body)
        else:
            whole = response.status == 200 and b'"total":1.0' in body and b'"total":2.0' in body
        with lock:
            counts[kind] += whole
            if not whole:
                lost.append((kind, response.status, body[-300:]))
        return response.getheader("connection") != "close"

    def client(kind: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            while ask(kind, connection):
                pass
        except Exception as error:
            lost.append((kind, repr(error)))
        finally:
            connection.close()

    clients = [threading.Thread(target=client, args=(kind,)) for kind in ("rows", "rows", "jobs", "streams") * 6]
    for one in clients:
        one.start()
    time.sleep(1.5)
    assert service.end() == 0
    for one in clients:
        one.join()
    assert not lost, lost[:3]
    assert min(counts.values()) > 10, counts
    assert not [event for event in service.events if event["event"] in ("internal_error", "server")]


def test_after_a_stream_that_outlasts_the_signal_the_next_request_is_answered_too(start: Any) -> None:
    """Its head came before the signal and said nothing of an end: the client may send on the same connection."""
    service = start(STREAMING.replace("time.sleep(0.001)", "time.sleep(0.1)")).ready()
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    connection.request("POST", "/v1/predict", b'{"pieces": 15}')
    stream = connection.getresponse()
    assert stream.getheader("connection") != "close"
    service.process.send_signal(signal.SIGTERM)
    assert stream.read().count(b'"number"') == 15
    connection.request("GET", "/v1/model")
    last = connection.getresponse()
    assert (last.status, last.getheader("connection")) == (200, "close")
    last.read()
    assert service.process.wait(10) == 0


def test_the_log_may_go_to_a_file_and_what_is_printed_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(SUM_MODEL)
    env = {**os.environ, "PYTHONPATH": str(PACKAGE), "MODELSHIP_PORT": "0", "PYTHONUNBUFFERED": "1"}
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", "modelship_service"]
        process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=log, stderr=subprocess.PIPE)
        assert process.stderr is not None
        assert process.stderr.readline() == b"loaded by the user's code\n"
        process.terminate()
        assert process.wait(10) == 0, process.stderr.read()
    assert b'"event":"stopped"' in (tmp_path / "log").read_bytes()
