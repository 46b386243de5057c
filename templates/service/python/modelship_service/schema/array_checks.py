"""What arrays have to be, as they come in and as the model gives them back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from modelship_service.errors import ApiError
from modelship_service.schema import datatypes
from modelship_service.schema.array_types import ArraySpec
from modelship_service.schema.datatypes import Array
from modelship_service.schema.envelope import invalid
from modelship_service.schema.schema import OutputError

Arrays = dict[str, Array]


def check_shapes(
    specs: Sequence[ArraySpec],
    arrays: Arrays,
    lengths: dict[str, int],
    wrong: Callable[[str, str, str], Exception],
) -> dict[str, int]:
    """Fixed lengths are as they should be, and those of the same name are equal; the names' lengths."""
    batch = len(arrays[specs[0].name])
    for spec in specs:
        shape = arrays[spec.name].shape
        if shape[0] != batch:
            raise wrong(spec.name, f"must have {batch} rows, as {specs[0].name} has", "shape")
        if shape[1:] == spec.dims:
            continue
        for dim, length in zip(spec.dims, shape[1:], strict=True):
            if isinstance(dim, int):
                if length != dim:
                    raise wrong(spec.name, f"must have the shape {list(spec.tensor().shape)}", "shape")
            elif dim != "_" and length != lengths.setdefault(dim, length):
                raise wrong(spec.name, f"must have {lengths[dim]} as its length {dim}, as there is elsewhere", "shape")
    return lengths


def promised(result: Any, outputs: Sequence[ArraySpec], inputs: Sequence[ArraySpec], given: Arrays) -> Arrays:
    """What `predict` returned, by name, when it is what its annotation promises."""
    arrays: Arrays = {}
    rows = len(given[inputs[0].name])
    for spec in outputs:
        array = _one(result, spec.name, alone=len(outputs) == 1)
        if not isinstance(array, np.ndarray):
            raise _broken(spec.name, type(array).__name__, "a numpy array")
        if spec.datatype == "BYTES":
            array = _strings(spec.name, array)
        if array.dtype != datatypes.dtype_of(spec.datatype):
            raise _broken(spec.name, str(array.dtype), str(datatypes.dtype_of(spec.datatype)))
        if array.ndim != len(spec.dims) + 1:
            raise _broken(spec.name, f"the shape {list(array.shape)}", str(list(spec.tensor().shape)))
        if len(array) != rows:
            raise OutputError(f"predict returned {len(array)} rows of {spec.name} for {rows} rows")
        arrays[spec.name] = array
    lengths = check_shapes(inputs, given, {}, refused)
    check_shapes(outputs, arrays, lengths, lambda name, rule, _: OutputError(f"predict returned {name}, which {rule}"))
    return arrays


def text(name: str, array: Array) -> Array:
    """The strings of a tensor's bytes."""
    try:
        texts = [one.decode() for one in array.flat]
    except UnicodeDecodeError:
        raise refused(name, "must be UTF-8", "string_unicode") from None
    return np.array(texts, dtype=object).reshape(array.shape)


def utf8(array: Array) -> Array:
    """The bytes of a tensor's strings."""
    try:
        encoded = [one.encode() for one in array.flat]
    except UnicodeEncodeError:
        raise OutputError("predict returned a string that is not Unicode") from None
    return np.array(encoded, dtype=object).reshape(array.shape)


def refused(path: str, rule: str, kind: str) -> ApiError:
    return invalid([{"path": path, "rule": rule, "type": kind}])


def _one(result: Any, name: str, alone: bool) -> Any:
    found = result.get(name) if isinstance(result, Mapping) else getattr(result, name, result if alone else None)
    if found is None and not alone:
        raise OutputError(f"predict returned {type(result).__name__} without {name}")
    return found


def _strings(name: str, array: Array) -> Array:
    """numpy's own kinds of strings as objects, which is what a tensor of strings is made of."""
    if array.dtype.kind in "UT":
        return array.astype(object)
    if array.dtype.kind == "O" and not all(isinstance(one, str) for one in array.flat):
        raise _broken(name, "an object that is no string", "an array of strings")
    return array


def _broken(name: str, found: str, wanted: str) -> OutputError:
    return OutputError(f"predict returned {found} as {name}, and {wanted} is promised")
