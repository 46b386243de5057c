"""Headers that every answer carries, as security reviews ask for them."""

from __future__ import annotations

SECURITY: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


def challenge(realm: str) -> tuple[str, str]:
    """How to identify oneself."""
    quoted = "".join(c for c in realm if c.isascii() and c.isprintable() and c not in '"\\')
    return "www-authenticate", f'Bearer realm="{quoted}"'
