"""Whether a request gets in: its key, what the key may do, and how much of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from modelship_service.errors import ApiError
from modelship_service.guard.key_file import KeySource
from modelship_service.guard.keys import Expired, presented_key
from modelship_service.guard.limits import Admission, Limits

if TYPE_CHECKING:
    from modelship_service.http.request import Request
    from modelship_service.http.router import Route

__all__ = ["Admission", "Guard"]


class Guard:
    """Every route but the probes asks here, also for paths that do not exist: who has no key learns nothing."""

    def __init__(self, source: KeySource, limits: Limits) -> None:
        self._source = source
        self._limits = limits

    def admit(self, request: Request, route: Route | None) -> Admission:
        """`leave` the admission when the request is answered. Raises ApiError 401, 403 or 429."""
        if not self._source.configured:
            return self._limits.enter(None)
        presented = presented_key(request.headers)
        if presented is None:
            raise ApiError(401, "unauthorized", "an API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY")
        key = self._source.ring.find(presented, time.time())
        if key is None:
            raise ApiError(401, "invalid_key", "this API key is not known")
        if isinstance(key, Expired):
            raise ApiError(401, "expired_key", "this API key has expired")
        request.key = key
        if route is not None and route.scope is not None and not key.allows(route.scope):
            raise ApiError(403, "forbidden", f'this API key has no scope "{route.scope}"')
        return self._limits.enter(key)
