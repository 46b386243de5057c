"""A request's body: its type, its encoding, and how large and deep it may be."""

from __future__ import annotations

import re
import zlib

from modelship_service.errors import ApiError

JSON = re.compile(rb"application/(json|[a-z0-9.+-]+\+json)( *; *charset *= *\"?utf-?8\"?)? *;? *", re.IGNORECASE)
JSON_OR_BINARY = re.compile(JSON.pattern + rb"|application/octet-stream *;? *", re.IGNORECASE)

_WINDOW = {b"gzip": zlib.MAX_WBITS | 16, b"x-gzip": zlib.MAX_WBITS | 16, b"deflate": zlib.MAX_WBITS}
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


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
    """Refuse JSON that is nested deeper than `limit`, without parsing it."""
    if body.count(b"[") + body.count(b"{") <= limit:
        return
    if _at_most(body, limit) or _at_most(_STRINGS.sub(b"", body), limit):
        return
    raise ApiError(400, "invalid_json", "the body is not the JSON that is expected: it is nested too deeply")


def _at_most(text: bytes, limit: int) -> bool:
    """Each round takes the innermost pairs away. Brackets without a partner stay: the parser refuses those."""
    left = text.translate(None, _NOT_BRACKETS)
    for _ in range(limit):
        shorter = left.replace(b"[]", b"").replace(b"{}", b"")
        if not shorter:
            return True
        if len(shorter) == len(left):
            return False
        left = shorter
    return not left
