"""What the linter and the type checker hold against the package: nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PACKAGE


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--no-cache", "."],
        ["ruff", "format", "--no-cache", "--check", "modelship_service"],
        ["mypy", "--cache-dir", "CACHE"],
    ],
    ids=["lint", "format", "types"],
)
def test_there_is_nothing_to_complain_about(command: list[str], tmp_path: Path) -> None:
    command = [str(tmp_path) if part == "CACHE" else part for part in command]
    done = subprocess.run([sys.executable, "-m", *command], cwd=PACKAGE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
