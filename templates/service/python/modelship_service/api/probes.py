"""Is it started, does it live, is it ready: three questions with answers of their own."""

from __future__ import annotations

from modelship_service.http.request import Request
from modelship_service.http.response import Response
from modelship_service.service import Service


async def started(service: Service, request: Request) -> Response:
    """Loading is over. A start may take long, and a liveness probe must not end it."""
    if service.state == "loading":
        raise service.not_ready()
    return Response(200, b'{"started":true}')


async def live(service: Service, request: Request) -> Response:
    return Response(200, b'{"live":true}')


async def ready(service: Service, request: Request) -> Response:
    if service.state != "ready":
        raise service.not_ready()
    return Response(200, b'{"ready":true}')
