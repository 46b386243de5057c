"""`/v1/chat/completions` and `/v1/completions`: text that a model makes, whole or piece by piece."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from modelship_service.api.openai.formats import ChatFormat, Format, TextFormat
from modelship_service.api.openai.models import serving
from modelship_service.api.openai.pieces import Answer
from modelship_service.api.openai.requests import (
    ChatCompletionRequest,
    CompletionRequest,
    Generation,
    check_support,
    decode,
    messages_of,
    refused,
    texts_of,
)
from modelship_service.http import sse
from modelship_service.http.deadline import Deadline
from modelship_service.http.request import Request
from modelship_service.http.response import Response, Stream
from modelship_service.model.failure import ModelRaised
from modelship_service.schema.schema import OutputError
from modelship_service.service import Service

_chat = msgspec.json.Decoder(ChatCompletionRequest)
_completion = msgspec.json.Decoder(CompletionRequest)
_DONE = sse.event(b"[DONE]")
# What an answer that breaks the model's promise raises; a string of the model's may be no Unicode.
_BROKEN = (ModelRaised, OutputError, UnicodeError)


async def chat(service: Service, request: Request) -> Response | Stream:
    body = await request.json()
    asked = decode(_chat, body)
    messages = messages_of(body)
    prompt = [one["content"] for one in messages if isinstance(one.get("content"), str)]
    return await _Work(service, request, asked, "chat", messages, prompt, ChatFormat()).answer()


async def complete(service: Service, request: Request) -> Response | Stream:
    asked = decode(_completion, await request.json())
    prompts = texts_of(asked.prompt, "prompt")
    if len(prompts) > 1:
        raise refused("prompt", "one prompt a request is supported")
    return await _Work(service, request, asked, "complete", prompts[0], prompts, TextFormat()).answer()


class _Work:
    """One request for text. `prompt` is what counts as such, when tokens are counted."""

    def __init__(
        self,
        service: Service,
        request: Request,
        asked: Generation,
        method: str,
        argument: Any,
        prompt: Sequence[str],
        form: Format,
    ) -> None:
        self._service = service
        self._request = request
        self._asked = asked
        self._form = form
        self._prompt = prompt
        self._served = serving(service, asked.model, method)
        check_support(asked, self._served.methods[method])
        options = self._served.methods[method].select(asked.options())
        self._pieces = service.stream(self._served, method, (argument,), options)
        self._said = Answer(method)
        self._head = {"id": form.new_id(), "created": int(time.time()), "model": asked.model}

    async def answer(self) -> Response | Stream:
        try:
            return await (self._streamed() if self._asked.stream else self._collected())
        except _BROKEN as error:
            raise self._service.told(error, self._request.id) from None

    async def _collected(self) -> Response:
        limit = self._service.settings.timeout_s
        try:
            with Deadline(limit):
                async for piece in self._pieces:
                    self._said.add(piece)
                usage = await self._usage()
        except TimeoutError:
            raise self._service.timed_out(limit) from None
        finally:
            await self._pieces.aclose()  # type: ignore[attr-defined]
        choice = self._choice(self._form.whole(self._said), self._said.finish_reason)
        return Response(200, self._encoded(self._form.object, [choice], usage))

    async def _streamed(self) -> Stream:
        return Stream(await sse.begin(self._frames(), self._service.settings.heartbeat_s, self._failed))

    async def _frames(self) -> AsyncIterator[bytes]:
        form, said = self._form, self._said
        begin = form.begin()
        unsaid = [] if begin is None else [self._chunk(begin)]
        try:
            async for one in self._pieces:
                shown = form.piece(said.add(one))
                # Encoded before anything is sent: what fails at once has a status of its own.
                chunks = unsaid if shown is None else [*unsaid, self._chunk(shown)]
                unsaid = []
                for chunk in chunks:
                    yield chunk
            for chunk in unsaid:
                yield chunk
            yield self._chunk(form.end(), said.finish_reason)
            options = self._asked.stream_options
            if options is not None and options.include_usage and (usage := await self._usage()) is not None:
                yield sse.event(self._encoded(form.chunk_object, [], usage))
            yield _DONE
        finally:
            await self._pieces.aclose()  # type: ignore[attr-defined]

    def _chunk(self, shown: dict[str, Any], reason: str | None = None) -> bytes:
        return sse.event(self._encoded(self._form.chunk_object, [self._choice(shown, reason)], None))

    def _failed(self, error: Exception) -> bytes:
        return sse.event(self._service.told(error, self._request.id).body(self._request.id, "openai"))

    def _choice(self, shown: dict[str, Any], reason: str | None) -> dict[str, Any]:
        return {"index": 0, **shown, "logprobs": None, "finish_reason": reason}

    def _encoded(self, kind: str, choices: list[dict[str, Any]], usage: dict[str, int] | None) -> bytes:
        shown = {**self._head, "object": kind, "choices": choices}
        if usage is not None:
            shown["usage"] = usage
        return msgspec.json.encode(shown)

    async def _usage(self) -> dict[str, int] | None:
        """As the model says, or as it counts; None where it does neither."""
        if self._said.usage is not None:
            return self._said.usage.shown()
        prompt = await self._service.count_tokens(self._served, self._prompt)
        completion = await self._service.count_tokens(self._served, [self._said.text])
        if prompt is None or completion is None:
            return None
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
