"""What the service says of itself: card, document, pages and metrics."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from .client import Caller
from .test_requests import GOOD

FILES = Path(__file__).parent / "project" / "model"
OPERATIONS = {"get", "post", "put", "delete", "head", "patch"}


def test_the_card_says_what_is_served_and_of_which_files(caller: Caller) -> None:
    card = caller.get("/v1/model").json
    content = (FILES / "greeting.txt").read_bytes()
    assert card["files"] == [
        {"path": "greeting.txt", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    ]
    assert (card["api"], card["kind"], card["streams"], card["max_rows"]) == ("v1", "rows", False, 1024)
    assert card["input"]["required"] == ["point"]
    assert set(card["output"]["properties"]) == {"total", "doubled", "greeting"}
    assert "predict" in card["methods"]
    assert caller.predict(card["example"]).json["greeting"] == "hello example"
    second = caller.get("/v2/model").json
    assert (second["api"], second["streams"], second["version"]) == ("v2", True, card["version"])


def test_the_document_is_whole(caller: Caller) -> None:
    document = caller.get("/openapi.json").json
    assert document["openapi"].startswith("3.1.")
    assert {"title", "version"} <= document["info"].keys()
    schemas = document["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document))) <= set(schemas)
    assert {"Input", "Output", "Count", "Number"} <= set(schemas)
    assert {"/v1/predict", "/v2/predict", "/v1/jobs/{id}"} <= document["paths"].keys()
    named = []
    for path, item in document["paths"].items():
        for method in OPERATIONS & item.keys():
            operation = item[method]
            named += [operation["operationId"]] if "operationId" in operation else []
            assert all(re.fullmatch("[1-5][0-9]{2}", status) for status in operation["responses"])
            assert all(answer["description"] for answer in operation["responses"].values())
            given = {one["name"] for one in [*item.get("parameters", []), *operation.get("parameters", [])]}
            assert set(re.findall(r"{(\w+)}", path)) <= given
    assert len(named) == len(set(named))


def test_each_operation_of_the_document_is_there_and_wants_a_key_where_it_says_so(caller: Caller) -> None:
    document = caller.get("/openapi.json").json
    schemes = document["components"]["securitySchemes"]
    for path, item in document["paths"].items():
        for method in OPERATIONS & item.keys():
            wanted = item[method].get("security", document.get("security", []))
            assert all(scheme in schemes for one in wanted for scheme in one)
            closed = bool(wanted) and {} not in wanted
            asked = caller.stranger().ask(method.upper(), path.replace("{", "").replace("}", ""))
            assert (asked.status == 401) == closed, (method, path)
            assert asked.status not in (404, 405), (method, path)


def answered(caller: Caller, path: str) -> int:
    """The status of what the document gives as an example."""
    operation = caller.get("/openapi.json").json["paths"][path]["post"]
    return caller.post(path, operation["requestBody"]["content"]["application/json"]["example"]).status


def test_the_example_of_the_document_is_answered(caller: Caller) -> None:
    assert answered(caller, "/v1/predict") == 200


@pytest.mark.openai
def test_chat_and_embeddings_are_in_the_document_and_on_the_card(caller: Caller) -> None:
    assert {"chat", "embed"} <= set(caller.get("/v1/model").json["methods"])
    assert answered(caller, "/v1/chat/completions") == 200
    assert answered(caller, "/v1/embeddings") == 200


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_pages_run_nothing_but_their_own_script_and_ask_for_a_key(caller: Caller, path: str) -> None:
    page, locked = caller.get(path), caller.stranger().get(path)
    assert (page.status, locked.status) == (200, 401)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.body == locked.body
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ") and "script-src 'sha256-" in policy
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert not re.search(rb'(src|href)="(https?:)?//', page.body)


def test_the_metrics_count_by_route_and_name_nothing_that_a_request_brought(caller: Caller) -> None:
    admin = caller.named("admin")
    sample = 'modelship_requests_total{method="POST",route="/v1/predict",status="200"}'
    before = value_of(admin, sample)
    caller.predict(GOOD)
    caller.predict({**GOOD, "name": "canary"}, **{"x-request-id": "canary"})
    caller.get("/canary")
    assert value_of(admin, sample) == before + 2
    answer = admin.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    text = answer.body.decode()
    for name in ("request_seconds_bucket", "queue_seconds_bucket", "batch_rows_bucket", "memory_bytes", "in_flight"):
        assert f"\nmodelship_{name}" in text
    assert "canary" not in text


def value_of(admin: Caller, sample: str) -> float:
    """0 while there is no such sample."""
    found = re.search(rf"^{re.escape(sample)} (\S+)$", admin.get("/metrics").body.decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0
