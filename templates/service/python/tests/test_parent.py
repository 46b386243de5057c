"""The service under `modelship dev`: it ends when whoever started it is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).resolve().parents[1]
MODEL = """
import sys
from pathlib import Path
from pydantic import BaseModel


class Row(BaseModel):
    value: float


class Model:
    def load(self, files: Path) -> None:
        print("stdin:", sys.stdin.read() or "empty", file=sys.stderr)

    def predict(self, rows: list[Row]) -> list[Row]:
        return rows
"""


def start(project: Path, **variables: str) -> subprocess.Popen[bytes]:
    (project / "model.py").write_text(MODEL)
    return subprocess.Popen(
        [sys.executable, "-m", "modelship_service"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(PACKAGE), "MODELSHIP_PORT": "0", **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def until(process: subprocess.Popen[bytes], event: str) -> dict[str, Any]:
    assert process.stdout is not None
    for line in process.stdout:
        entry: dict[str, Any] = json.loads(line)
        if entry["event"] == event:
            return entry
    raise AssertionError(f"it ended before {event}")


def test_ends_as_on_a_signal_when_stdin_does(tmp_path: Path) -> None:
    process = start(tmp_path, MODELSHIP_END_WITH_STDIN="1")
    assert process.stdin is not None and process.stderr is not None
    until(process, "ready")
    process.stdin.close()
    assert until(process, "draining")["signal"] == "SIGTERM"
    assert until(process, "stopped")["exit_code"] == 0
    assert process.wait(10) == 0
    assert b"stdin: empty" in process.stderr.read()


@pytest.mark.parametrize("value", ["", "0"])
def test_goes_on_without_stdin_unless_told_to_end(tmp_path: Path, value: str) -> None:
    process = start(tmp_path, MODELSHIP_END_WITH_STDIN=value)
    assert process.stdin is not None
    process.stdin.close()
    until(process, "ready")
    assert process.poll() is None
    process.terminate()
    assert process.wait(10) == 0
