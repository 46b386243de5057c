"""What the service needs to know of a model: one interface over models of rows and models of arrays."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from modelship_service.schema.tensor import TensorSpec

# Rows: a list of the user's Input. Arrays: a dict of numpy arrays by name, the batch first.
Inputs = Any
Outputs = Any


class SignatureError(Exception):
    """The user's class does not have the methods that we call."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class OutputError(Exception):
    """The model returned something that its annotation does not promise."""


class Decoded(NamedTuple):
    """Validated inputs of one request; `many` when they came as `{"rows": [...]}`."""

    inputs: Inputs
    rows: int
    many: bool


class Batching(Protocol):
    """How requests share a call of the model: all that a worker and the queue before it have to know."""

    def bucket(self, inputs: Inputs) -> Hashable:
        """Inputs of the same bucket may share a batch."""
        ...

    def slice(self, inputs: Inputs, start: int, stop: int) -> Inputs: ...

    def call(self, model: Any, inputs: Inputs) -> Outputs: ...

    def join(self, parts: Sequence[Inputs]) -> Inputs: ...

    def split(self, outputs: Outputs, counts: Sequence[int]) -> list[Outputs]:
        """Each request's own outputs. Raises OutputError when the rows do not add up."""
        ...

    def merge(self, parts: Sequence[Outputs]) -> Outputs:
        """The outputs of a request that was cut because it is larger than a batch."""
        ...


class Schema(Batching, Protocol):
    kind: str
    max_rows: int
    # `predict` is a generator: its outputs are streamed.
    streams: bool
    # The tensor view.
    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]
    # JSON Schema of a row, for documents: references into `definitions`.
    definitions: dict[str, Any]
    input_ref: dict[str, Any]
    output_ref: dict[str, Any]
    # A row has a field named `rows`, so that only `{"rows": [...]}` is unambiguous.
    envelope_only: bool

    def input_json_schema(self) -> dict[str, Any]: ...

    def output_json_schema(self) -> dict[str, Any]: ...

    def decode(self, body: bytes) -> Decoded:
        """The inputs of a JSON body. Raises ApiError 400 `invalid_json` or 422 `invalid_input`."""
        ...

    def encode(self, outputs: Outputs, decoded: Decoded) -> bytes:
        """The JSON answer. Raises OutputError."""
        ...

    def from_tensors(self, tensors: Mapping[str, Any]) -> Decoded:
        """The inputs of numpy arrays; BYTES are object arrays of bytes. Raises ApiError."""
        ...

    def to_tensors(self, outputs: Outputs) -> dict[str, Any]: ...
