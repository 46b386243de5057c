"""A request as a handler sees it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from modelship_service.errors import ApiError
from modelship_service.http import body as bodies
from modelship_service.http.deadline import Deadline
from modelship_service.settings import Settings

if TYPE_CHECKING:
    from modelship_service.guard.keys import Key
    from modelship_service.http.protocol import Connection

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_TRACE_PARENT = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_DISCARD_S = 2.0
_SHOWN_BYTES = 4096
# Ids that are made here: one part for the process, and one that counts.
_PROCESS = os.urandom(8).hex()
_numbers = itertools.count(1)


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class Request:
    __slots__ = (
        "_body",
        "_window",
        "connection",
        "headers",
        "id",
        "key",
        "method",
        "params",
        "path",
        "queued_s",
        "receive",
        "rows",
        "scope",
        "settings",
        "shown_body",
        "unread",
    )

    def __init__(self, scope: MutableMapping[str, Any], settings: Settings) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.settings = settings
        self.params: dict[str, str] = {}
        self.key: Key | None = None
        # What a handler notes down for the log and the metrics.
        self.rows: int | None = None
        self.queued_s: float | None = None
        # The begin of the body, for the log of a service that was told to keep it.
        self.shown_body: str | None = None
        self._body: bytes | None = None
        self._window: int | None = None
        self.receive: Receive
        self.connection: Connection = scope["modelship.connection"]
        given = self.headers.get(b"x-request-id")
        if given is not None and _ID.fullmatch(given):
            self.id = given.decode()
        else:
            self.id = f"{_PROCESS}{next(_numbers):08x}"
        self.unread = b"transfer-encoding" in self.headers or self.headers.get(b"content-length", b"0") != b"0"

    @property
    def query(self) -> dict[str, str]:
        text = self.scope["query_string"].decode("latin-1")
        try:
            return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=100))
        except ValueError:
            raise ApiError(400, "bad_request", "the query has too many fields") from None

    @property
    def trace_parent(self) -> str | None:
        given = self.headers.get(b"traceparent")
        return given.decode() if given is not None and _TRACE_PARENT.fullmatch(given) else None

    def accepts(self, media_type: bytes) -> bool:
        """Whether Accept names this very type."""
        return media_type in self.headers.get(b"accept", b"").lower()

    async def json(self) -> bytes:
        """The body, where it has to be JSON: whole, decompressed and no deeper than allowed."""
        body = await self.body(bodies.JSON)
        bodies.check_depth(body, self.settings.max_json_depth)
        return body

    async def body(self, types: re.Pattern[bytes]) -> bytes:
        if self._body is not None:
            return self._body
        self._check(types)
        body = self.connection.whole_body(self.scope)
        return self._unpacked(await self._rest(self.settings.max_body_bytes) if body is None else body)

    def json_at_hand(self) -> bytes | None:
        """As `json`, where the body has arrived already, as nearly all have; None where it has to be waited for."""
        self._check(bodies.JSON)
        body = self.connection.whole_body(self.scope)
        if body is None:
            return None
        body = self._unpacked(body)
        bodies.check_depth(body, self.settings.max_json_depth)
        return body

    def give_back(self, body: bytes) -> None:
        """Whoever asks next for the body gets this one, which was taken too early."""
        self._body = body

    def _check(self, types: re.Pattern[bytes]) -> None:
        bodies.check_type(self.headers.get(b"content-type", b"").strip(), types)
        length = self.headers.get(b"content-length", b"0")
        if len(length) > 18 or int(length) > self.settings.max_body_bytes:
            raise bodies.too_large(self.settings.max_body_bytes)
        encoding = self.headers.get(b"content-encoding")
        self._window = bodies.window_of(encoding) if encoding is not None else None

    def _unpacked(self, body: bytes) -> bytes:
        self.unread = False
        if self._window is not None:
            body = bodies.decompress(body, self._window, self.settings.max_decoded_bytes)
        if self.settings.log_bodies:
            self.shown_body = body[:_SHOWN_BYTES].decode(errors="backslashreplace")
        return body

    async def _rest(self, limit: int) -> bytes:
        try:
            with Deadline(self.settings.timeout_s):
                size = await self.connection.rest_of_body(self.scope, limit)
        except TimeoutError:
            late = f"the body did not arrive within {self.settings.timeout_s:g} s"
            raise ApiError(408, "request_timeout", late) from None
        if size > limit:
            raise bodies.too_large(limit)
        body = self.connection.whole_body(self.scope)
        if body is None:
            raise ClientGone
        return body

    async def discard_body(self) -> None:
        """Read on for a while: closing on unread bytes is a reset, which can take the answer with it."""

        async def read() -> None:
            while True:
                message = await self.receive()
                if message["type"] == "http.disconnect" or not message["more_body"]:
                    return

        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(read(), _DISCARD_S)
