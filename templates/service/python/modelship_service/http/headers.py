"""Headers that every answer carries, as security reviews ask for them."""

from __future__ import annotations

SECURITY: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


def challenge(family: str, realm: str) -> tuple[str, str]:
    """How to identify oneself. Only for a page does it name Basic: a browser then asks its user for the key."""
    quoted = "".join(c for c in realm if c.isascii() and c.isprintable() and c not in '"\\')
    scheme = "Basic" if family == "page" else "Bearer"
    charset = ', charset="UTF-8"' if family == "page" else ""
    return "www-authenticate", f'{scheme} realm="{quoted}"{charset}'
