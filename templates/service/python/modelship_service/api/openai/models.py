"""`/v1/models`: the service under its name, and each API version of it where there are several."""

from __future__ import annotations

from typing import Any

from modelship_service.errors import ApiError
from modelship_service.http.request import Request
from modelship_service.http.response import Response, json_response
from modelship_service.service import Served, Service


async def models(service: Service, request: Request) -> Response:
    service.api()
    return json_response({"object": "list", "data": [_shown(service, name) for name in _versions(service)]})


async def model(service: Service, request: Request) -> Response:
    service.api()
    name = request.params["id"]
    if name not in _versions(service):
        raise _unknown()
    return json_response(_shown(service, name))


def serving(service: Service, model: str, method: str) -> Served:
    """The API version that a request names, or else the newest that has the method. Raises ApiError 404."""
    newest = service.api()
    versions = _versions(service)
    if model not in versions:
        raise _unknown()
    api = versions[model]
    served = service.with_method(method) if api is None else service.api(api)
    if served is None or method not in served.methods:
        has = ", ".join(one for one in newest.methods if one != "count_tokens")
        raise ApiError(404, "not_found", f"this model has no {method}: it has {has}")
    return served


def _versions(service: Service) -> dict[str, str | None]:
    """Name to API version; None for the newest that can do what is asked."""
    name = service.settings.name
    named = {f"{name}:{api}": api for api in service.served} if len(service.served) > 1 else {}
    return {name: None, **named}


def _shown(service: Service, name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": service.started_at, "owned_by": "modelship"}


def _unknown() -> ApiError:
    details = [{"path": "model", "rule": "there is no such model", "type": "unknown"}]
    return ApiError(404, "model_not_found", "there is no such model: GET /v1/models lists them", details=details)
