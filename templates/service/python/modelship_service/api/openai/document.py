"""OpenAI's routes in the OpenAPI document: those that a model has, with the options that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from modelship_service.api.openai.requests import ChatCompletionRequest, CompletionRequest, EmbeddingRequest
from modelship_service.schema.methods import Method

_REF = "#/components/schemas/"
# Fields that are the service's own affair: every model has them.
_ALWAYS = frozenset(
    {"model", "messages", "prompt", "input", "stream", "stream_options", "n", "user", "encoding_format"}
)
_ERRORS = {
    400: "The request is not JSON, breaks a rule, or asks for what is not supported; `param` names the path.",
    401: "An API key is needed.",
    403: "The API key may not do this.",
    404: "There is no such model.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body has a type or an encoding that is not supported.",
    429: "A limit of the key, or the model is too busy; `Retry-After` says for how long.",
    500: "The model failed.",
    503: "The model is not ready.",
    504: "The model took too long.",
}
_ASKED = (401, 403, 404, 429, 503)


def openai_paths(name: str, methods: Mapping[str, Method], definitions: dict[str, Any]) -> dict[str, Any]:
    """Paths for the methods of a model. Adds to `definitions` what they refer to."""
    operations: dict[str, tuple[str, type, str, Any, dict[str, Any]]] = {
        "chat": ("/v1/chat/completions", ChatCompletionRequest, "Answer a conversation.", _CHAT, _HELLO),
        "complete": ("/v1/completions", CompletionRequest, "Go on with a text.", _COMPLETION, {"prompt": "Once"}),
        "embed": ("/v1/embeddings", EmbeddingRequest, "Vectors of texts.", _EMBEDDINGS, {"input": ["Hello"]}),
    }
    asked = [method for method in operations if method in methods]
    if not asked:
        return {}
    prefix = _free_prefix(definitions)
    requests = [operations[method][1] for method in asked]
    refs, components = msgspec.json.schema_components(requests, ref_template=f"{_REF}{prefix}{{name}}")
    paths: dict[str, Any] = {}
    for method, ref in zip(asked, refs, strict=True):
        path, request, summary, answer, example = operations[method]
        _keep(components[request.__name__]["properties"], methods[method])
        body = {"schema": ref, "example": {"model": name, **example}}
        content: dict[str, Any] = {"application/json": {"schema": answer}}
        if method != "embed":
            content["text/event-stream"] = {"schema": {"type": "string"}}
        paths[path] = {
            "post": {
                "summary": summary,
                "operationId": f"openai_{method}",
                "requestBody": {"required": True, "content": {"application/json": body}},
                "responses": _answers(prefix, content, _ERRORS),
            }
        }
    errors = {status: _ERRORS[status] for status in _ASKED}
    paths["/v1/models"] = {"get": _get("The models that a request may name.", _MODELS, prefix, errors)}
    paths["/v1/models/{id}"] = {
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
        "get": _get("One model.", _MODEL, prefix, errors),
    }
    definitions |= {f"{prefix}{key}": one for key, one in components.items()}
    definitions[f"{prefix}Error"] = _ERROR
    return paths


def _free_prefix(definitions: Mapping[str, Any]) -> str:
    """Before our names, so that no type of the user's has one of them."""
    prefix = "OpenAI"
    while any(name.startswith(prefix) for name in definitions):
        prefix = f"Service{prefix}"
    return prefix


def _keep(properties: dict[str, Any], method: Method) -> None:
    taken = _ALWAYS | method.options
    if "max_tokens" in taken:
        taken |= {"max_completion_tokens"}
    for name in properties.keys() - taken:
        del properties[name]


def _get(summary: str, schema: Any, prefix: str, errors: Mapping[int, str]) -> dict[str, Any]:
    return {"summary": summary, "responses": _answers(prefix, {"application/json": {"schema": schema}}, errors)}


def _answers(prefix: str, content: Any, errors: Mapping[int, str]) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": f"{_REF}{prefix}Error"}}}
    wrong = {str(status): {"description": text, "content": error} for status, text in errors.items()}
    return {"200": {"description": "The answer.", "content": content}, **wrong}


def _object(optional: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": {**properties, **(optional or {})}}


_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
_MAYBE = {"type": ["string", "null"]}
_HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
_USAGE = {"usage": _object(prompt_tokens=_NUMBER, total_tokens=_NUMBER, optional={"completion_tokens": _NUMBER})}
_CALL = _object(id=_TEXT, type=_TEXT, function=_object(name=_TEXT, arguments=_TEXT))
_MESSAGE = _object({"tool_calls": {"type": "array", "items": _CALL}}, role={"const": "assistant"}, content=_MAYBE)


def _generated(kind: str, **said: Any) -> dict[str, Any]:
    choice = _object(index=_NUMBER, finish_reason=_TEXT, **said)
    choices = {"type": "array", "items": choice}
    return _object(_USAGE, id=_TEXT, object={"const": kind}, created=_NUMBER, model=_TEXT, choices=choices)


_CHAT = _generated("chat.completion", message=_MESSAGE)
_COMPLETION = _generated("text_completion", text=_TEXT)
_VECTOR = {"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "string", "contentEncoding": "base64"}]}
_EMBEDDINGS = _object(
    _USAGE,
    object={"const": "list"},
    model=_TEXT,
    data={"type": "array", "items": _object(object={"const": "embedding"}, index=_NUMBER, embedding=_VECTOR)},
)
_MODEL = _object(id=_TEXT, object={"const": "model"}, created=_NUMBER, owned_by=_TEXT)
_MODELS = _object(object={"const": "list"}, data={"type": "array", "items": _MODEL})
_ERROR = _object(error=_object(message=_TEXT, type=_TEXT, param=_MAYBE, code=_TEXT))
