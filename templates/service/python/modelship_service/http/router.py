"""Routes: which handler answers, who may ask, and in whose words errors are told."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from modelship_service.http.request import Request
    from modelship_service.http.response import Response, Stream
    from modelship_service.service import Service

Handler = Callable[["Service", "Request"], Awaitable["Response | Stream"]]
Answer = Callable[["Response | Exception"], None]
DirectHandler = Callable[["Service", "Request", Answer], "Callable[[], object] | None"]


@dataclass(frozen=True)
class Route:
    """`template` is the path, `{name}` for a part of it. `scope` None: a probe, which everyone may ask.

    `family`: `own`, `oip`, `openai`, or `page` for what a browser shows. `locked` is shown, with status 401, to whoever
    has no key: a page that asks for one, and says nothing of the model. `direct` answers by calling back, without a
    task, and gives what cancels it; None where the request is one for `handler`.
    """

    method: str
    template: str
    handler: Handler
    scope: str | None = "predict"
    family: str = "own"
    locked: Response | None = None
    direct: DirectHandler | None = None


Methods = dict[str, Route]


class Router:
    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = list(routes)
        self._exact: dict[str, Methods] = {}
        self._patterns: list[tuple[re.Pattern[str], Methods]] = []
        found: dict[str, Methods] = {}
        for route in self.routes:
            found.setdefault(route.template, {})[route.method] = route
        for template, methods in found.items():
            if "{" in template:
                pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
                self._patterns.append((re.compile(pattern), methods))
            else:
                self._exact[template] = methods

    def find(self, path: str, raw_path: bytes) -> tuple[Methods | None, dict[str, str]]:
        """What is at a path, by method, and the path's parameters."""
        methods = self._exact.get(path)
        if methods is not None:
            return methods, {}
        # A parameter may hold an escaped slash, so patterns see the path as it was sent.
        sent = raw_path.decode("latin-1")
        for pattern, candidates in self._patterns:
            match = pattern.fullmatch(sent)
            if match:
                return candidates, {name: unquote(value) for name, value in match.groupdict().items()}
        return None, {}


def family_of(path: str) -> str:
    """In whose words an error is told where there is no route."""
    if path == "/v2" or path.startswith("/v2/"):
        return "oip"
    if path.startswith(("/v1/chat", "/v1/completions", "/v1/embeddings", "/v1/models")):
        return "openai"
    return "own"
