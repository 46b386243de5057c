"""The routes: path and method to handler. A handler takes the service and a request and gives a response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from modelship_service.model import tracebacks
from modelship_service.http.deadline import Deadline
from modelship_service.errors import ApiError
from modelship_service.http.request import Request, Response
from modelship_service.schema.rows import OutputError
from modelship_service.service import Served, Service
from modelship_service.workers.thread import ModelRaised, QueueFull

Handler = Callable[[Service, Request], Awaitable[Response]]


async def index(service: Service, request: Request) -> Response:
    settings = service.settings
    routes = [f"{method} {path}" for path, methods in ROUTES.items() for method in methods]
    return _json({"name": settings.name, "version": settings.version, "state": service.state, "routes": routes})


async def live(service: Service, request: Request) -> Response:
    return Response(200, b'{"live":true}')


async def ready(service: Service, request: Request) -> Response:
    if service.state != "ready":
        raise _not_ready(service)
    return Response(200, b'{"ready":true}')


async def openapi(service: Service, request: Request) -> Response:
    return Response(200, _served(service).document.openapi)


async def model(service: Service, request: Request) -> Response:
    return Response(200, _served(service).document.model)


async def predict(service: Service, request: Request) -> Response:
    served = _served(service)
    settings = service.settings
    stage = "body"
    try:
        with Deadline(settings.timeout_s):
            body = await request.json_body(settings.max_body_bytes)
            rows = served.schema.decode(body)
            request.rows = len(rows.items)
            stage = "model"
            return Response(200, await service.predict(served, rows))
    except TimeoutError:
        if stage == "body":
            raise ApiError(408, "request_timeout", f"the body did not arrive within {settings.timeout_s:g} s") from None
        raise ApiError(504, "timeout", f"the model did not answer within {settings.timeout_s:g} s") from None
    except QueueFull as full:
        headers = [("retry-after", str(full.retry_after))]
        raise ApiError(429, "overloaded", "too many rows are waiting: try again later", headers=headers) from None
    except ModelRaised as raised:
        if isinstance(raised.error, OutputError):
            why = {"reason": str(raised.error)}
        else:
            shown = tracebacks.format_for_user(raised.error)
            why = {"reason": tracebacks.summary(raised.error), "traceback": shown}
        service.log.write("error", "model_error", request_id=request.id, **why)
        raise ApiError(500, "model_error", "the model failed on this request; its log has the reason") from None


def _served(service: Service) -> Served:
    """The model; also while draining, since what has arrived is still answered."""
    if service.served is None:
        raise _not_ready(service)
    return service.served


def _not_ready(service: Service) -> ApiError:
    words = {"loading": "the model is loading", "draining": "the service is shutting down"}
    message = words.get(service.state, "the model failed to load")
    return ApiError(503, "not_ready", message, headers=[("retry-after", "1")])


def _json(value: object) -> Response:
    return Response(200, msgspec.json.encode(value))


ROUTES: dict[str, dict[str, Handler]] = {
    "/": {"GET": index},
    "/v1/predict": {"POST": predict},
    "/v1/model": {"GET": model},
    "/openapi.json": {"GET": openapi},
    "/healthz": {"GET": live},
    "/readyz": {"GET": ready},
}
PROBES = frozenset({"/healthz", "/readyz"})
