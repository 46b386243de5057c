"""What the service says about itself: its OpenAPI document and its model card, from the user's types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from modelship_service.errors import ApiError
from modelship_service.observe.logs import Log
from modelship_service.schema.rows import RowSchema
from modelship_service.settings import Settings

_EXAMPLE_FILE = "examples/request.json"
_EXAMPLE_BYTES = 64 * 1024

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "request_id"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["path", "rule", "type"],
                        "properties": {
                            "path": {"type": "string"},
                            "rule": {"type": "string"},
                            "type": {"type": "string"},
                        },
                    },
                },
                "request_id": {"type": "string"},
            },
        }
    },
}

_PREDICT_ERRORS = {
    400: "The body is not JSON.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body has a type or an encoding that is not supported.",
    422: "The input breaks a rule of its schema; `details` names the path and the rule.",
    429: "Too many rows are waiting; `Retry-After` says for how long.",
    500: "The model failed.",
    503: "The model is not ready.",
    504: "The model took too long.",
}


class Document:
    """Both documents, encoded once."""

    def __init__(self, settings: Settings, schema: RowSchema, example: Any) -> None:
        self.openapi = msgspec.json.encode(_openapi(settings, schema, example))
        self.model = msgspec.json.encode(model_card(settings, schema))


def model_card(settings: Settings, schema: RowSchema) -> dict[str, Any]:
    return {
        "name": settings.name,
        "version": settings.version,
        "input": schema.input_type.model_json_schema(mode="validation"),
        "output": schema.output_type.model_json_schema(mode="serialization"),
        "max_rows": schema.max_rows,
    }


def read_example(project: Path, schema: RowSchema, log: Log) -> Any:
    """The project's example request, when it has one that its own types accept."""
    path = project / _EXAMPLE_FILE
    try:
        if not path.is_file() or path.stat().st_size > _EXAMPLE_BYTES:
            return None
        text = path.read_bytes()
        schema.decode(text)
        return msgspec.json.decode(text)
    except ApiError as error:
        problem = error.message
    except (OSError, msgspec.DecodeError) as error:
        problem = str(error)
    log.write("warning", "example_ignored", file=_EXAMPLE_FILE, reason=problem)
    return None


def _openapi(settings: Settings, schema: RowSchema, example: Any) -> dict[str, Any]:
    names = {"error": _free_name("Error", schema), "about": _free_name("Model", schema)}
    definitions = {**schema.definitions, names["error"]: _ERROR, names["about"]: _MODEL}
    error = {"application/json": {"schema": {"$ref": f"#/components/schemas/{names['error']}"}}}

    def answers(success: str, content: dict[str, Any], errors: dict[int, str]) -> dict[str, Any]:
        good = {"200": {"description": success, "content": content}}
        return good | {str(status): {"description": text, "content": error} for status, text in errors.items()}

    def get(summary: str, success: str, content: dict[str, Any], errors: dict[int, str]) -> dict[str, Any]:
        return {"get": {"summary": summary, "responses": answers(success, content, errors)}}

    about = {"application/json": {"schema": {"$ref": f"#/components/schemas/{names['about']}"}}}
    any_object = {"application/json": {"schema": {"type": "object"}}}
    loading = {503: "The model is not ready."}
    body: dict[str, Any] = {"schema": _one_or_many(schema, schema.input_ref, limits=True)}
    if example is not None:
        body["example"] = example
    return {
        "openapi": "3.1.0",
        "info": {"title": settings.name, "version": settings.version},
        "paths": {
            "/v1/predict": {
                "post": {
                    "summary": 'Predict for one row, or for many as {"rows": [...]}.',
                    "operationId": "predict",
                    "requestBody": {"required": True, "content": {"application/json": body}},
                    "responses": answers(
                        "One output for one row; for many, as many in the same order.",
                        {"application/json": {"schema": _one_or_many(schema, schema.output_ref)}},
                        _PREDICT_ERRORS,
                    ),
                }
            },
            "/v1/model": get("What is served.", "Name, version and schemas.", about, loading),
            "/openapi.json": get("This document.", "An OpenAPI document.", any_object, loading),
            "/healthz": get("Is the process alive?", "It is.", any_object, {}),
            "/readyz": get("Can it predict?", "It can.", any_object, loading),
        },
        "components": {"schemas": definitions},
    }


_MODEL = {
    "type": "object",
    "required": ["name", "version", "input", "output", "max_rows"],
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "string"},
        "input": {"type": "object", "description": "JSON Schema of one input row."},
        "output": {"type": "object", "description": "JSON Schema of one output row."},
        "max_rows": {"type": "integer"},
    },
}


def _one_or_many(schema: RowSchema, ref: dict[str, Any], limits: bool = False) -> dict[str, Any]:
    rows: dict[str, Any] = {"type": "array", "items": ref}
    if limits:
        rows |= {"minItems": 1, "maxItems": schema.max_rows}
    many = {"type": "object", "required": ["rows"], "properties": {"rows": rows}}
    return many if schema.envelope_only else {"anyOf": [ref, many]}


def _free_name(name: str, schema: RowSchema) -> str:
    while name in schema.definitions:
        name = f"Service{name}"
    return name
