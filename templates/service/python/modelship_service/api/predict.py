"""`POST /v1/predict`: one row, or many, or a stream where the model is a generator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from modelship_service.http import sse
from modelship_service.http.request import Request
from modelship_service.http.response import Response, Stream
from modelship_service.http.router import Answer
from modelship_service.model.failure import ModelRaised
from modelship_service.schema.schema import Decoded, Outputs
from modelship_service.service import Served, Service

_EVENT_STREAM = b"text/event-stream"


async def predict(service: Service, request: Request) -> Response | Stream:
    served = service.api(request.path.split("/", 2)[1])
    decoded = served.schema.decode(await request.json())
    if served.schema.streams:
        return await _streamed(service, served, decoded, request)
    outputs = await service.predict(served, decoded, request)
    return Response(200, service.encoded(lambda: served.schema.encode(outputs, decoded), request.id))


def predict_directly(service: Service, request: Request, answer: Answer) -> Callable[[], object] | None:
    """The same for a request that is whole and fits into a batch."""
    served = service.api(request.path.split("/", 2)[1])
    if served.schema.streams or (body := request.json_at_hand()) is None:
        return None
    decoded = served.schema.decode(body)
    if decoded.rows > service.settings.batch_max_rows:
        request.give_back(body)
        return None
    encode = served.schema.encode

    def answered(outputs: Outputs) -> Response:
        return Response(200, service.encoded(lambda: encode(outputs, decoded), request.id))

    return service.predict_directly(served, decoded, request, answered, answer)


async def _streamed(service: Service, served: Served, decoded: Decoded, request: Request) -> Response | Stream:
    request.rows = decoded.rows
    pieces = service.stream(served, "predict", (served.schema.slice(decoded.inputs, 0, 1)[0],), {})
    if request.accepts(b"application/json") and not request.accepts(_EVENT_STREAM):
        return await _collected(service, served, pieces, request)
    try:
        chunks = await sse.begin(
            _frames(service, served, pieces, request, decoded),
            service.settings.heartbeat_s,
            lambda error: _failed(service, request, error),
        )
    except ModelRaised as raised:
        raise service.model_error(raised, request.id) from None
    return Stream(chunks)


async def _frames(
    service: Service, served: Served, pieces: AsyncIterator[object], request: Request, decoded: Decoded
) -> AsyncIterator[bytes]:
    try:
        async for piece in pieces:
            yield sse.event(_encoded(service, served, piece, request, decoded))
        yield sse.event(b"{}", "done")
    finally:
        await pieces.aclose()  # type: ignore[attr-defined]


async def _collected(service: Service, served: Served, pieces: AsyncIterator[object], request: Request) -> Response:
    """For clients that cannot read a stream: all pieces in one answer."""
    try:
        one = Decoded(None, 1, False)
        encoded = [_encoded(service, served, piece, request, one) async for piece in pieces]
    except ModelRaised as raised:
        raise service.model_error(raised, request.id) from None
    finally:
        await pieces.aclose()  # type: ignore[attr-defined]
    return Response(200, b'{"pieces":[' + b",".join(encoded) + b"]}")


def _encoded(service: Service, served: Served, piece: object, request: Request, decoded: Decoded) -> bytes:
    return service.encoded(lambda: served.schema.encode([piece], decoded), request.id)


def _failed(service: Service, request: Request, error: Exception) -> bytes:
    return sse.event(service.told(error, request.id).body(request.id), "error")
