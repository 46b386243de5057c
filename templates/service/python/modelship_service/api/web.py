"""The pages for a browser: the playground and the API reference, which hold nothing of the model."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources

from modelship_service.http.response import Response

_SHARED = ("dom.js", "session.js", "schema.js", "calls.js")
_PLAYGROUND = (
    *("picture.js", "form-lists.js", "form.js", "editor.js", "request.js"),
    *("answer.js", "stream.js", "chat.js", "playground.js"),
)
_LINK = '<a href="./">Playground</a>'
_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


def pages(playground: bool) -> dict[str, Response]:
    """Path to page, put together once: the API reference, and the playground unless it is off."""
    docs = _page("docs", (*_SHARED, "docs.js"), without="" if playground else _LINK)
    return {"/docs": docs, "/": _page("playground", (*_SHARED, *_PLAYGROUND))} if playground else {"/docs": docs}


def _page(name: str, scripts: tuple[str, ...], without: str = "") -> Response:
    style = "\n".join(_read(sheet) for sheet in ("page.css", f"{name}.css"))
    script = "\n".join(_plain(_read(module)) for module in scripts)
    html = _read(f"{name}.html").replace(without, "").replace("<style></style>", f"<style>{style}</style>")
    html = html.replace('<script type="module"></script>', f'<script type="module">{script}</script>')
    headers = (
        ("content-security-policy", _policy(style, script)),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    )
    return Response(200, html.encode(), headers, "text/html; charset=utf-8")


def _plain(module: str) -> str:
    """A module's text for one script that holds them all, in the order of their imports."""
    return _EXPORT.sub("", _IMPORT.sub("", module))


def _policy(style: str, script: str) -> str:
    """Nothing but this very style and script, and requests to this service."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "connect-src 'self'",
            "img-src 'self' data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _read(name: str) -> str:
    return (resources.files("modelship_service") / "web" / name).read_text(encoding="utf-8")
