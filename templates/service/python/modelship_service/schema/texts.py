"""Texts to embed: those of several requests go to the model in one call, as rows do."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modelship_service.schema.datatypes import Array
from modelship_service.schema.schema import OutputError


@dataclass(frozen=True)
class Texts:
    """`options` are what `embed` is called with beside them."""

    texts: list[str]
    options: Mapping[str, Any] = field(default_factory=dict)


class TextBatches:
    """A float32 array for each request, one vector a text."""

    def bucket(self, inputs: Texts) -> Hashable:
        return tuple(sorted(inputs.options.items()))

    def slice(self, inputs: Texts, start: int, stop: int) -> Texts:
        return Texts(inputs.texts[start:stop], inputs.options)

    def call(self, model: Any, inputs: Texts) -> Array:
        return _vectors(model.embed(inputs.texts, **inputs.options))

    def join(self, parts: Sequence[Texts]) -> Texts:
        return parts[0] if len(parts) == 1 else Texts([one for part in parts for one in part.texts], parts[0].options)

    def split(self, outputs: Array, counts: Sequence[int]) -> list[Array]:
        if len(outputs) != sum(counts):
            raise OutputError(f"embed returned {len(outputs)} vectors for {sum(counts)} texts")
        return np.split(outputs, np.cumsum(counts)[:-1])

    def merge(self, parts: Sequence[Array]) -> Array:
        if len({part.shape[1] for part in parts}) != 1:
            raise OutputError("embed returned vectors of another length for one part of a request than for another")
        return np.concatenate(parts)


def _vectors(outputs: Any) -> Array:
    try:
        vectors = np.asarray(outputs, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise OutputError(f"embed returned what is no list of equally long vectors of numbers: {error}") from None
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise OutputError(f"embed returned the shape {list(vectors.shape)}; one vector for each text is expected")
    if not np.isfinite(vectors).all():
        raise OutputError("embed returned a number that is not finite")
    return vectors
