from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import sysconfig
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import SUM_MODEL

MODEL = """
import os
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel


class Input(BaseModel):
    wait: float = 0.0
    fault: str = ""


class Output(BaseModel):
    pid: int


class Model:
    def load(self, files: Path) -> None:
        print("loaded in", os.getpid())

    def predict(self, rows: list[Input]) -> list[Output]:
        print("asked in", os.getpid())
        for row in rows:
            time.sleep(row.wait)
            if row.fault == "exit":
                os._exit(7)
            if row.fault == "raise":
                raise ValueError("secret of the user")
            if row.fault == "function":
                return [lambda: None for _ in rows]
        return [Output(pid=os.getpid()) for _ in rows]
"""

# Threads that a fork would lose: the model cannot be copied.
THREADED = MODEL.replace(
    'print("loaded in", os.getpid())',
    'print("loaded in", os.getpid()); threading.Thread(target=threading.Event().wait, daemon=True).start()',
).replace("import os\n", "import os\nimport threading\n", 1)

STREAM = """
import os
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel


class Input(BaseModel):
    count: int
    wait: float = 0.0


class Output(BaseModel):
    number: int
    pid: int


class Model:
    def load(self, files: Path) -> None:
        pass

    def predict(self, row: Input) -> Iterator[Output]:
        for number in range(row.count):
            time.sleep(row.wait)
            yield Output(number=number, pid=os.getpid())
"""

ARRAYS = """
import os
from pathlib import Path

import numpy as np
from jaxtyping import Float32


class Model:
    def load(self, files: Path) -> None:
        self.weights = np.ones(32 * 1024 * 1024, np.float32)
        print("loaded in", os.getpid())

    def predict(self, x: Float32[np.ndarray, "n k"]) -> Float32[np.ndarray, "n k"]:
        return 2 * x
"""


def workers(service: Any) -> list[int]:
    """The ids of the workers that were started and have not died."""
    began = [one["pid"] for one in service.events if one["event"] == "worker_started"]
    died = {one["pid"] for one in service.events if one["event"] == "worker_died"}
    return [pid for pid in began if pid not in died]


