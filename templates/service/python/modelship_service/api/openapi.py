"""The OpenAPI document, from the user's types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec

from modelship_service.api.openai.document import openai_paths
from modelship_service.schema.methods import Method
from modelship_service.schema.schema import Schema
from modelship_service.settings import Settings


class Described(Protocol):
    """What the document has to know of an API version."""

    @property
    def api(self) -> str: ...

    @property
    def schema(self) -> Schema: ...

    @property
    def methods(self) -> Mapping[str, Method]: ...

    @property
    def example(self) -> Any: ...


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
    401: "An API key is needed.",
    403: "The API key may not do this.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body has a type or an encoding that is not supported.",
    422: "The input breaks a rule of its schema; `details` names the path and the rule.",
    429: "A limit of the key, or too many rows are waiting; `Retry-After` says for how long.",
    500: "The model failed.",
    503: "The model is not ready.",
    504: "The model took too long.",
}


_KEY = {401: _PREDICT_ERRORS[401], 403: _PREDICT_ERRORS[403], 429: _PREDICT_ERRORS[429]}
_NOT_READY = {503: "The model is not ready."}
_REF = "#/components/schemas/"


def openapi(settings: Settings, apis: Iterable[Described], keys: bool) -> bytes:
    """One document for all API versions, which the routes keep to. `keys`: requests need one."""
    definitions: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    parts = []
    methods: dict[str, Method] = {}
    for described in apis:
        methods |= described.methods
        parts.append((described, *_adopt(described.schema, described.api, definitions)))
    error = _define("Error", _ERROR, definitions)
    about = _define("Model", _MODEL, definitions)
    job = _define("Job", _JOB, definitions)
    operations = _Operations(error)
    for described, input_ref, output_ref in parts:
        paths |= operations.of_version(described, input_ref, output_ref, about, job)
    paths |= openai_paths(settings.name, methods, definitions)
    paths |= operations.of_service()
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": settings.name, "version": settings.version},
        "paths": paths,
        "components": {"schemas": definitions},
    }
    if keys:
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        document["security"] = [{"bearer": []}, {"key": []}]
    return msgspec.json.encode(document)


class _Operations:
    def __init__(self, error: dict[str, Any]) -> None:
        self._error = {"application/json": {"schema": error}}

    def of_version(self, described: Described, input_ref: Any, output_ref: Any, about: Any, job: Any) -> dict[str, Any]:
        api, schema = described.api, described.schema
        card = self._get("What is served.", "Name, version and schemas.", about, _KEY | _NOT_READY)
        if "predict" not in described.methods:
            return {f"/{api}/model": card}
        body: dict[str, Any] = {"schema": _one_or_many(schema, input_ref, limits=True)}
        if described.example is not None:
            body["example"] = described.example
        request = {"required": True, "content": {"application/json": body}}
        output = {"schema": _one_or_many(schema, output_ref)}
        success: dict[str, Any] = {"application/json": output}
        if schema.streams:
            every = {"pieces": {"type": "array", "items": output_ref}}
            pieces = {"type": "object", "required": ["pieces"], "properties": every}
            success = {"text/event-stream": {"schema": {"type": "string"}}, "application/json": {"schema": pieces}}
        made = {"application/json": {"schema": job}}
        number = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
        gone = {404: "There is no such job, or no more."}
        job_errors = {status: _PREDICT_ERRORS[status] for status in (400, 401, 403, 408, 413, 415, 422, 429, 503)}
        return {
            f"/{api}/predict": {
                "post": {
                    "summary": 'Predict for one row, or for many as {"rows": [...]}.',
                    "operationId": f"predict_{api}",
                    "requestBody": request,
                    "responses": self._answers(
                        200, "One output for one row; for many, as many in the same order.", success, _PREDICT_ERRORS
                    ),
                }
            },
            f"/{api}/model": card,
            f"/{api}/jobs": {
                "post": {
                    "summary": "Predict without waiting for it.",
                    "operationId": f"start_job_{api}",
                    "requestBody": request,
                    "responses": self._answers(202, "The job, which is waiting.", made, job_errors),
                }
            },
            f"/{api}/jobs/{{id}}": {
                "parameters": [number],
                "get": {
                    "summary": "How a job stands, and its result.",
                    "operationId": f"job_{api}",
                    "responses": self._answers(200, "The job.", made, _KEY | gone),
                },
                "delete": {
                    "summary": "Cancel a job, or forget its result.",
                    "operationId": f"end_job_{api}",
                    "responses": self._answers(200, "The job as it was left.", made, _KEY | gone),
                },
            },
        }

    def of_service(self) -> dict[str, Any]:
        any_object = {"type": "object"}
        open_to_all: list[Any] = []
        paths = {
            "/openapi.json": self._get("This document.", "An OpenAPI document.", any_object, _KEY | _NOT_READY),
            "/healthz": self._get("Is the process alive?", "It is.", any_object, {}),
            "/startupz": self._get("Is loading over?", "It is.", any_object, _NOT_READY),
            "/readyz": self._get("Can it predict?", "It can.", any_object, _NOT_READY),
        }
        for probe in ("/healthz", "/startupz", "/readyz"):
            paths[probe]["get"]["security"] = open_to_all
        return paths

    def _get(self, summary: str, success: str, schema: Any, errors: dict[int, str]) -> dict[str, Any]:
        content = {"application/json": {"schema": schema}}
        return {"get": {"summary": summary, "responses": self._answers(200, success, content, errors)}}

    def _answers(self, status: int, success: str, content: Any, errors: dict[int, str]) -> dict[str, Any]:
        wrong = {str(code): {"description": text, "content": self._error} for code, text in errors.items()}
        return {str(status): {"description": success, "content": content}, **wrong}


_MODEL = {
    "type": "object",
    "required": ["name", "version", "api", "kind", "input", "output", "max_rows"],
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "string"},
        "api": {"type": "string"},
        "kind": {"enum": ["rows", "arrays", "chat", "complete", "embed"]},
        "image_digest": {"type": ["string", "null"]},
        "methods": {"type": "array", "items": {"type": "string"}},
        "streams": {"type": "boolean"},
        "input": {"type": "object", "description": "JSON Schema of one input row."},
        "output": {"type": "object", "description": "JSON Schema of one output row."},
        "inputs": {"type": "array", "items": {"type": "object"}, "description": "The inputs as tensors."},
        "outputs": {"type": "array", "items": {"type": "object"}, "description": "The outputs as tensors."},
        "max_rows": {"type": "integer"},
        "files": {"type": "array", "items": {"type": "object"}, "description": "Model files with their SHA-256."},
        "example": {"description": "A request that works, or null."},
    },
}

_JOB = {
    "type": "object",
    "required": ["id", "status", "created", "expires"],
    "properties": {
        "id": {"type": "string"},
        "status": {"enum": ["queued", "succeeded", "failed", "cancelled"]},
        "created": {"type": "string", "format": "date-time"},
        "expires": {"type": ["string", "null"], "format": "date-time"},
        "result": {"description": "What /predict would have answered; once it has succeeded."},
        "error": {"type": "object", "description": "As in an error's answer; when it has failed."},
    },
}


def _adopt(schema: Schema, api: str, definitions: dict[str, Any]) -> tuple[Any, Any]:
    """Take over a schema's definitions, under other names where versions differ; its references, made to fit."""
    renamed = {
        name: name if definitions.get(name, one) == one else f"{name}{api.upper()}"
        for name, one in schema.definitions.items()
    }
    text = json.dumps([schema.definitions, schema.input_ref, schema.output_ref])
    for name, new in renamed.items():
        text = text.replace(f'"{_REF}{name}"', f'"{_REF}{new}"')
    taken, input_ref, output_ref = json.loads(text)
    definitions |= {renamed[name]: one for name, one in taken.items()}
    return input_ref, output_ref


def _define(name: str, schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A definition of ours, under a name that no type of the user's has."""
    while name in definitions:
        name = f"Service{name}"
    definitions[name] = schema
    return {"$ref": f"{_REF}{name}"}


def _one_or_many(schema: Schema, ref: dict[str, Any], limits: bool = False) -> dict[str, Any]:
    rows: dict[str, Any] = {"type": "array", "items": ref}
    if limits:
        rows |= {"minItems": 1, "maxItems": schema.max_rows}
    many = {"type": "object", "required": ["rows"], "properties": {"rows": rows}}
    return many if schema.envelope_only else {"anyOf": [ref, many]}
