"""Where the model runs: what a worker is asked to do, one thing after the other."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelship_service.model.failure import Failure
from modelship_service.schema.schema import Batching, Inputs, Outputs


@dataclass(frozen=True)
class Loaded:
    """A model ready to be called, and how requests share a call."""

    model: Any
    schema: Batching


def embedding(api: str) -> str:
    """The name under which batches for `embed` of an API version run, as those for `predict` do under its own."""
    return f"{api}/embed"


class ModelHost:
    def __init__(self, loaded: Mapping[str, Loaded]) -> None:
        self._loaded = loaded
        self._streams: dict[int, Iterator[Any]] = {}

    def predict(self, api: str, parts: Sequence[tuple[Inputs, int]]) -> list[Outputs | Failure]:
        """One batch of several requests, each with its number of rows; an answer for each.

        A batch that fails is cut in halves, until the request that it fails for is alone.
        """
        loaded = self._loaded[api]
        try:
            outputs = loaded.schema.call(loaded.model, loaded.schema.join([inputs for inputs, _ in parts]))
            return loaded.schema.split(outputs, [rows for _, rows in parts])
        except BaseException as error:
            if len(parts) == 1:
                return [Failure.of(error)]
        middle = len(parts) // 2
        return self.predict(api, parts[:middle]) + self.predict(api, parts[middle:])

    def count(self, api: str, texts: Sequence[str]) -> int:
        return sum(operator.index(self._loaded[api].model.count_tokens(text)) for text in texts)

    def open(self, stream: int, api: str, method: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        """Begin a stream. What is no iterator is a stream of one piece."""
        made = getattr(self._loaded[api].model, method)(*args, **options)
        self._streams[stream] = iter(made) if hasattr(made, "__next__") else iter((made,))

    def step(self, stream: int) -> tuple[list[Any], bool]:
        """The next piece, and whether the stream has ended, when there is none.

        One at a time, so that none waits for the next, and other work has its turn between them.
        """
        try:
            return [next(self._streams[stream])], False
        except StopIteration:
            del self._streams[stream]
            return [], True
        except BaseException:
            del self._streams[stream]
            raise

    def close(self, stream: int) -> None:
        source = self._streams.pop(stream, None)
        close = getattr(source, "close", None)
        if close is not None:
            close()
