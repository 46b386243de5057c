"""The ASGI application: one layer around the handlers, for ids, routes, keys, limits, errors, metrics and the log."""

from __future__ import annotations

import asyncio
import re
import time
import traceback
from collections.abc import MutableMapping
from typing import Any

from modelship_service.errors import ApiError
from modelship_service.guard.admission import Admission, Guard
from modelship_service.http.cors import Cors
from modelship_service.http.headers import SECURITY, challenge
from modelship_service.http.request import ClientGone, Receive, Request, Send
from modelship_service.http.response import Response, Stream
from modelship_service.http.router import Methods, Route, Router, family_of
from modelship_service.service import Service

_GONE = 499
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_HEAD_TOO_LARGE = "the head of the request is too large"


class App:
    def __init__(self, service: Service, router: Router) -> None:
        self._service = service
        self._router = router
        self._guard: Guard = service.guard
        self._cors = Cors(service.settings.cors_origins)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        service = self._service
        request = Request(scope, receive, service.settings)
        connection = request.connection
        connection.watch(scope)
        service.metrics.in_flight += 1
        methods, request.params = self._router.find(request.path, scope["raw_path"])
        route = methods.get("GET" if request.method == "HEAD" else request.method) if methods is not None else None
        admission: Admission | None = None
        code: str | None = None
        status = _GONE
        try:
            try:
                if scope["modelship.head_too_large"]:
                    raise ApiError(431, "headers_too_large", _HEAD_TOO_LARGE)
                if self._cors.is_preflight(request):
                    response: Response | Stream = self._cors.preflight(request, methods)
                else:
                    if route is None or route.scope is not None:
                        admission = self._guard.admit(request, route)
                    response = await self._answer(route, methods, request)
            except ApiError as error:
                code = error.code
                response = self._told(error, route, request)
            status = 200 if isinstance(response, Stream) else response.status
            headers = self._headers(request, response, admission)
            if isinstance(response, Stream):
                await self._stream(request, response, headers, send)
            else:
                await self._send(request, response, headers, send)
        except ClientGone:
            status, code = _GONE, "client_gone"
        except asyncio.CancelledError:
            if not scope["modelship.cycle"].disconnected:
                raise
            status, code = _GONE, "client_gone"
        finally:
            if admission is not None:
                admission.leave()
            connection.unwatch(scope)
            service.metrics.in_flight -= 1
            self._record(request, route, status, code, time.perf_counter() - started)

    async def _answer(self, route: Route | None, methods: Methods | None, request: Request) -> Response | Stream:
        if methods is None:
            raise ApiError(404, "not_found", "there is no such path")
        if route is None:
            allowed = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
            raise ApiError(405, "method_not_allowed", f"allowed here: {allowed}", headers=[("allow", allowed)])
        try:
            return await route.handler(self._service, request)
        except (ApiError, ClientGone):
            raise
        except asyncio.CancelledError:
            if request.scope["modelship.cycle"].disconnected:
                raise
            # The time for draining is up. Whoever waits gets an answer all the same.
            raise ApiError(503, "not_ready", "the service is shutting down", headers=[("retry-after", "1")]) from None
        except Exception:
            self._service.log.write("error", "internal_error", request_id=request.id, traceback=traceback.format_exc())
            raise ApiError(
                500, "internal_error", "the service failed on this request; its log has the reason"
            ) from None

    def _told(self, error: ApiError, route: Route | None, request: Request) -> Response:
        family = route.family if route is not None else family_of(request.path)
        headers = list(error.headers)
        if error.status == 401:
            headers.append(challenge(self._service.settings.name))
            if route is not None and route.locked is not None:
                return route.locked._replace(status=401, headers=[*route.locked.headers, *headers])
        if family == "openai" and error.status == 500:
            # Its clients would ask twice more, and fail the same way.
            headers.append(("x-should-retry", "false"))
        if error.code in REJECTIONS:
            self._service.metrics.rejected(error.code)
        return Response(error.status, error.body(request.id, "own" if family == "page" else family), headers)

    def _headers(
        self, request: Request, response: Response | Stream, admission: Admission | None
    ) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"content-type", response.content_type.encode()),
            (b"x-request-id", request.id.encode()),
            *SECURITY,
        ]
        if isinstance(response, Response):
            headers.append((b"content-length", b"%d" % len(response.body)))
        if admission is not None:
            headers += admission.headers
        if self._cors.enabled:
            headers += self._cors.headers(request)
        for name, value in response.headers:
            if not _VALUE.fullmatch(value):
                raise ValueError(f"the value of the header {name} has characters that no header may have")
            headers.append((name.encode(), value.encode()))
        if request.unread or self._service.state == "draining":
            headers.append((b"connection", b"close"))
        return headers

    async def _send(self, request: Request, response: Response, headers: list[tuple[bytes, bytes]], send: Send) -> None:
        if not request.unread and request.connection.respond(request.scope, response.status, headers, response.body):
            return
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        if request.unread:
            await send({"type": "http.response.body", "body": response.body, "more_body": True})
            await request.discard_body()
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": response.body})

    async def _stream(self, request: Request, response: Stream, headers: list[tuple[bytes, bytes]], send: Send) -> None:
        chunks = response.chunks
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]

    def _record(self, request: Request, route: Route | None, status: int, code: str | None, seconds: float) -> None:
        template = route.template if route is not None else None
        service = self._service
        service.metrics.request(request.method, template, status, seconds)
        if service.tracing is not None:
            service.tracing.request(request, template, status, seconds)
        probe = route is not None and route.scope is None
        level = "error" if status >= 500 else "warning" if status >= 400 else "debug" if probe else "info"
        if not service.log.enabled(level):
            return
        fields: dict[str, Any] = {
            "method": request.method,
            "route": template,
            "status": status,
            "ms": round(seconds * 1000, 3),
            "request_id": request.id,
        }
        if request.key is not None:
            fields["key"] = request.key.name
        if request.rows is not None:
            fields["rows"] = request.rows
        if request.queued_s is not None:
            fields["queue_ms"] = round(request.queued_s * 1000, 3)
        if code is not None:
            fields["code"] = code
        if request.trace_parent is not None:
            fields["trace_id"] = request.trace_parent[3:35]
        service.log.request(level, fields)


# What the metrics count as turned away, by reason.
REJECTIONS = frozenset(
    {
        "body_too_large",
        "expired_key",
        "forbidden",
        "headers_too_large",
        "invalid_key",
        "not_ready",
        "overloaded",
        "rate_limited",
        "request_timeout",
        "timeout",
        "too_many_requests",
        "unauthorized",
    }
)
