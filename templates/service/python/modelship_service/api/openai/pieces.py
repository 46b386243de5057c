"""What a model says: pieces as they come, and the whole that they make."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from modelship_service.schema.schema import OutputError

_Reason = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]


class Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int | None = None

    def shown(self) -> dict[str, int]:
        total = self.prompt_tokens + self.completion_tokens if self.total_tokens is None else self.total_tokens
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": total,
        }


class _Function(msgspec.Struct):
    name: str | msgspec.UnsetType = msgspec.UNSET
    arguments: str = ""


class ToolCall(msgspec.Struct, omit_defaults=True):
    """A call, or a part of one. Without an index, one with an id begins a new call."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: _Function = msgspec.field(default_factory=_Function)


class Piece(msgspec.Struct, forbid_unknown_fields=True):
    content: str | None = None
    finish_reason: _Reason | None = None
    tool_calls: list[ToolCall] | None = None
    usage: Usage | None = None


class Answer:
    """The whole of the pieces so far."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._texts: list[str] = []
        self._reason: str | None = None
        self.calls: list[ToolCall] = []
        self.usage: Usage | None = None

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def finish_reason(self) -> str:
        return self._reason or ("tool_calls" if self.calls else "stop")

    def add(self, said: Any) -> Piece:
        """One piece, as the model gave it: text, or a dict. Raises OutputError."""
        piece = Piece(said) if isinstance(said, str) else self._read(said)
        if piece.content:
            self._texts.append(piece.content)
        self._reason = piece.finish_reason or self._reason
        self.usage = piece.usage or self.usage
        for call in piece.tool_calls or ():
            self._add_call(call)
        return piece

    def _read(self, said: Any) -> Piece:
        if not isinstance(said, dict):
            raise OutputError(f"{self._method} gave {type(said).__name__}, and str or dict is expected")
        try:
            return msgspec.convert(said, Piece)
        except msgspec.ValidationError as error:
            raise OutputError(f"{self._method} gave a piece that is not understood: {error}") from None

    def _add_call(self, call: ToolCall) -> None:
        if call.index is None:
            call.index = max(0, len(self.calls) - (call.id is None))
        if not 0 <= call.index <= len(self.calls):
            raise OutputError(f"{self._method} gave a tool call out of order: its index is {call.index}")
        if call.index == len(self.calls):
            call.type = call.type or "function"
            function = msgspec.structs.replace(call.function)
            self.calls.append(msgspec.structs.replace(call, index=None, function=function))
        else:
            self.calls[call.index].function.arguments += call.function.arguments
