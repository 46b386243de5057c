"""The methods beside `predict` that a model may have, and which options of a request each of them takes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelship_service.schema.schema import SignatureError
from modelship_service.schema.signature import arguments, line_of

_SAMPLING = frozenset(
    {"max_tokens", "temperature", "top_p", "stop", "seed", "presence_penalty", "frequency_penalty", "user"}
)
# Method to what its first argument is, and to the options that a request may bring.
_KNOWN: dict[str, tuple[str, frozenset[str]]] = {
    "chat": ("messages: list[dict]", _SAMPLING | {"tools", "tool_choice", "response_format"}),
    "complete": ("prompt: str", _SAMPLING),
    "embed": ("texts: list[str]", frozenset({"dimensions"})),
    "count_tokens": ("text: str", frozenset()),
}


@dataclass(frozen=True)
class Method:
    """`options` are those that its signature names. The `needed` ones have no default there."""

    options: frozenset[str] = frozenset()
    needed: frozenset[str] = frozenset()

    def select(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The options to call it with. What a request leaves out is left to the signature's defaults."""
        said = {name: value for name, value in given.items() if name in self.options and value is not None}
        return {**dict.fromkeys(self.needed), **said}


def read_methods(model: type) -> dict[str, Method]:
    """Those that a class has, by name. Raises SignatureError."""
    found = {name: _read(model, name) for name in _KNOWN if callable(getattr(model, name, None))}
    return {"predict": Method(), **found} if callable(getattr(model, "predict", None)) else found


def _read(model: type, name: str) -> Method:
    function = getattr(model, name)
    place, line = f"{model.__name__}.{name}", line_of(function)
    expected, known = _KNOWN[name]
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise SignatureError(f"{place} must be a plain function, or a generator", line)
    parameters = arguments(model, name)
    if not parameters or parameters[0].kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD):
        raise SignatureError(f"{place} must take one argument first: ({expected})", line)
    options: set[str] = set()
    needed: set[str] = set()
    for one in parameters[1:]:
        if one.kind is inspect.Parameter.VAR_KEYWORD:
            options |= known
        elif one.name in known and one.kind is not inspect.Parameter.POSITIONAL_ONLY:
            options.add(one.name)
            if one.default is inspect.Parameter.empty:
                needed.add(one.name)
        elif one.default is inspect.Parameter.empty and one.kind is not inspect.Parameter.VAR_POSITIONAL:
            taken = f"it takes {', '.join(sorted(known))}" if known else "it takes no options"
            raise SignatureError(f"{place}: no request has a value for {one.name}, so give it a default; {taken}", line)
    return Method(frozenset(options), frozenset(needed))
