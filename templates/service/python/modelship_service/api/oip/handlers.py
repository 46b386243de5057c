"""The routes of the Open Inference Protocol, version 2, and of the extensions that its clients use."""

from __future__ import annotations

import msgspec

from modelship_service.api.oip import models
from modelship_service.api.oip.generate import generate, generate_stream
from modelship_service.errors import ApiError
from modelship_service.http import body as bodies
from modelship_service.http.request import Request
from modelship_service.http.response import Response, json_response
from modelship_service.http.router import Route
from modelship_service.service import Service

_LENGTH = b"inference-header-content-length"
_EXTENSIONS = ["binary_tensor_data", "model_configuration", "model_repository", "statistics", "generate"]


async def server(service: Service, request: Request) -> Response:
    settings = service.settings
    return json_response({"name": settings.name, "version": settings.version, "extensions": _EXTENSIONS})


async def live(service: Service, request: Request) -> Response:
    return Response(200, b'{"live":true}')


async def ready(service: Service, request: Request) -> Response:
    if service.state != "ready":
        raise service.not_ready()
    return Response(200, b'{"ready":true}')


async def model_list(service: Service, request: Request) -> Response:
    return json_response({"models": [service.settings.name]})


async def model(service: Service, request: Request) -> Response:
    return json_response(models.metadata(service, models.asked_for(service, request)))


async def model_ready(service: Service, request: Request) -> Response:
    models.asked_for(service, request)
    if service.state != "ready":
        raise service.not_ready()
    return json_response({"name": service.settings.name, "ready": True})


async def config(service: Service, request: Request) -> Response:
    return json_response(models.config(service, models.asked_for(service, request)))


async def statistics(service: Service, request: Request) -> Response:
    if "version" in request.params:
        versions = [models.number(models.asked_for(service, request))]
    else:
        if "model" in request.params:
            models.check_name(service, request)
        versions = models.numbers(service)
    return json_response({"model_stats": models.statistics(service, versions)})


async def index(service: Service, request: Request) -> Response:
    body = await request.json()
    try:
        asked = msgspec.json.decode(body, type=_Index) if body else _Index()
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(400, "invalid_json", 'the body must be empty or {"ready": true}') from None
    return json_response(models.index(service, asked.ready))


class _Index(msgspec.Struct):
    ready: bool = False


async def infer(service: Service, request: Request) -> Response:
    # Imported late, as they bring numpy, which a model of rows may do without.
    from modelship_service.api.oip import asked as asking
    from modelship_service.api.oip.answer import Answer

    served = models.asked_for(service, request)
    schema = served.schema
    if schema.streams:
        raise ApiError(400, "bad_request", "the model answers in pieces: ask generate_stream or its own predict route")
    body = await request.body(bodies.JSON_OR_BINARY)
    asked = asking.read(body, request.headers.get(_LENGTH), schema, service.settings.max_json_depth)
    decoded = schema.from_tensors(asked.tensors)
    limit = service.settings.timeout_s
    outputs = await service.predict(served, decoded, request, min(limit, asked.timeout_s or limit))
    answer = Answer(service.settings.name, models.number(served), asked, schema.outputs)
    encoded = service.encoded(lambda: answer.encode(schema.to_tensors(outputs)), request.id)
    return Response(200, encoded, answer.headers, answer.content_type)


def _of_model(path: str) -> list[Route]:
    return [
        Route("GET", path, model, family="oip"),
        Route("GET", f"{path}/ready", model_ready, family="oip"),
        Route("GET", f"{path}/config", config, family="oip"),
        Route("GET", f"{path}/stats", statistics, family="oip"),
        Route("POST", f"{path}/infer", infer, family="oip"),
        Route("POST", f"{path}/generate", generate, family="oip"),
        Route("POST", f"{path}/generate_stream", generate_stream, family="oip"),
    ]


ROUTES = [
    Route("GET", "/v2", server, family="oip"),
    Route("GET", "/v2/health/live", live, scope=None, family="oip"),
    Route("GET", "/v2/health/ready", ready, scope=None, family="oip"),
    Route("GET", "/v2/models", model_list, family="oip"),
    Route("GET", "/v2/models/stats", statistics, family="oip"),
    Route("POST", "/v2/repository/index", index, family="oip"),
    *_of_model("/v2/models/{model}"),
    *_of_model("/v2/models/{model}/versions/{version}"),
]
