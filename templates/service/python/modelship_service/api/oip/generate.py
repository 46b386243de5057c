"""`generate` and `generate_stream`: fields in and fields out, whole or piece by piece, as language models are asked.

The fields are those of a row. `text_input` and `text_output` are the texts of a model that has `complete`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec

from modelship_service.api.oip import models
from modelship_service.api.openai import requests
from modelship_service.api.openai.pieces import Answer
from modelship_service.http import sse
from modelship_service.http.deadline import Deadline
from modelship_service.http.request import Request
from modelship_service.http.response import Response, Stream, json_response
from modelship_service.model.failure import ModelRaised
from modelship_service.schema.envelope import invalid, not_json
from modelship_service.schema.schema import Decoded
from modelship_service.service import Served, Service

Fields = dict[str, Any]

_TEXT = "text_input"
_fields = msgspec.json.Decoder(Fields)
_completion = msgspec.json.Decoder(requests.CompletionRequest)


async def generate(service: Service, request: Request) -> Response:
    head, pieces = await _ask(service, request)
    whole: Fields = {}
    try:
        with Deadline(service.settings.timeout_s):
            async with aclosing(pieces):
                async for piece in pieces:
                    _join(whole, piece)
    except TimeoutError:
        raise service.timed_out(service.settings.timeout_s) from None
    except ModelRaised as raised:
        raise service.model_error(raised, request.id) from None
    return json_response({**head, **whole})


async def generate_stream(service: Service, request: Request) -> Stream:
    head, pieces = await _ask(service, request)
    try:
        chunks = await sse.begin(
            _frames(head, pieces),
            service.settings.heartbeat_s,
            lambda error: sse.event(service.told(error, request.id).body(request.id, "oip")),
        )
    except ModelRaised as raised:
        raise service.model_error(raised, request.id) from None
    return Stream(chunks)


async def _frames(head: Fields, pieces: AsyncGenerator[Fields, None]) -> AsyncIterator[bytes]:
    async with aclosing(pieces):
        async for piece in pieces:
            yield sse.event(msgspec.json.encode({**head, **piece}))


async def _ask(service: Service, request: Request) -> tuple[Fields, AsyncGenerator[Fields, None]]:
    """What every answer says, and the pieces. A parameter is a field when the model has one of its name."""
    served = models.asked_for(service, request)
    body = await request.json()
    try:
        given = _fields.decode(body)
    except msgspec.ValidationError:
        raise invalid([{"path": "body", "rule": "must be an object", "type": "model_type"}]) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise not_json(error) from None
    names = {spec.name for spec in served.schema.inputs}
    head: Fields = {"model_name": service.settings.name, "model_version": models.number(served)}
    if "id" not in names and isinstance(given.get("id"), str):
        head["id"] = given.pop("id")
    parameters = given.pop("parameters", None) if "parameters" not in names else None
    if not isinstance(parameters, dict):
        parameters = {}
    if _TEXT not in names and "complete" in served.methods:
        return head, _completed(service, served, {**parameters, **given})
    row = {**{name: value for name, value in parameters.items() if name in names}, **given}
    decoded = served.schema.decode(msgspec.json.encode(row if not served.schema.envelope_only else {"rows": [row]}))
    if served.schema.streams:
        request.rows = 1
        pieces = service.stream(served, "predict", (served.schema.slice(decoded.inputs, 0, 1)[0],), {})
        return head, _rows(served, pieces)
    outputs = await service.predict(served, decoded, request)
    encoded = service.encoded(lambda: served.schema.encode(outputs, Decoded(None, 1, many=False)), request.id)
    return head, _only(_fields.decode(encoded))


def _completed(service: Service, served: Served, given: Fields) -> AsyncGenerator[Fields, None]:
    text = given.pop(_TEXT, None)
    if not isinstance(text, str):
        raise invalid([{"path": _TEXT, "rule": "must be a string", "type": "string_type"}])
    asked = requests.decode(_completion, msgspec.json.encode({**given, "model": "", "prompt": text}))
    method = served.methods["complete"]
    requests.check_support(asked, method)
    return _texts(service.stream(served, "complete", (text,), method.select(asked.options())))


async def _texts(pieces: AsyncIterator[Any]) -> AsyncGenerator[Fields, None]:
    answer = Answer("complete")
    async with aclosing(pieces):  # type: ignore[type-var]
        async for piece in pieces:
            yield {"text_output": answer.add(piece).content or ""}


async def _rows(served: Served, pieces: AsyncIterator[Any]) -> AsyncGenerator[Fields, None]:
    async with aclosing(pieces):  # type: ignore[type-var]
        async for piece in pieces:
            yield _fields.decode(served.schema.encode([piece], Decoded(None, 1, many=False)))


async def _only(fields: Fields) -> AsyncGenerator[Fields, None]:
    yield fields


def _join(whole: Fields, piece: Fields) -> None:
    """Texts are parts of one; of all else the last counts."""
    for name, value in piece.items():
        before = whole.get(name)
        whole[name] = before + value if isinstance(before, str) and isinstance(value, str) else value
