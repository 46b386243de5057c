"""Headers that every answer carries, as security reviews ask for them."""

from __future__ import annotations

SECURITY: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
# Of what is no page: should a browser ever show it as one, it does nothing. A page has a policy of its own.
NO_PAGE = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


def challenge(realm: str) -> tuple[str, str]:
    """How to identify oneself."""
    quoted = "".join(c for c in realm if c.isascii() and c.isprintable() and c not in '"\\')
    return "www-authenticate", f'Bearer realm="{quoted}"'
