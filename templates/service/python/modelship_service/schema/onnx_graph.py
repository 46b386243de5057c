"""The schema of an ONNX graph, from what onnxruntime says of its inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

from modelship_service.schema.array_types import ArraySpec
from modelship_service.schema.arrays import ArraySchema
from modelship_service.schema.schema import SignatureError

# Of a classifier that scikit-learn's converter wrote: a map from class to probability for each row.
_MAPS = re.compile(r"seq\(map\((?:string|int64),tensor\(float\)\)\)")
_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
_ADVICE = "write a model.py that runs the graph, and declare there what it takes and gives"


class Node(Protocol):
    """An input or an output: each of `shape` is a length, a name, or None; no shape at all is an empty one."""

    name: str
    type: str
    shape: Sequence[Any]


def is_maps(node: Node) -> bool:
    return _MAPS.fullmatch(node.type) is not None


def schema_of_graph(inputs: Sequence[Node], outputs: Sequence[Node], max_rows: int) -> ArraySchema:
    """The batch is the first dimension; where that is fixed to 1, a request has one row. Raises SignatureError."""
    if not inputs or not outputs:
        raise SignatureError("the graph has no inputs or no outputs")
    first = [_first(node, "input") for node in inputs]
    # The name of the batch says nothing: converters give outputs another, or none.
    batches = {length for length in first if isinstance(length, str)}
    alone = any(isinstance(length, int) for length in first)
    specs = [_spec(node, "input", batches) for node in inputs]
    results = [
        ArraySpec(node.name, "FP32", ("_",)) if is_maps(node) else _output(node, batches, alone) for node in outputs
    ]
    return ArraySchema(specs, results, max_rows, batch=1 if alone else -1)


def _first(node: Node, what: str) -> Any:
    if not node.shape:
        raise SignatureError(
            f"the {what} {node.name} has no dimension for the batch, or its shape is not in the file: {_ADVICE}"
        )
    length = node.shape[0]
    if isinstance(length, int) and length != 1:
        raise SignatureError(
            f"the {what} {node.name} has {length} as its first dimension, which is the batch: export the model with a"
            " dynamic first dimension"
        )
    return length


def _output(node: Node, batches: set[str], alone: bool) -> ArraySpec:
    if _first(node, "output") == 1 and not alone:
        raise SignatureError(
            f"the output {node.name} has 1 as its first dimension, and the inputs have a free one: export the model"
            " with a dynamic first dimension, or with a fixed one of 1"
        )
    return _spec(node, "output", batches)


def _spec(node: Node, what: str, batches: set[str]) -> ArraySpec:
    datatype = _DATATYPES.get(node.type)
    if datatype is None:
        raise SignatureError(f"the {what} {node.name} is {node.type}, which is no tensor that can be sent: {_ADVICE}")
    dims = [_dim(length, batches) for length in node.shape[1:]]
    return ArraySpec(node.name, datatype, tuple(dims))


def _dim(length: Any, batches: set[str]) -> int | str:
    if isinstance(length, int) and length >= 0:
        return length
    return length if isinstance(length, str) and length and length not in batches else "_"
