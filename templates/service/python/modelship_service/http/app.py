"""The ASGI application: one layer around the handlers, for request ids, errors and the log line."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import MutableMapping
from typing import Any

from modelship_service.errors import ApiError
from modelship_service.http.request import ClientGone, Receive, Request, Response, Send
from modelship_service.api.predict import PROBES, ROUTES
from modelship_service.service import Service

_GONE = 499


class App:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = Request(scope, receive)
        route = request.path if request.path in ROUTES else None
        code: str | None = None
        status = _GONE
        try:
            response = await self._handle(route, request)
            status = response.status
        except ApiError as error:
            status, code = error.status, error.code
            response = Response(status, error.body(request.id), error.headers)
        except ClientGone:
            return self._log(request, route, _GONE, "client_gone", started)
        await self._send(request, response, send)
        self._log(request, route, status, code, started)

    async def _handle(self, route: str | None, request: Request) -> Response:
        try:
            if route is None:
                raise ApiError(404, "not_found", "there is no such path")
            methods = ROUTES[route]
            handler = methods.get("GET" if request.method == "HEAD" else request.method)
            if handler is None:
                allowed = [*methods, "HEAD"] if "GET" in methods else [*methods]
                headers = [("allow", ", ".join(allowed))]
                raise ApiError(405, "method_not_allowed", f"allowed here: {headers[0][1]}", headers=headers)
            return await handler(self._service, request)
        except (ApiError, ClientGone):
            raise
        except asyncio.CancelledError:
            # The time for draining is up. Whoever waits gets an answer all the same.
            raise ApiError(503, "not_ready", "the service is shutting down", headers=[("retry-after", "1")]) from None
        except Exception:
            self._service.log.write("error", "internal_error", request_id=request.id, traceback=traceback.format_exc())
            raise ApiError(
                500, "internal_error", "the service failed on this request; its log has the reason"
            ) from None

    async def _send(self, request: Request, response: Response, send: Send) -> None:
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(response.body)),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-request-id", request.id.encode()),
            *((name.encode(), value.encode()) for name, value in response.headers),
        ]
        if request.unread or self._service.state == "draining":
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        if request.unread:
            await send({"type": "http.response.body", "body": response.body, "more_body": True})
            await request.discard_body()
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": response.body})

    def _log(self, request: Request, route: str | None, status: int, code: str | None, started: float) -> None:
        level = "error" if status >= 500 else "warning" if status >= 400 else "debug" if route in PROBES else "info"
        fields: dict[str, Any] = {
            "method": request.method,
            "route": route,
            "status": status,
            "ms": round((time.perf_counter() - started) * 1000, 3),
            "request_id": request.id,
        }
        if request.rows is not None:
            fields["rows"] = request.rows
        if code is not None:
            fields["code"] = code
        self._service.log.write(level, "request", **fields)
