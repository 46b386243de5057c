"""The Open Inference Protocol's datatypes as numpy knows them. Only models that meet tensors import this."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

BF16_MAX = 3.3895313892515355e38

# BF16 stands for itself: numpy has no such dtype.
_NUMPY = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "BF16": "bfloat16",
    "BYTES": "object",
}
_OIP = {name: datatype for datatype, name in _NUMPY.items()} | {"bool_": "BOOL"}
_INTEGERS = frozenset(name for name in _NUMPY if "INT" in name)
_FLOATS = frozenset({"FP16", "FP32", "FP64", "BF16"})

DATATYPES = frozenset(_NUMPY)


def is_float(datatype: str) -> bool:
    return datatype in _FLOATS


def datatype_named(dtype_name: str) -> str | None:
    """The datatype of a dtype's name, None where tensors have none like it."""
    return _OIP.get(dtype_name)


@functools.cache
def dtype_of(datatype: str) -> np.dtype[Any]:
    """What the model gets. BF16 needs the package ml_dtypes, whose dtype it is: ImportError without it."""
    if datatype == "BF16":
        bfloat16: np.dtype[Any] = np.dtype(importlib.import_module("ml_dtypes").bfloat16)
        return bfloat16
    return np.dtype(_NUMPY[datatype])


@functools.cache
def wire_dtype(datatype: str) -> np.dtype[Any]:
    """What a tensor of fixed-size elements is in a body: little-endian; the bits of BF16 are a uint16."""
    return np.dtype("uint16" if datatype == "BF16" else _NUMPY[datatype]).newbyteorder("<")


def from_wire(array: Array, datatype: str) -> Array:
    """BF16 without ml_dtypes becomes FP32, which holds every value of it; all else is as it came."""
    if datatype != "BF16":
        return array
    try:
        return array.view(dtype_of("BF16"))
    except ImportError:
        return (array.astype(np.uint32) << 16).view(np.float32)


def to_wire(array: Array, datatype: str) -> Array:
    """Contiguous, in the byte order of the wire. A copy only where it has to be one."""
    if datatype == "BF16":
        array = array.view(np.uint16) if array.dtype.itemsize == 2 else _bf16_bits(array)
    return np.ascontiguousarray(array, dtype=wire_dtype(datatype))


def _bf16_bits(array: Array) -> Array:
    """The upper half of each float32, rounded to even."""
    bits = array.astype(np.float32).view(np.uint32)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(array), np.uint16(0x7FC0), rounded)


def json_type(datatype: str) -> Any:
    """What a JSON value has to be, as msgspec checks it. Bounds beyond 64 signed bits are left to `from_json`."""
    if datatype == "BOOL":
        return bool
    if datatype == "BYTES":
        return str
    if datatype in _FLOATS:
        return float
    low, high = bounds(datatype)
    return Annotated[int, msgspec.Meta(ge=int(low), le=None if datatype == "UINT64" else int(high))]


def json_schema(datatype: str) -> dict[str, Any]:
    if datatype == "BOOL":
        return {"type": "boolean"}
    if datatype == "BYTES":
        return {"type": "string"}
    if datatype == "FP64":
        return {"type": "number"}
    low, high = bounds(datatype)
    return {"type": "integer" if datatype in _INTEGERS else "number", "minimum": low, "maximum": high}


def bounds(datatype: str) -> tuple[float, float]:
    """The least and the greatest value of a number."""
    if datatype in _INTEGERS:
        limits = np.iinfo(_NUMPY[datatype])
        return int(limits.min), int(limits.max)
    high = BF16_MAX if datatype == "BF16" else float(np.finfo(_NUMPY[datatype]).max)
    return -high, high


def from_json(values: Any, datatype: str, finite: bool = True) -> Array:
    """Values that `json_type` accepts as an array. OverflowError where one is too large for the datatype.

    ValueError or TypeError where lists are of different lengths; an array of objects then has too few dimensions.
    """
    if datatype not in _FLOATS:
        return np.array(values, dtype=dtype_of(datatype))
    with np.errstate(over="ignore"):
        array = np.array(values, dtype=np.float64 if datatype == "BF16" else dtype_of(datatype))
        if datatype == "BF16":
            array = array.astype(dtype_of("BF16"))
    if finite and not is_finite(array):
        raise OverflowError
    return array


def is_finite(array: Array) -> bool:
    """Of floats: neither NaN nor infinity."""
    return bool(np.isfinite(array).all())


def size_of(shape: Iterable[int]) -> int:
    """How many values a tensor of this shape has."""
    return math.prod(shape)
