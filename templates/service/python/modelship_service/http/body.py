"""A request's body: its type, its encoding, and how large and deep it may be."""

from __future__ import annotations

import re
import zlib

from modelship_service.errors import ApiError

JSON = re.compile(rb"application/(json|[a-z0-9.+-]+\+json)( *; *charset *= *\"?utf-?8\"?)? *;? *", re.IGNORECASE)
JSON_OR_BINARY = re.compile(JSON.pattern + rb"|application/octet-stream *;? *", re.IGNORECASE)

# A parser may need hundreds of bytes for each `[]`.
MAX_PARTS = 1_000_000

_WINDOW = {b"gzip": zlib.MAX_WBITS | 16, b"x-gzip": zlib.MAX_WBITS | 16, b"deflate": zlib.MAX_WBITS}
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ALL_SQUARE = bytes.maketrans(b"{}", b"[]")
_OPENS = ord("[")


def check_type(given: bytes, allowed: re.Pattern[bytes]) -> None:
    if given and not allowed.fullmatch(given):
        binary = " or application/octet-stream" if allowed is JSON_OR_BINARY else ""
        message = f"Content-Type must be application/json{binary}, in UTF-8"
        raise ApiError(415, "unsupported_media_type", message)


def window_of(encoding: bytes) -> int | None:
    """zlib's name for a Content-Encoding, None where the body is as it is."""
    name = encoding.strip().lower()
    if name in (b"", b"identity"):
        return None
    if name not in _WINDOW:
        raise ApiError(415, "unsupported_media_type", "Content-Encoding must be gzip, deflate or identity")
    return _WINDOW[name]


def decompress(body: bytes, window: int, limit: int) -> bytes:
    """Never more than `limit` bytes, whatever the compressed ones promise."""
    try:
        decoder = zlib.decompressobj(window)
        plain = decoder.decompress(body, limit + 1)
    except zlib.error:
        raise ApiError(400, "invalid_encoding", "the body is not what Content-Encoding says") from None
    if len(plain) > limit:
        raise too_large(limit, "when it is decompressed")
    if not decoder.eof or decoder.unused_data:
        raise ApiError(400, "invalid_encoding", "the compressed body ends too early, or too late")
    return plain


def too_large(limit: int, when: str = "") -> ApiError:
    return ApiError(413, "body_too_large", f"the body may have {limit} bytes at most{' ' if when else ''}{when}")


def check_depth(body: bytes, limit: int) -> None:
    """Refuse JSON that is nested deeper than `limit`, or of more parts than memory can bear, without parsing it."""
    if _parts(body) <= limit:
        return
    # Brackets in strings are none, whichever way they point.
    body = _STRINGS.sub(b"", body)
    if _parts(body) > MAX_PARTS:
        raise ApiError(413, "body_too_large", f"the body may have {MAX_PARTS} lists and objects at most")
    if not _at_most(body, limit):
        raise ApiError(400, "invalid_json", "the body is not the JSON that is expected: it is nested too deeply")


def _parts(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{")


def _at_most(text: bytes, limit: int) -> bool:
    """Whether brackets are nested no deeper. Some without a partner may pass: the parser refuses those."""
    left = text.translate(_ALL_SQUARE, _NOT_BRACKETS)
    # Each round takes the innermost pairs away, which are most of them in a list of lists, and one level with them.
    for _ in range(min(3, limit)):
        left = left.replace(b"[]", b"")
        limit -= 1
    depth = 0
    for bracket in left:
        depth += 1 if bracket == _OPENS else -1
        if depth > limit:
            return False
    return True
