"""What an inference request asks: its tensors, and which outputs it wants and how."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from modelship_service.api.oip import binary
from modelship_service.api.oip.binary import Tail, malformed
from modelship_service.http.body import check_depth
from modelship_service.schema import datatypes, json_values
from modelship_service.schema.array_checks import refused, utf8
from modelship_service.schema.datatypes import Array
from modelship_service.schema.schema import Schema

# The limit of numpy 1.
_MOST_DIMENSIONS = 32
_NESTED = re.compile(rb"\s*\[\s*\[")
_SHARED_MEMORY = "shared_memory_region"

_Parameters = dict[str, Any]
_Length = Annotated[int, msgspec.Meta(ge=0)]


class _Tensor(msgspec.Struct):
    name: str
    datatype: str
    shape: Annotated[list[_Length], msgspec.Meta(max_length=_MOST_DIMENSIONS)]
    parameters: _Parameters | None = None
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Output(msgspec.Struct):
    name: str
    parameters: _Parameters | None = None


class _Request(msgspec.Struct):
    inputs: list[_Tensor]
    id: str | None = None
    parameters: _Parameters | None = None
    outputs: list[_Output] | None = None


_request = msgspec.json.Decoder(_Request)


@dataclass(frozen=True)
class Asked:
    """`outputs`: names, and whether each is wanted as bytes. `timeout_s` is what the client gives it."""

    tensors: dict[str, Array]
    outputs: dict[str, bool]
    id: str | None = None
    timeout_s: float | None = None


def read(body: bytes, header: bytes | None, schema: Schema, max_depth: int) -> Asked:
    """`header` is the value of Inference-Header-Content-Length. Raises ApiError."""
    if header is None:
        check_depth(body, max_depth)
        return _read_json(body, Tail(memoryview(b"")), schema)
    length = binary.json_length(header, body)
    if length == 0:
        return Asked(_raw(body, schema), {spec.name: True for spec in schema.outputs})
    text = body[:length]
    check_depth(text, max_depth)
    return _read_json(text, Tail(memoryview(body)[length:]), schema)


def _read_json(text: bytes, tail: Tail, schema: Schema) -> Asked:
    request = json_values.decode(_request, text, "")
    parameters = request.parameters or {}
    if parameters.get("sequence_id"):
        raise malformed("sequence_id: the model keeps nothing from one request to the next")
    names = {spec.name for spec in schema.inputs}
    tensors: dict[str, Array] = {}
    for tensor in request.inputs:
        if tensor.name not in names:
            raise refused("*", "an input that the model does not take", "extra_forbidden")
        if tensor.name in tensors:
            raise refused(tensor.name, "is given twice", "duplicate")
        tensors[tensor.name] = _read_tensor(tensor, tail)
    tail.end()
    outputs = _outputs(request.outputs, parameters.get("binary_data_output") is True, schema)
    return Asked(tensors, outputs, request.id, _timeout(parameters.get("timeout")))


def _read_tensor(tensor: _Tensor, tail: Tail) -> Array:
    name, parameters = tensor.name, tensor.parameters or {}
    if tensor.datatype not in datatypes.DATATYPES:
        raise refused(name, f"its datatype must be one of {', '.join(sorted(datatypes.DATATYPES))}", "datatype")
    if _SHARED_MEMORY in parameters:
        raise malformed(f"{name}: shared memory is not supported")
    size = parameters.get("binary_data_size")
    if size is None:
        if tensor.data is msgspec.UNSET:
            raise refused(name, "data is needed, or binary_data_size", "missing")
        return _read_data(tensor, tensor.data)
    if type(size) is not int or size < 0:
        raise malformed(f"{name}: binary_data_size must be a number of bytes")
    if tensor.data is not msgspec.UNSET:
        raise malformed(f"{name}: it has both data and binary_data_size")
    return binary.read(name, tensor.datatype, tensor.shape, tail.take(name, size))


def _read_data(tensor: _Tensor, data: msgspec.Raw) -> Array:
    """JSON lists: flat in row-major order, or nested as the shape is."""
    name, datatype, shape = tensor.name, tensor.datatype, tuple(tensor.shape)
    if datatype == "BF16":
        raise refused(name, "BF16 must be sent as binary data", "datatype")
    depth = len(shape) if len(shape) > 1 and _NESTED.match(data) else 1
    values = json_values.decode(_values(datatype, depth), data, name)
    try:
        array = json_values.to_array(values, datatype, (-1,) * depth)
    except json_values.Refused as problem:
        path = name + "".join(f"[{index}]" for index in problem.indices)
        raise refused(path, problem.rule, problem.kind) from None
    if datatypes.size_of(array.shape) != datatypes.size_of(shape) or (depth > 1 and array.shape != shape):
        raise refused(name, "its data must have as many values as its shape says", "shape")
    if datatype == "BYTES":
        array = utf8(array)
    try:
        return array.reshape(shape)
    except (ValueError, OverflowError):
        raise refused(name, "its shape is not one that a tensor can have", "shape") from None


@functools.cache
def _values(datatype: str, depth: int) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(json_values.nested(datatype, (-1,) * depth))


def _raw(body: bytes, schema: Schema) -> dict[str, Array]:
    """A body without JSON is the one input of a model that has one: its shape follows from its size."""
    if len(schema.inputs) != 1:
        raise malformed("a body without JSON is for models with one input")
    spec = schema.inputs[0]
    data = memoryview(body)
    if spec.datatype == "BYTES":
        # One string, as it is.
        if any(length not in (-1, 1) for length in spec.shape):
            raise malformed(f"{spec.name}: a body without JSON is one string")
        return {spec.name: np.array([body], dtype=object).reshape((1,) * len(spec.shape))}
    free = [index for index, length in enumerate(spec.shape) if length < 0]
    if len(free) > 2:
        raise malformed(f"{spec.name}: a body without JSON is for tensors with one free length beside the batch")
    shape = [1 if length < 0 else length for length in spec.shape]
    size = datatypes.size_of(shape) * datatypes.wire_dtype(spec.datatype).itemsize
    if free and size:
        shape[free[-1]] = len(data) // size
    return {spec.name: binary.read(spec.name, spec.datatype, shape, data)}


def _outputs(wanted: list[_Output] | None, as_bytes: bool, schema: Schema) -> dict[str, bool]:
    names = [spec.name for spec in schema.outputs]
    if not wanted:
        return dict.fromkeys(names, as_bytes)
    outputs: dict[str, bool] = {}
    for output in wanted:
        parameters = output.parameters or {}
        if output.name not in names:
            raise malformed(f"the model has no such output; it has {', '.join(names)}")
        if parameters.get("classification"):
            raise malformed(f"{output.name}: classification is not supported; the probabilities are in the output")
        if _SHARED_MEMORY in parameters:
            raise malformed(f"{output.name}: shared memory is not supported")
        outputs[output.name] = parameters.get("binary_data", as_bytes) is True
    return outputs


def _timeout(microseconds: Any) -> float | None:
    if microseconds in (None, 0):
        return None
    if type(microseconds) is not int or microseconds < 0:
        raise malformed("timeout must be a number of microseconds")
    return microseconds / 1_000_000
