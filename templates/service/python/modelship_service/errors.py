"""An answer other than success, and how each family of routes words it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class ApiError(Exception):
    """`message` is for the caller and quotes nothing of what they sent."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[dict[str, str]] | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = headers

    def body(self, request_id: str, family: str = "own") -> bytes:
        return msgspec.json.encode(_SHAPES[family](self, request_id))


def _own(error: ApiError, request_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details is not None:
        shown["details"] = error.details
    shown["request_id"] = request_id
    return {"error": shown}


def _oip(error: ApiError, request_id: str) -> dict[str, Any]:
    return {"error": error.message}


_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


def _openai(error: ApiError, request_id: str) -> dict[str, Any]:
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    param = error.details[0]["path"] if error.details else None
    shown = {
        "message": error.message,
        "type": _OPENAI_TYPES.get(error.status, kind),
        "param": param,
        "code": error.code,
    }
    return {"error": shown}


_SHAPES = {"own": _own, "oip": _oip, "openai": _openai}
