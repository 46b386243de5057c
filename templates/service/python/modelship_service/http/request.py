"""A request as a handler sees it, and the response that it gives back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelship_service.errors import ApiError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_JSON_TYPE = re.compile(rb"application/(json|[a-z0-9.+-]+\+json)( *; *charset *= *\"?utf-?8\"?)? *;? *", re.IGNORECASE)
_DISCARD_S = 2.0


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes
    headers: Sequence[tuple[str, str]] = ()


class Request:
    def __init__(self, scope: MutableMapping[str, Any], receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.rows: int | None = None
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self.id = self._id()
        self.unread = b"transfer-encoding" in self._headers or self._headers.get(b"content-length", b"0") != b"0"

    async def json_body(self, limit: int) -> bytes:
        self._check_type()
        length = self._headers.get(b"content-length", b"0")
        if len(length) > 18 or int(length) > limit:
            raise _too_large(limit)
        parts, size = [], 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts.append(message["body"])
            size += len(message["body"])
            if size > limit:
                raise _too_large(limit)
            if not message["more_body"]:
                self.unread = False
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def discard_body(self) -> None:
        """Read on for a while: closing on unread bytes is a reset, which can take the answer with it."""

        async def read() -> None:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect" or not message["more_body"]:
                    return

        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(read(), _DISCARD_S)

    def _check_type(self) -> None:
        encoding = self._headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in (b"identity", b""):
            raise ApiError(
                415, "unsupported_media_type", "Content-Encoding is not supported here: send the body as it is"
            )
        content_type = self._headers.get(b"content-type", b"").strip()
        if content_type and not _JSON_TYPE.fullmatch(content_type):
            raise ApiError(415, "unsupported_media_type", "Content-Type must be application/json, in UTF-8")

    def _id(self) -> str:
        given = self._headers.get(b"x-request-id", b"")
        return given.decode() if _REQUEST_ID.fullmatch(given) else os.urandom(12).hex()


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "body_too_large", f"the body may have {limit} bytes at most")
