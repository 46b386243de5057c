"""The service under test: one that runs already, or one of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Running

from .client import Caller

HERE = Path(__file__).resolve().parent
ENTRY = "v1=model.py:Model,v2=model.py:Counter"


@pytest.fixture(scope="module")
def url(request: pytest.FixtureRequest) -> str:
    given = os.environ.get("MODELSHIP_TEST_URL")
    if given:
        return given
    start: Callable[..., Running] = request.getfixturevalue("start")
    project = HERE / "project"
    files = {str(path.relative_to(project)): path.read_text() for path in project.rglob("*") if path.is_file()}
    settings: dict[str, Any] = {"MODELSHIP_API_KEYS": (HERE / "keys.json").read_text(), "MODELSHIP_FILES": "model"}
    service = start(None, files, MODELSHIP_ENTRY=ENTRY, MODELSHIP_NAME="contract", **settings).ready()
    return f"http://127.0.0.1:{service.port}"


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
