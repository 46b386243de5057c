"""The schema of a model without `predict`, which has `chat`, `complete` or `embed` instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from modelship_service.errors import ApiError
from modelship_service.schema.tensor import TensorSpec


class NoPredict:
    """`kind` is the method that the model is there for. Whoever asks for `predict` is told that there is none."""

    streams = False
    envelope_only = False

    def __init__(self, kind: str, max_rows: int) -> None:
        self.kind = kind
        self.max_rows = max_rows
        self.inputs: Sequence[TensorSpec] = ()
        self.outputs: Sequence[TensorSpec] = ()
        self.definitions: dict[str, Any] = {}
        self.input_ref: dict[str, Any] = {}
        self.output_ref: dict[str, Any] = {}

    def input_json_schema(self) -> dict[str, Any]:
        return {}

    def output_json_schema(self) -> dict[str, Any]:
        return {}

    def _none(self, *args: Any, **options: Any) -> NoReturn:
        raise ApiError(404, "not_found", f"this model has no predict: it has {self.kind}")

    decode = encode = from_tensors = to_tensors = _none
    bucket = slice = call = join = split = merge = _none
