"""One request and its answer: what is done around every handler, be it a coroutine or one that calls back."""

from __future__ import annotations

import asyncio
import functools
import re
import time
import traceback
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from modelship_service.errors import ApiError
from modelship_service.http.headers import NO_PAGE, SECURITY, challenge
from modelship_service.http.request import ClientGone, Request
from modelship_service.http.response import Response, Stream
from modelship_service.http.router import Methods, Route, Router, family_of
from modelship_service.observe.logs import RequestLine

if TYPE_CHECKING:
    from modelship_service.guard.admission import Admission
    from modelship_service.http.cors import Cors
    from modelship_service.service import Service

GONE = 499
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_HEAD_TOO_LARGE = "the head of the request is too large"


class Exchange:
    __slots__ = (
        "_admission",
        "_admitted",
        "_cors",
        "_started",
        "code",
        "methods",
        "request",
        "route",
        "service",
        "status",
    )

    def __init__(self, scope: MutableMapping[str, Any], service: Service, router: Router, cors: Cors) -> None:
        self._started = time.perf_counter()
        self._cors = cors
        self._admission: Admission | None = None
        self._admitted = False
        self.service = service
        self.request = request = Request(scope, service.settings)
        self.status = GONE
        self.code: str | None = None
        service.metrics.in_flight += 1
        self.methods, request.params = router.find(request.path, scope["raw_path"])
        method = "GET" if request.method == "HEAD" else request.method
        self.route: Route | None = self.methods.get(method) if self.methods is not None else None

    def admit(self) -> Route:
        """The route, once the request may have it. Raises ApiError."""
        request, route = self.request, self.route
        if request.scope["modelship.head_too_large"]:
            raise ApiError(431, "headers_too_large", _HEAD_TOO_LARGE)
        if not self._admitted:
            self._admitted = True
            if route is None or route.scope is not None:
                self._admission = self.service.guard.admit(request, route)
        if route is None:
            raise _no_route(self.methods)
        return route

    def told(self, problem: BaseException) -> Response:
        """What the caller is told of it. Raises it again where there is no caller any more."""
        error = self._error_of(problem)
        self.code = error.code
        request, route = self.request, self.route
        family = route.family if route is not None else family_of(request.path)
        headers = list(error.headers)
        if error.status == 401:
            headers.append(challenge(self.service.settings.name))
            if route is not None and route.locked is not None:
                return route.locked._replace(status=401, headers=[*route.locked.headers, *headers])
        if family == "openai" and error.status == 500:
            # Its clients would ask twice more, and fail the same way.
            headers.append(("x-should-retry", "false"))
        if error.code in REJECTIONS:
            self.service.metrics.rejected(error.code)
        return Response(error.status, error.body(request.id, "own" if family == "page" else family), headers)

    def _error_of(self, problem: BaseException) -> ApiError:
        if isinstance(problem, ApiError):
            return problem
        if isinstance(problem, ClientGone):
            raise problem
        if isinstance(problem, asyncio.CancelledError):
            if self.request.scope["modelship.cycle"].disconnected:
                raise problem
            return self.shutting_down()
        self.service.log.write(
            "error",
            "internal_error",
            request_id=self.request.id,
            traceback="".join(traceback.format_exception(problem)),
        )
        return ApiError(500, "internal_error", "the service failed on this request; its log has the reason")

    def shutting_down(self) -> ApiError:
        """The time for draining is up. Whoever waits gets an answer all the same."""
        return ApiError(503, "not_ready", "the service is shutting down", headers=[("retry-after", "1")])

    def headers(self, response: Response | Stream) -> list[tuple[bytes, bytes]]:
        """Those that differ from answer to answer. `begin` has the others."""
        request = self.request
        headers = [(b"x-request-id", request.id.encode())]
        if isinstance(response, Response):
            headers.append((b"content-length", b"%d" % len(response.body)))
        # An answer that has limits of its own to tell, those of the queue, tells these.
        if self._admission is not None and not (
            response.headers and any("ratelimit" in name for name, _ in response.headers)
        ):
            headers += self._admission.headers
        if self._cors.enabled:
            headers += self._cors.headers(request)
        for name, value in response.headers:
            if not _VALUE.fullmatch(value):
                raise ValueError(f"the value of the header {name} has characters that no header may have")
            headers.append((name.encode(), value.encode()))
        if request.unread or self.service.state == "draining":
            headers.append((b"connection", b"close"))
        return headers

    def write(self, response: Response) -> bool:
        """The whole answer at once. False when that cannot be: the client reads too slowly, or is sending still."""
        request = self.request
        self.status = response.status
        begin = _begin(response.status, response.content_type)
        return not request.unread and request.connection.respond(
            request.scope, begin, self.headers(response), response.body
        )

    def close(self) -> None:
        """It is over: what it held is free, and the metrics, the traces and the log have it."""
        if self._admission is not None:
            self._admission.leave()
        # They hold the scope as it holds them: no collection has to find that out, request after request.
        self.request.scope.pop("modelship.cycle", None)
        self.request.scope.pop("modelship.exchange", None)
        service, request, status = self.service, self.request, self.status
        seconds = time.perf_counter() - self._started
        template = self.route.template if self.route is not None else None
        service.metrics.in_flight -= 1
        service.metrics.request(request.method, template, status, seconds)
        if service.tracing is not None:
            service.tracing.request(request, template, status, seconds)
        probe = self.route is not None and self.route.scope is None
        level = "error" if status >= 500 else "warning" if status >= 400 else "debug" if probe else "info"
        if not service.log.enabled(level):
            return
        line = RequestLine(service.log.now(), level, request.method, template, status, _ms(seconds), request.id)
        line.rows, line.code, line.body = request.rows, self.code, request.shown_body
        if request.key is not None:
            line.key = request.key.name
        if request.queued_s is not None:
            line.queue_ms = _ms(request.queued_s)
        trace_parent = request.trace_parent
        if trace_parent is not None:
            line.trace_id = trace_parent[3:35]
        service.log.request(line)


def fixed_headers(content_type: str) -> list[tuple[bytes, bytes]]:
    fixed = [(b"content-type", content_type.encode()), *SECURITY]
    return fixed if content_type.startswith("text/html") else [*fixed, NO_PAGE]


@functools.cache
def _begin(status: int, content_type: str) -> bytes:
    """The first lines of an answer, made once for each kind. There are few: handlers write both down as constants."""
    return STATUS_LINE[status] + b"".join(b"%b: %b\r\n" % header for header in fixed_headers(content_type))


def _no_route(methods: Methods | None) -> ApiError:
    if methods is None:
        return ApiError(404, "not_found", "there is no such path")
    allowed = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
    return ApiError(405, "method_not_allowed", f"allowed here: {allowed}", headers=[("allow", allowed)])


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
