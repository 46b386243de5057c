"""What a handler gives back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

Headers = Sequence[tuple[str, str]]


class Response(NamedTuple):
    status: int
    body: bytes
    headers: Headers = ()
    content_type: str = "application/json"


@dataclass(frozen=True)
class Stream:
    """Chunks as they come. The iterator is closed when the last is sent, and when the client has gone."""

    chunks: AsyncIterator[bytes]
    headers: Headers = ()
    content_type: str = "text/event-stream"


def json_response(value: object, status: int = 200, headers: Headers = ()) -> Response:
    return Response(status, msgspec.json.encode(value), headers)
