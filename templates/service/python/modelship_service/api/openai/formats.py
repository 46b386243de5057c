"""How an answer is worded: as a chat's message, or as plain text."""

from __future__ import annotations

import os
from typing import Any, Protocol

from modelship_service.api.openai.pieces import Answer, Piece


class Format(Protocol):
    object: str
    chunk_object: str

    def new_id(self) -> str: ...

    def begin(self) -> dict[str, Any] | None:
        """What goes before the first piece of a stream."""
        ...

    def piece(self, piece: Piece) -> dict[str, Any] | None:
        """None for a piece that has nothing to show."""
        ...

    def end(self) -> dict[str, Any]: ...

    def whole(self, answer: Answer) -> dict[str, Any]: ...


class ChatFormat:
    object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def new_id(self) -> str:
        return f"chatcmpl-{os.urandom(12).hex()}"

    def begin(self) -> dict[str, Any] | None:
        return {"delta": {"role": "assistant", "content": ""}}

    def piece(self, piece: Piece) -> dict[str, Any] | None:
        delta: dict[str, Any] = {}
        if piece.content:
            delta["content"] = piece.content
        if piece.tool_calls:
            delta["tool_calls"] = piece.tool_calls
        return {"delta": delta} if delta else None

    def end(self) -> dict[str, Any]:
        return {"delta": {}}

    def whole(self, answer: Answer) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": answer.text}
        if answer.calls:
            message["content"] = answer.text or None
            message["tool_calls"] = answer.calls
        return {"message": message}


class TextFormat:
    object = "text_completion"
    chunk_object = "text_completion"

    def new_id(self) -> str:
        return f"cmpl-{os.urandom(12).hex()}"

    def begin(self) -> dict[str, Any] | None:
        return None

    def piece(self, piece: Piece) -> dict[str, Any] | None:
        return {"text": piece.content} if piece.content else None

    def end(self) -> dict[str, Any]:
        return {"text": ""}

    def whole(self, answer: Answer) -> dict[str, Any]:
        return {"text": answer.text}
