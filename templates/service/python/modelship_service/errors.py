"""The one error shape of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class ApiError(Exception):
    """An answer other than success. `message` is for the caller and quotes nothing of what they sent."""

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

    def body(self, request_id: str) -> bytes:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details is not None:
            error["details"] = self.details
        error["request_id"] = request_id
        return msgspec.json.encode({"error": error})
