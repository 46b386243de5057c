"""The protocol's binary extension: JSON first, then the bytes of the tensors in the same order."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from modelship_service.errors import ApiError
from modelship_service.schema import datatypes
from modelship_service.schema.datatypes import Array

HEADER = b"inference-header-content-length"

_LENGTH = struct.Struct("<I")
# A tensor that follows begins where numbers of any size may begin.
_ALIGNMENT = 64


def json_length(header: bytes, body: bytes) -> int:
    """How long the JSON is, as the header says; 0 for a body that is all tensor."""
    if not header.isdigit() or len(header) > 18:
        raise malformed("Inference-Header-Content-Length must be a number of bytes")
    length = int(header)
    if length > len(body):
        raise malformed(
            "Inference-Header-Content-Length is more than the body has: is the header left from an earlier request?"
        )
    return length


class Tail:
    """The bytes that follow the JSON, given out tensor by tensor."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._start = 0

    def take(self, name: str, size: int) -> memoryview:
        end = self._start + size
        if end > len(self._data):
            raise malformed(f"{name}: binary_data_size is more than the body has left")
        part = self._data[self._start : end]
        self._start = end
        return part

    def end(self) -> None:
        if self._start != len(self._data):
            raise malformed("the body has more bytes than its tensors have")


def read(name: str, datatype: str, shape: Sequence[int], data: memoryview) -> Array:
    """A tensor: a view of the bytes, unless numbers begin where the processor may not read them."""
    count = datatypes.size_of(shape)
    if datatype == "BYTES":
        array = _strings(name, data, count)
    else:
        dtype = datatypes.wire_dtype(datatype)
        if len(data) != count * dtype.itemsize:
            raise malformed(f"{name}: it has not as many bytes as its shape and datatype need")
        if datatype == "BOOL" and count and np.frombuffer(data, np.uint8).max() > 1:
            raise malformed(f"{name}: a BOOL must be 0 or 1")
        array = datatypes.from_wire(np.frombuffer(data, dtype), datatype)
        if not array.flags.aligned:
            array = array.copy()
    try:
        return array.reshape(shape)
    except (ValueError, OverflowError):
        raise malformed(f"{name}: its shape is not one that a tensor can have") from None


def write(array: Array, datatype: str) -> bytes | memoryview:
    """The bytes of a tensor; a view of it where it is as the wire has it."""
    if datatype == "BYTES":
        return b"".join(_LENGTH.pack(len(one)) + one for one in array.flat)
    return datatypes.to_wire(array, datatype).reshape(-1).view(np.uint8).data


def pad(text: bytes) -> bytes:
    """JSON with spaces after it."""
    return text + b" " * (-len(text) % _ALIGNMENT)


def malformed(message: str) -> ApiError:
    return ApiError(400, "bad_request", message)


def _strings(name: str, data: memoryview, count: int) -> Array:
    """Each with its length before it. A count that the bytes cannot hold is refused before memory is taken for it."""
    if count * _LENGTH.size > len(data):
        raise malformed(f"{name}: its shape asks for more strings than there are")
    array = np.empty(count, dtype=object)
    start = 0
    for index in range(count):
        begin = start + _LENGTH.size
        if begin > len(data):
            raise malformed(f"{name}: its shape asks for more strings than there are")
        start = begin + _LENGTH.unpack_from(data, start)[0]
        if start > len(data):
            raise malformed(f"{name}: a string is longer than what is left of the tensor")
        array[index] = bytes(data[begin:start])
    if start != len(data):
        raise malformed(f"{name}: there are more strings than its shape asks for")
    return array