def children(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                status = (folder / "stat").read_text()
            except OSError:
                continue
            if status.rpartition(")")[2].split()[1] == str(pid):
                found.append(int(folder.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone(service: Any, pids: list[int]) -> None:
    service.until(lambda: True if not any(is_alive(pid) for pid in pids) else None, f"the end of {pids}")


def is_ready(service: Any) -> bool:
    return service.ask("GET", "/readyz").status == 200


def loads(service: Any) -> list[int]:
    return [int(line.split()[-1]) for line in service.stderr.splitlines() if line.startswith("loaded in")]


@pytest.fixture(scope="module")
def two(start: Any) -> Any:
    files = {"examples/request.json": "{}"}
    return start(MODEL, files, MODELSHIP_WORKERS="2", MODELSHIP_BATCH_MAX_ROWS="1").ready()


def test_two_workers_answer_at_the_same_time(two: Any) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor() as clients:
        answers = list(clients.map(lambda _: two.predict({"wait": 0.5}), range(2)))
    assert time.monotonic() - began < 0.9
    assert {one.json["pid"] for one in answers} == set(workers(two))


def test_a_model_with_one_thread_is_loaded_once_and_each_worker_warms_up(two: Any) -> None:
    assert len(loads(two)) == 1 and loads(two)[0] not in workers(two)
    asked = {int(line.split()[-1]) for line in two.stderr.splitlines() if line.startswith("asked in")}
    assert asked == set(workers(two))


def test_what_the_model_raises_and_what_it_may_not_return(two: Any) -> None:
    raised, returned = two.predict({"fault": "raise"}), two.predict({"fault": "function"})
    assert (raised.status, raised.code) == (returned.status, returned.code) == (500, "model_error")
    failed = two.event("model_error", reason="ValueError: secret of the user")
    assert failed["traceback"].startswith("Traceback") and "modelship_service" not in failed["traceback"]
    said = "the model's answer cannot leave its process: "
    two.until(
        lambda: next((one for one in two.events if one.get("reason", "").startswith(said)), None),
        "the answer that cannot leave is in the log",
    )
    assert two.predict({}).status == 200


def test_the_metrics_are_of_all_workers(start: Any) -> None:
    service = start(MODEL, MODELSHIP_WORKERS="2", MODELSHIP_BATCH_MAX_ROWS="1").ready()
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: service.predict({"wait": 0.01}), range(40)))
    assert len({one.json["pid"] for one in answers}) == 2
    text = service.ask("GET", "/metrics").body.decode()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(values["modelship_batch_rows_count"]) == float(values["modelship_batch_rows_sum"]) == 40
    assert float(values['modelship_requests_total{method="POST",route="/v1/predict",status="200"}']) == 40
    assert float(values["modelship_queue_rows"]) == 0
    assert float(values["modelship_worker_deaths_total"]) == 0


def test_a_killed_worker_fails_what_it_held_and_comes_back(start: Any) -> None:
    service = start(MODEL, MODELSHIP_WORKERS="2", MODELSHIP_BATCH_MAX_ROWS="1", MODELSHIP_QUEUE_MAX_ROWS="1000").ready()
    victim = workers(service)[0]
    killed = threading.Event()

    def client() -> Counter[int]:
        counts: Counter[int] = Counter()
        while not killed.is_set() or sum(counts.values()) < 50:
            counts[service.predict({"wait": 0.002}).status] += 1
        return counts

    with ThreadPoolExecutor(8) as clients:
        running = [clients.submit(client) for _ in range(8)]
        time.sleep(0.3)
        os.kill(victim, signal.SIGKILL)
        died = service.event("worker_died", pid=victim)
        killed.set()
        counts = sum((one.result() for one in running), Counter())
    assert died["signal"] == "SIGKILL"
    assert set(counts) <= {200, 500} and counts[500] <= 1 and counts[200] >= 399, counts
    service.until(lambda: is_ready(service) or None, "readiness")
    assert len(workers(service)) == 2 and victim not in workers(service)
    text = service.ask("GET", "/metrics").body.decode()
    assert "modelship_worker_deaths_total 1.0" in text


def test_readiness_drops_while_a_worker_is_missing_and_the_other_answers(start: Any) -> None:
    slow = MODEL.replace('print("asked in", os.getpid())', "time.sleep(0.5 if rows[0].fault == 'warm' else 0)")
    service = start(
        slow,
        {"examples/request.json": '{"fault": "warm"}'},
        MODELSHIP_WORKERS="2",
        MODELSHIP_BATCH_MAX_ROWS="1",
    ).ready()
    os.kill(workers(service)[0], signal.SIGKILL)
    service.event("worker_died")
    probe = service.ask("GET", "/readyz")
    assert (probe.status, probe.code, probe.headers["retry-after"]) == (503, "not_ready", "1")
    assert service.ask("GET", "/startupz").status == service.ask("GET", "/healthz").status == 200
    assert service.predict({}).status == 200
    service.until(lambda: is_ready(service) or None, "readiness")


def test_the_nursery_may_be_killed(start: Any) -> None:
    service = start(MODEL, MODELSHIP_WORKERS="2").ready()
    nursery = loads(service)[0]
    os.kill(nursery, signal.SIGKILL)
    service.event("nursery_died", pid=nursery, signal="SIGKILL")
    assert is_ready(service) and service.predict({}).status == 200
    os.kill(workers(service)[0], signal.SIGKILL)
    service.event("worker_died")
    service.until(lambda: is_ready(service) or None, "readiness")
    assert len(loads(service)) == 2 and len(workers(service)) == 2


def test_a_model_that_ends_its_process(start: Any) -> None:
    service = start(MODEL, MODELSHIP_WORKERS="2").ready()
    answer = service.predict({"fault": "exit"})
    assert (answer.status, answer.code) == (500, "model_error")
    assert service.event("worker_died")["exit_code"] == 7
    assert service.event("model_error")["reason"] == "the model's process ended while it worked on this request"
    service.until(lambda: is_ready(service) or None, "readiness")


def test_too_many_deaths_end_it(start: Any) -> None:
    service = start(MODEL, MODELSHIP_WORKERS="2", MODELSHIP_MAX_WORKER_DEATHS="3").ready()
    all_processes = children(service.process.pid)
    while service.process.poll() is None:
        try:
            answer = service.predict({"fault": "exit"})
        except OSError:
            break
        assert answer.code in ("model_error", "not_ready")
    assert service.exit_code() == 4
    assert service.event("workers_failed")["deaths"] == 3
    assert service.event("stopped")["exit_code"] == 4
    assert len([one for one in service.events if one["event"] == "worker_died"]) == 3
    gone(service, all_processes)


def test_a_model_that_dies_while_it_loads(start: Any) -> None:
    service = start(MODEL.replace('print("loaded in", os.getpid())', "os._exit(9)"), MODELSHIP_WORKERS="2")
    assert service.exit_code() == 4
    assert service.event("worker_died")["exit_code"] == 9


def test_a_model_with_threads_is_loaded_by_each_worker(start: Any) -> None:
    service = start(THREADED, MODELSHIP_WORKERS="2", MODELSHIP_BATCH_MAX_ROWS="1").ready()
    assert sorted(loads(service)) == sorted(workers(service))
    os.kill(workers(service)[0], signal.SIGKILL)
    service.event("worker_died")
    service.until(lambda: is_ready(service) or None, "readiness")
    with ThreadPoolExecutor() as clients:
        answers = list(clients.map(lambda _: service.predict({"wait": 0.3}), range(2)))
    assert {one.json["pid"] for one in answers} == set(workers(service))


def test_a_model_on_a_gpu_is_loaded_by_each_worker(start: Any, tmp_path: Path) -> None:
    """Told by CUDA's library in the process, for which any library stands in here."""
    library = next(Path(sysconfig.get_config_var("DESTSHARED")).glob("*.so"))
    shutil.copy(library, tmp_path / "libcuda.so.1")
    model = MODEL.replace("print(", 'ctypes.CDLL(str(files / "libcuda.so.1")); print(', 1)
    model = model.replace("import os\n", "import ctypes\nimport os\n", 1)
    service = start(model, MODELSHIP_FILES=str(tmp_path), MODELSHIP_WORKERS="2").ready()
    assert sorted(loads(service)) == sorted(workers(service))


def test_threads_of_openblas_are_no_reason_to_load_again(start: Any) -> None:
    source = ARRAYS.replace("print(", "assert (np.ones((512, 512)) @ np.ones((512, 512))).sum() == 512**3; print(")
    source = source.replace("return 2 * x", "return x @ (2 * np.eye(x.shape[1], dtype=np.float32))")
    service = start(source, MODELSHIP_WORKERS="2", OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2").ready()
    assert len(loads(service)) == 1 and len(workers(service)) == 2
    row = [float(number) for number in range(1000)]
    with ThreadPoolExecutor() as clients:
        answers = list(clients.map(lambda _: service.predict({"x": row}), range(4)))
    assert [one.json for one in answers] == [{"output": [2 * one for one in row]}] * 4


def test_large_arrays_both_ways_and_weights_in_memory_once(start: Any) -> None:
    service = start(ARRAYS, MODELSHIP_WORKERS="2", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1").ready()
    assert len(loads(service)) == 1
    rows = [{"x": [float(row + column) for column in range(50_000)]} for row in range(4)]
    answer = service.predict({"rows": rows})
    assert answer.status == 200
    assert answer.json["rows"] == [{"output": [2 * one for one in row["x"]]} for row in rows]
    text = service.ask("GET", "/metrics").body.decode()
    memory = next(float(line.split()[1]) for line in text.splitlines() if line.startswith("modelship_memory_bytes"))
    weights = 4 * 32 * 1024 * 1024
    assert weights < memory < 3 * weights


def test_streams_of_two_workers_and_one_that_dies(start: Any) -> None:
    service = start(STREAM, MODELSHIP_WORKERS="2").ready()
    with ThreadPoolExecutor() as clients:
        answers = list(clients.map(lambda _: service.predict({"count": 5, "wait": 0.05}), range(2)))
    pids = set()
    for one in answers:
        assert one.body.count(b"data:") >= 5
        pids |= {line.rpartition(b'"pid":')[2] for line in one.body.splitlines() if b'"pid"' in line}
    assert len(pids) == 2
    before = workers(service)
    with ThreadPoolExecutor() as clients:
        cut = [clients.submit(service.predict, {"count": 100, "wait": 0.05}) for _ in range(2)]
        time.sleep(0.5)
        os.kill(before[0], signal.SIGKILL)
        bodies = [one.result().body for one in cut]
    assert sorted(b"event: error" in body and b"model_error" in body for body in bodies) == [False, True]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("model", [MODEL, THREADED])
def test_no_process_is_left_behind(start: Any, model: str, number: int) -> None:
    service = start(model, MODELSHIP_WORKERS="2", MODELSHIP_DRAIN_S="0.5").ready()
    left = children(service.process.pid)
    assert set(workers(service)) <= set(left)

    def ask() -> None:
        with contextlib.suppress(OSError):
            service.predict({"wait": 60})

    client = threading.Thread(target=ask)
    client.start()
    time.sleep(0.3)
    assert service.end(number) == (0 if number == signal.SIGTERM else -number)
    gone(service, left)
    client.join()


def test_a_signal_while_the_model_loads(start: Any) -> None:
    service = start(MODEL.replace("print(", "time.sleep(60); print("), MODELSHIP_WORKERS="2")
    service.event("listening")
    service.until(lambda: children(service.process.pid) or None, "a process")
    left = children(service.process.pid)
    assert service.end() == 0
    gone(service, left)


def test_a_signal_under_load_loses_nothing_that_was_accepted(start: Any) -> None:
    service = start(SUM_MODEL, MODELSHIP_WORKERS="2", MODELSHIP_QUEUE_MAX_ROWS="1000").ready()
    port, answered, lost = service.port, Counter[bool](), Counter[bytes]()
    body = b'{"numbers": [1], "wait": 0.001}'
    head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"

    def client() -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            stream = connection.makefile("rb")
            while True:
                connection.sendall(head % len(body) + body)
                status = stream.readline()
                close, length = False, 0
                while (line := stream.readline()) not in (b"\r\n", b""):
                    close |= line.lower() == b"connection: close\r\n"
                    if line.lower().startswith(b"content-length:"):
                        length = int(line[15:])
                if status != b"HTTP/1.1 200 OK\r\n" or b'"total":1.0' not in stream.read(length):
                    lost[status] += 1
                    return
                answered[True] += 1
                if close:
                    return

    clients = [threading.Thread(target=client) for _ in range(32)]
    for one in clients:
        one.start()
    time.sleep(1.0)
    assert service.end() == 0
    for one in clients:
        one.join()
    assert not lost and answered[True] > 100, (lost, answered)


@pytest.mark.parametrize(
    ("change", "stage", "reason"),
    [
        (("import os\n", "import os\nimport nowhere_to_be_found\n"), "import", "model.py:3: ModuleNotFoundError: No m"),
        (('print("loaded in", os.getpid())', 'raise OSError("no weights here")'), "load", "OSError: no weights here"),
        (("time.sleep(row.wait)", "1 / 0"), "warm_up", "the model fails on examples/request.json: ZeroDivisionError"),
        (("rows: list[Input]) -> list[Output]", "rows)"), "schema", "the argument rows has no annotation"),
    ],
)
@pytest.mark.parametrize("model", [MODEL, THREADED])
def test_a_model_that_cannot_be_served_is_told_as_with_one_worker(
    start: Any, model: str, change: Any, stage: str, reason: str
) -> None:
    told = []
    for count in ("1", "2"):
        files = {"examples/request.json": "{}"}
        service = start(model.replace(*change, 1), files, MODELSHIP_WORKERS=count)
        assert service.exit_code() == 3
        failed = service.event("model_failed")
        assert failed["stage"] == stage and reason in failed["reason"]
        shown = re.sub(r"project\d+", "project", service.stderr)
        lines = [line for line in shown.splitlines() if not line.startswith(("loaded in", "asked in"))]
        told.append((failed["reason"], lines))
    assert told[0] == told[1]
