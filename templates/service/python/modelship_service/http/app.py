"""The ASGI application: one layer around the handlers, for ids, routes, keys, limits, errors, metrics and the log."""

from __future__ import annotations

import asyncio
import functools
import re
import time
import traceback
from collections.abc import MutableMapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from modelship_service.errors import ApiError
from modelship_service.guard.admission import Admission, Guard
from modelship_service.http.cors import Cors
from modelship_service.http.headers import NO_PAGE, SECURITY, challenge
from modelship_service.http.request import ClientGone, Receive, Request, Send
from modelship_service.http.response import Response, Stream
from modelship_service.http.router import Methods, Route, Router, family_of
from modelship_service.observe.logs import RequestLine
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
                response: Response | Stream
                if self._cors.enabled and self._cors.is_preflight(request):
                    response = self._cors.preflight(request, methods)
                else:
                    if route is None or route.scope is not None:
                        admission = self._guard.admit(request, route)
                    if route is None:
                        raise _no_route(methods)
                    response = await route.handler(service, request)
            except (Exception, asyncio.CancelledError) as problem:
                error = self._error_of(problem, request)
                code = error.code
                response = self._told(error, route, request)
                # Its traceback holds this frame, and so the body: together they would stay until a collection.
                del error
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
            service.metrics.in_flight -= 1
            self._record(request, route, status, code, time.perf_counter() - started)

    def _error_of(self, problem: BaseException, request: Request) -> ApiError:
        """What the caller is told of it. Raises it again where there is no caller any more."""
        if isinstance(problem, ApiError):
            return problem
        if isinstance(problem, ClientGone):
            raise problem
        if isinstance(problem, asyncio.CancelledError):
            if request.scope["modelship.cycle"].disconnected:
                raise problem
            # The time for draining is up. Whoever waits gets an answer all the same.
            return ApiError(503, "not_ready", "the service is shutting down", headers=[("retry-after", "1")])
        self._service.log.write("error", "internal_error", request_id=request.id, traceback=traceback.format_exc())
        return ApiError(500, "internal_error", "the service failed on this request; its log has the reason")

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
        """Those that differ from answer to answer. `_begin` has the others."""
        headers = [(b"x-request-id", request.id.encode())]
        if isinstance(response, Response):
            headers.append((b"content-length", b"%d" % len(response.body)))
        # An answer that has limits of its own to tell, those of the queue, tells these.
        if admission is not None and not (
            response.headers and any("ratelimit" in name for name, _ in response.headers)
        ):
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
        begin = _begin(response.status, response.content_type)
        if not request.unread and request.connection.respond(request.scope, begin, headers, response.body):
            return
        headers = [*_fixed_headers(response.content_type), *headers]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        if request.unread:
            await send({"type": "http.response.body", "body": response.body, "more_body": True})
            await request.discard_body()
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": response.body})

    async def _stream(self, request: Request, response: Stream, headers: list[tuple[bytes, bytes]], send: Send) -> None:
        chunks = response.chunks
        headers = [*_fixed_headers(response.content_type), *headers]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except asyncio.CancelledError:
            if request.scope["modelship.cycle"].disconnected:
                raise
            # The time for draining is up, as the last chunk has said.
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
        line = RequestLine(service.log.now(), level, request.method, template, status, _ms(seconds), request.id)
        line.rows, line.code, line.body = request.rows, code, request.shown_body
        if request.key is not None:
            line.key = request.key.name
        if request.queued_s is not None:
            line.queue_ms = _ms(request.queued_s)
        trace_parent = request.trace_parent
        if trace_parent is not None:
            line.trace_id = trace_parent[3:35]
        service.log.request(line)


def _no_route(methods: Methods | None) -> ApiError:
    if methods is None:
        return ApiError(404, "not_found", "there is no such path")
    allowed = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
    return ApiError(405, "method_not_allowed", f"allowed here: {allowed}", headers=[("allow", allowed)])


def _fixed_headers(content_type: str) -> list[tuple[bytes, bytes]]:
    fixed = [(b"content-type", content_type.encode()), *SECURITY]
    return fixed if content_type.startswith("text/html") else [*fixed, NO_PAGE]


@functools.cache
def _begin(status: int, content_type: str) -> bytes:
    """The first lines of an answer, made once for each kind. There are few: handlers write both down as constants."""
    return STATUS_LINE[status] + b"".join(b"%b: %b\r\n" % header for header in _fixed_headers(content_type))


def _ms(seconds: float) -> float:
    """To the microsecond. `round` looks for the nearest decimal, which takes longer than the rest of the line."""
    return int(seconds * 1e6) / 1000


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
