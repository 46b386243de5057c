"""The service under test: one that runs already, or one of this machine.

MODELSHIP_TEST_RUNTIME says which: python, or node for what is compiled of templates/service/node. That one has no chat
and no embeddings: `-m "not openai"`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import PYTHON, Running

from .client import Caller

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[4]
NODE_PROJECT = ROOT / "templates/service/node/tests/contract"


@pytest.fixture(scope="module")
def url(request: pytest.FixtureRequest) -> str:
    given = os.environ.get("MODELSHIP_TEST_URL")
    if given:
        return given
    start: Callable[..., Running] = request.getfixturevalue("start")
    files = texts(HERE / "project")
    command, language = PYTHON, "py"
    if os.environ.get("MODELSHIP_TEST_RUNTIME", "python") == "node":
        files |= texts(NODE_PROJECT)
        command, language = ("node", str(ROOT / "dist/service-node/main.js")), "js"
    entry = f"v1=model.{language}:Model,v2=model.{language}:Counter"
    settings: dict[str, Any] = {"MODELSHIP_API_KEYS": (HERE / "keys.json").read_text(), "MODELSHIP_FILES": "model"}
    service = start(None, files, command, MODELSHIP_ENTRY=entry, MODELSHIP_NAME="contract", **settings).ready()
    return f"http://127.0.0.1:{service.port}"


def texts(project: Path) -> dict[str, str]:
    return {str(path.relative_to(project)): path.read_text() for path in project.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def key() -> str:
    return os.environ.get("MODELSHIP_TEST_KEY") or "a-key-of-the-contract"


@pytest.fixture(scope="module")
def caller(url: str, key: str) -> Caller:
    return Caller(url, key)


@pytest.fixture(scope="module")
def stranger(caller: Caller) -> Caller:
    return caller.stranger()


@pytest.fixture(scope="module")
def name(caller: Caller) -> str:
    """What the model is called."""
    return str(caller.get("/v1/model").json["name"])
