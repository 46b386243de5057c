"""A real service in a process of its own, for tests that ask it over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes depends on what else the machine does, and says nothing of the code.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

PACKAGE = Path(__file__).resolve().parents[1]
PATIENCE_S = 20.0
PYTHON = (sys.executable, "-m", "modelship_service")

SUM_MODEL = """
import time
from pathlib import Path
from typing import Optional
from pydantic import BaseModel, Field


class Input(BaseModel):
    numbers: list[float] = Field(min_length=1, max_length=64)
    label: str = ""
    wait: float = 0.0
    fault: str = ""


class Output(BaseModel):
    total: float
    label: str
    note: Optional[str] = None


class Model:
    def load(self, files: Path) -> None:
        print("loaded by the user's code")

    def predict(self, rows: list[Input]) -> list[Output]:
        for row in rows:
            time.sleep(row.wait)
            if row.fault == "raise":
                raise ValueError("secret of the user")
            if row.fault == "exit":
                raise SystemExit(9)
            if row.fault == "stop":
                raise StopIteration
            if row.fault == "count":
                return []
            if row.fault == "type":
                return [{"total": "many"} for _ in rows]
            if row.fault == "none":
                return None
            if row.fault == "dict":
                return [{"total": 1, "label": "d"} for _ in rows]
            if row.fault == "nan":
                return [Output(total=float("nan"), label="") for _ in rows]
            if row.fault == "surrogate":
                return [Output.model_construct(total=1.0, label="\\ud800") for _ in rows]
        return [Output(total=sum(row.numbers), label=row.label) for row in rows]
"""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json["error"]["code"]


class Running:
    """A service that was started, and what it has said so far."""

    def __init__(self, project: Path, command: Sequence[str] = PYTHON, **settings: str) -> None:
        env = {key: value for key, value in os.environ.items() if not key.startswith("MODELSHIP_")}
        env |= {"PYTHONPATH": str(PACKAGE), "MODELSHIP_HOST": "127.0.0.1", "MODELSHIP_PORT": "0", **settings}
        self.process = subprocess.Popen(
            command,
            cwd=project,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.lines: list[bytes] = []
        self._errors: list[bytes] = []
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.lines), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self._errors), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, into: list[bytes]) -> None:
        into.extend(iter(stream.readline, b""))

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in list(self.lines)]

    @property
    def stderr(self) -> str:
        return b"".join(self._errors).decode()

    def event(self, name: str, **having: Any) -> dict[str, Any]:
        return self.until(
            lambda: next(
                (one for one in self.events if one["event"] == name and having.items() <= one.items()),
                None,
            ),
            f"event {name} {having}",
        )

    def until(self, check: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if (found := check()) is not None:
                return found
            time.sleep(0.01)
        raise AssertionError(f"waited for {what}: {self.lines} {self.stderr}")

    @property
    def port(self) -> int:
        return self.event("listening")["port"]

    def ready(self) -> Running:
        self.event("ready")
        return self

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def predict(self, value: Any, **headers: str) -> Answer:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.ask("POST", "/v1/predict", body, {"content-type": "application/json", **headers})

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.exit_code()

    def exit_code(self) -> int:
        code = self.process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join(PATIENCE_S)
        return code


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Running]]:
    """Start a service for a model's source; it is gone when the module's tests are done."""
    started: list[Running] = []

    def start_one(
        model: str | None = SUM_MODEL,
        files: dict[str, str] | None = None,
        command: Sequence[str] = PYTHON,
        **settings: str,
    ) -> Running:
        project = tmp_path_factory.mktemp("project")
        for name, text in {**({"model.py": model} if model is not None else {}), **(files or {})}.items():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text)
        started.append(Running(project, command, **settings))
        return started[-1]

    yield start_one
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.exit_code()


@pytest.fixture(scope="module")
def service(start: Callable[..., Running]) -> Running:
    example = json.dumps({"numbers": [1, 2], "label": "example"})
    return start(files={"examples/request.json": example}, MODELSHIP_NAME="sums", MODELSHIP_VERSION="1.2.0").ready()
