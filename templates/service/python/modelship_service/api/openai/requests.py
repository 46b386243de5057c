"""What clients of OpenAI's API send: types that are read, and documented, from one declaration."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from modelship_service.errors import ApiError
from modelship_service.schema.envelope import bad_json, not_json
from modelship_service.schema.methods import Method

_Request = TypeVar("_Request")
# msgspec's messages name types, limits and places. Only of what is no member of an enumeration do they show the value.
_PLACE = re.compile(r"(?P<said>.*) - at `\$\.?(?P<place>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")

_Text = str | list[Any]
_Penalty = Annotated[float, Meta(ge=-2, le=2)]
_Whole = Annotated[int, Meta(ge=1, le=2**31 - 1)]
_one_or_many = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
_one = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1}]}


class MessagePart(msgspec.Struct):
    type: str
    text: str | None = None


class Message(msgspec.Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[MessagePart] | None = None


class StreamOptions(msgspec.Struct):
    include_usage: bool = False


class Generation(msgspec.Struct, kw_only=True):
    """What chat and plain completion have in common. Other fields are ignored."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: _Whole | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop: str | list[str] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    user: str | None = None
    n: Annotated[int, Meta(ge=1, le=1)] | None = None

    def options(self) -> dict[str, Any]:
        return {
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "stop": [self.stop] if isinstance(self.stop, str) else self.stop or None,
            "seed": self.seed,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "user": self.user,
        }


class ChatCompletionRequest(Generation, kw_only=True):
    messages: Annotated[list[Message], Meta(min_length=1)]
    max_completion_tokens: _Whole | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    logprobs: bool | None = None

    def options(self) -> dict[str, Any]:
        return {
            **super().options(),
            "max_tokens": self.max_completion_tokens or self.max_tokens,
            "tools": self.tools or None,
            "tool_choice": self.tool_choice,
            "response_format": self.response_format,
        }


class CompletionRequest(Generation, kw_only=True):
    prompt: Annotated[_Text, Meta(extra_json_schema=_one)]
    logprobs: int | None = None
    echo: bool | None = None
    best_of: Annotated[int, Meta(ge=1, le=1)] | None = None
    suffix: str | None = None


class EmbeddingRequest(msgspec.Struct, kw_only=True):
    model: str
    input: Annotated[_Text, Meta(extra_json_schema=_one_or_many)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: _Whole | None = None
    user: str | None = None


class _Sent(msgspec.Struct):
    messages: list[dict[str, Any]]


_messages = msgspec.json.Decoder(_Sent)


def decode(decoder: msgspec.json.Decoder[_Request], body: bytes) -> _Request:
    """Raises ApiError 400, which names the path and repeats nothing of the request."""
    if not body:
        raise bad_json("the body is empty")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _broken(str(error)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise not_json(error) from None


def messages_of(body: bytes) -> list[dict[str, Any]]:
    """The messages as they were sent, of a request that was found good. Parts that are all text become one string."""
    messages = decode(_messages, body).messages
    for message in messages:
        parts = message.get("content")
        if isinstance(parts, list) and all(part["type"] == "text" for part in parts):
            message["content"] = "".join(part.get("text") or "" for part in parts)
    return messages


def texts_of(value: _Text, param: str) -> list[str]:
    """The one text, or the texts, of a `prompt` or an `input`."""
    if isinstance(value, str):
        return [value]
    if not value:
        raise refused(param, "at least 1 text is needed")
    for index, one in enumerate(value):
        if isinstance(one, (int, list)):
            raise refused(param, "must be text: this service takes no tokens")
        if not isinstance(one, str):
            raise refused(f"{param}[{index}]", "must be a string")
    return value


def check_support(asked: Generation, method: Method) -> None:
    """Refuse what would be answered wrongly, were it ignored as other options are that the model does not take."""
    options = asked.options()
    for name in ("stop", "tools", "response_format"):
        value = options.get(name)
        harmless = name == "response_format" and isinstance(value, dict) and value.get("type") == "text"
        if value is not None and not harmless and name not in method.options:
            raise refused(name, "this model does not support it")
    for name in ("logprobs", "echo", "suffix"):
        value = getattr(asked, name, None)
        if value is not None and value is not False:
            raise refused(name, "this service does not support it")


def refused(param: str, rule: str, kind: str = "unsupported") -> ApiError:
    details = [{"path": param, "rule": rule, "type": kind}]
    return ApiError(400, "invalid_request", f"{param}: {rule}", details=details)


def _broken(message: str) -> ApiError:
    found = _PLACE.fullmatch(message)
    said, path = (found["said"], found["place"]) if found else (message, "")
    if missing := _MISSING.fullmatch(said):
        path = f"{path}.{missing['name']}" if path else missing["name"]
        return refused(path, "a value is needed", "missing")
    rule = "is none of the values that are allowed" if said.startswith("Invalid enum value") else said
    return refused(path or "body", rule, "wrong_type")
