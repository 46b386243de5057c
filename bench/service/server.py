"""A server under test: started on one core, asked until it answers rightly, weighed, and stopped."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from environments import RUNTIME
from peers import HERE, Way

START_S = 20.0
STOP_S = 5.0


class Wrong(Exception):
    """It does not start, or answers something else than the model says."""


@dataclass
class Request:
    path: str
    body: Path
    headers: dict[str, str]


class Server:
    def __init__(self, way: Way, scenario: str, environment: Path, cache: Path, core: int, port: int) -> None:
        self.way, self.port = way, port
        if _answers(port):
            raise Wrong(f"something answers at port {port} already")
        data, scratch = cache / "data", cache / "scratch"
        scratch.mkdir(exist_ok=True)
        self.log = cache / "scratch/server.log"
        header_length = data / f"{scenario}.{way.encoding}.header-length"
        filled = {
            "{port}": str(port),
            "{port+1}": str(port + 1),
            "{port+2}": str(port + 2),
            "{files}": str(data),
            "{scratch}": str(scratch),
            "{header_length}": header_length.read_text() if header_length.exists() else "",
        }

        def fill(text: str) -> str:
            for name, value in filled.items():
                text = text.replace(name, value)
            return text

        headers = {"Content-Type": way.content_type, **{name: fill(value) for name, value in way.headers.items()}}
        self.request = Request(way.path, data / f"{scenario}.{way.encoding}", headers)
        self.answer: list[float] = json.loads((data / f"{scenario}.answer.json").read_bytes())
        path = [HERE / "models" / scenario, way.working_directory]
        if way.environment == "modelship":
            path.append(RUNTIME)
        env = {
            **os.environ,
            "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": ":".join(map(str, path)),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "BENCH_FILES": str(data),
            **{name: fill(value) for name, value in way.env.items()},
        }
        with self.log.open("wb") as log:
            self.started = time.perf_counter()
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), *map(fill, way.command)],
                cwd=way.working_directory,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_until_right(self) -> float:
        """Seconds from the start of the process to the first answer, which must be the model's."""
        while True:
            try:
                status, body = self._ask()
            except OSError:
                status, body = 0, b""
            if status == 200:
                taken = time.perf_counter() - self.started
                self._compare(body)
                return taken
            if self.process.poll() is not None or time.perf_counter() - self.started > START_S:
                raise Wrong(f"{self.way.label}: {status} {body[:500]!r}\n{self.log.read_text()[-3000:]}")
            time.sleep(0.005)

    def _ask(self) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_S)
        try:
            connection.request("POST", self.request.path, self.request.body.read_bytes(), self.request.headers)
            response = connection.getresponse()
            return response.status, response.read()
        except http.client.HTTPException as problem:
            raise OSError(problem) from problem
        finally:
            connection.close()

    def _compare(self, body: bytes) -> None:
        found = _numbers(json.loads(body))
        if len(found) != len(self.answer) or any(abs(a - b) > 1e-4 for a, b in zip(found, self.answer, strict=True)):
            raise Wrong(f"{self.way.label} answers {body[:300]!r}, the model {self.answer}")

    def memory(self) -> int:
        """Bytes of it and all its processes; pages that they share count once (proportional set size)."""
        total = 0
        for pid in self._tree():
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        return total

    def cpu(self) -> float:
        """Seconds of the processor that it and all its processes have used."""
        total = 0
        for pid in self._tree():
            try:
                used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
            except OSError:
                continue
            total += sum(map(int, used))
        return total / os.sysconf("SC_CLK_TCK")

    def _tree(self) -> dict[int, int]:
        """Its processes, those that have lost their parent too, and when each started."""
        processes = list(_processes())
        found = {one.pid: one.started for one in processes if self.process.pid in (one.pid, one.session)}
        for _ in processes:
            more = {one.pid: one.started for one in processes if one.parent in found and one.pid not in found}
            if not more:
                break
            found |= more
        return found

    def stop(self) -> None:
        """Returns when all its processes have gone, and with them the port."""
        tree = self._tree()
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        until = time.monotonic() + STOP_S
        # A process whose first thread has ended counts as ended, though others may still hold the port for a moment.
        while (left := _still(tree | self._tree())) or _answers(self.port):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > until:
                raise Wrong(f"{self.way.label} does not end")
            time.sleep(0.01)
        self.process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class _Process(NamedTuple):
    pid: int
    parent: int
    session: int
    started: int  # in ticks


def _processes() -> Iterator[_Process]:
    """All that have not ended."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue
            values = stat.rpartition(")")[2].split()
            if values[0] != "Z":
                yield _Process(int(folder.name), int(values[1]), int(values[3]), int(values[19]))


def _still(tree: dict[int, int]) -> list[int]:
    """Those that run. A process that has got the number of one meanwhile has started at another time."""
    now = {one.pid: one.started for one in _processes()}
    return [pid for pid, started in tree.items() if now.get(pid) == started]


def _numbers(answer: Any) -> list[float]:
    """The model's numbers, from any of the servers' ways of writing them."""
    if isinstance(answer, list):
        return _numbers(answer[0])
    for name in ("probabilities", "means", "output"):
        if name in answer:
            return answer[name] if isinstance(answer[name][0], float) else answer[name][0]
    for output in answer["outputs"]:
        if output["name"] != "digit":
            return [number for one in output["data"] for number in (one if isinstance(one, list) else [one])]
    raise Wrong(f"no numbers in {answer}")
