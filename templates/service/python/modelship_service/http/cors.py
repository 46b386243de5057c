"""Cross-origin requests: refused by every browser unless their exact origin is configured."""

from __future__ import annotations

from modelship_service.errors import ApiError
from modelship_service.http.request import Request
from modelship_service.http.response import Response
from modelship_service.http.router import Methods

_EXPOSED = (
    "x-request-id, retry-after, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests"
)
_MAX_AGE_S = 600


class Cors:
    def __init__(self, origins: frozenset[str]) -> None:
        self.enabled = bool(origins)
        self._origins = frozenset(origin.encode() for origin in origins)

    def is_preflight(self, request: Request) -> bool:
        return self.enabled and request.method == "OPTIONS" and b"access-control-request-method" in request.headers

    def preflight(self, request: Request, methods: Methods | None) -> Response:
        """A browser sends no key with it, so it is answered without one, and says nothing of the service."""
        if request.headers.get(b"origin") not in self._origins:
            raise ApiError(403, "forbidden", "this origin is not allowed")
        headers = [
            ("access-control-allow-methods", "GET, POST, DELETE"),
            ("access-control-allow-headers", "authorization, content-type, x-api-key, x-request-id, traceparent"),
            ("access-control-max-age", str(_MAX_AGE_S)),
        ]
        return Response(204, b"", headers)

    def headers(self, request: Request) -> list[tuple[bytes, bytes]]:
        origin = request.headers.get(b"origin")
        if origin not in self._origins:
            return [(b"vary", b"origin")]
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED.encode()),
            (b"vary", b"origin"),
        ]
