"""API keys: what one is, which one a request presents, and whether it is known."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SCOPES = ("predict", "admin", "metrics")
MAX_KEY_BYTES = 512


class KeysError(Exception):
    """The keys cannot be used. The message names an entry, and shows nothing that may be a secret."""


@dataclass(frozen=True)
class Key:
    """`digest` is the SHA-256 of the whole key. `expires` is a Unix time; `rate_limit` is requests and seconds."""

    id: str
    name: str
    digest: bytes
    scopes: frozenset[str]
    expires: float | None = None
    rate_limit: tuple[int, float] | None = None
    max_concurrency: int | None = None

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes


@dataclass(frozen=True)
class Expired:
    """A key that was good until its time was over."""

    key: Key


class KeyRing:
    """The keys that are known, each once."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._by_digest: dict[bytes, Key] = {}
        names: set[str] = set()
        ids: set[str] = set()
        for key in keys:
            if key.name in names:
                raise KeysError(f"two keys are named {key.name}")
            if key.digest in self._by_digest:
                raise KeysError(f"{self._by_digest[key.digest].name} and {key.name} are the same key")
            if key.id in ids:
                raise KeysError(f"{key.name} has the id of another key")
            names.add(key.name)
            ids.add(key.id)
            self._by_digest[key.digest] = key

    def __len__(self) -> int:
        return len(self._by_digest)

    def find(self, presented: bytes, now: float) -> Key | Expired | None:
        """`now` is a Unix time. How long it takes says nothing of how much of a key was right: only digests meet."""
        if len(presented) > MAX_KEY_BYTES:
            return None
        digest = hashlib.sha256(presented).digest()
        key = self._by_digest.get(digest)
        if key is None or not hmac.compare_digest(key.digest, digest):
            return None
        if key.expires is not None and now >= key.expires:
            return Expired(key)
        return key


def presented_key(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The key in a request's headers, named in lower case.

    X-API-Key goes first: a proxy may need Authorization for itself.
    """
    given = headers.get(b"x-api-key")
    if given is not None:
        return given.strip() or None
    scheme, _, value = headers.get(b"authorization", b"").partition(b" ")
    scheme = scheme.lower()
    if scheme == b"bearer":
        return value.strip() or None
    if scheme == b"basic":
        return _password(value.strip())
    return None


def _password(credentials: bytes) -> bytes | None:
    """Of Basic authentication, whoever the user is."""
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2] or None
    except binascii.Error:
        return None
