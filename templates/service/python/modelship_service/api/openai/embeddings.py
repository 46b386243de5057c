"""`/v1/embeddings`: vectors of texts, batched across requests as predictions are."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import msgspec

from modelship_service.api.openai.models import serving
from modelship_service.api.openai.requests import EmbeddingRequest, decode, refused, texts_of
from modelship_service.http.request import Request
from modelship_service.http.response import Response
from modelship_service.model.failure import ModelRaised
from modelship_service.model.host import embedding
from modelship_service.schema.schema import Decoded
from modelship_service.service import Service

_FORMATS: dict[str, Callable[[Any], Any]] = {
    "float": lambda vector: vector.tolist(),
    "base64": lambda vector: base64.b64encode(vector.astype("<f4").tobytes()).decode(),
}
_decoder = msgspec.json.Decoder(EmbeddingRequest)


async def embed(service: Service, request: Request) -> Response:
    asked = decode(_decoder, await request.json())
    texts = texts_of(asked.input, "input")
    if len(texts) > service.settings.max_rows:
        raise refused("input", f"at most {service.settings.max_rows} texts are allowed")
    served = serving(service, asked.model, "embed")
    method = served.methods["embed"]
    if asked.dimensions is not None and "dimensions" not in method.options:
        raise refused("dimensions", "this model does not support it")
    # Imported late, as it brings numpy.
    from modelship_service.schema.texts import TextBatches, Texts

    inputs = Texts(texts, method.select({"dimensions": asked.dimensions}))
    decoded = Decoded(inputs, len(texts), many=True)
    vectors = await service.batched(embedding(served.api), TextBatches(), decoded, request)
    answer: dict[str, Any] = {
        "object": "list",
        "model": asked.model,
        "data": [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(map(_FORMATS[asked.encoding_format or "float"], vectors))
        ],
    }
    try:
        tokens = await service.count_tokens(served, texts)
    except ModelRaised as raised:
        raise service.model_error(raised, request.id) from None
    if tokens is not None:
        answer["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Response(200, msgspec.json.encode(answer))
