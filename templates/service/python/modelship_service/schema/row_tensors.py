"""Between rows and tensors: what the rows of a model look like to a client that speaks tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from modelship_service.schema import json_values
from modelship_service.schema.array_checks import refused, text, utf8
from modelship_service.schema.datatypes import Array
from modelship_service.schema.row_columns import Column
from modelship_service.schema.schema import OutputError

# Kinds of numpy's dtypes, and what they may be used for.
_ACCEPTED = {"BOOL": "b", "INT64": "iu", "FP64": "fiu", "BYTES": "O"}
_EXACT = 2**53


def rows_of_tensors(tensors: Mapping[str, Array], columns: Sequence[Column], max_rows: int) -> list[Any]:
    """Rows as JSON would have them, not validated yet. Raises ApiError, which names the tensor."""
    if not tensors.keys() <= {column.name for column in columns}:
        raise refused("*", "an input that the model does not take", "extra_forbidden")
    found: dict[str, Array] = {}
    for column in columns:
        if column.name in tensors:
            found[column.name] = _checked(column, tensors[column.name])
        elif column.needed:
            raise refused(column.name, "a value is needed", "missing")
    if not found:
        raise refused(columns[0].name if columns else "inputs", "a tensor is needed to know the rows", "missing")
    first = next(iter(found))
    rows = len(found[first])
    if not 1 <= rows <= max_rows:
        raise refused(first, f"must have 1 to {max_rows} rows", "rows")
    for name, array in found.items():
        if len(array) != rows:
            raise refused(name, f"must have {rows} rows, as {first} has", "shape")
    values = [_values(column, found[column.name]) for column in columns if column.name in found]
    if columns[0].whole:
        return values[0]
    return [dict(zip(found, row, strict=True)) for row in zip(*values, strict=True)]


def tensors_of_rows(rows: Sequence[Any], columns: Sequence[Column], finite: bool) -> dict[str, Array]:
    """Tensors of rows as JSON has them. Raises OutputError where they do not fit into one."""
    return {
        column.name: _tensor(column, rows if column.whole else [row[column.name] for row in rows], finite)
        for column in columns
    }


def _checked(column: Column, array: Array) -> Array:
    kind = array.dtype.kind
    if array.dtype.name == "bfloat16":
        array, kind = array.astype(np.float32), "f"
    if kind not in _ACCEPTED[column.datatype]:
        raise refused(column.name, f"must be {column.datatype}", "datatype")
    if column.datatype == "FP64" and kind in "iu" and array.size and max(-int(array.min()), int(array.max())) > _EXACT:
        raise refused(column.name, "must be FP64: a number has more digits than that can hold", "datatype")
    wanted = column.tensor.shape
    if array.ndim != len(wanted) or any(
        length not in (-1, given) for length, given in zip(wanted, array.shape, strict=True)
    ):
        raise refused(column.name, f"must have the shape {list(wanted)}", "shape")
    return array


def _values(column: Column, array: Array) -> list[Any]:
    if column.form == "json":
        return [_parsed(column.name, row, one) for row, one in enumerate(array)]
    if column.datatype == "BYTES" and column.form == "text":
        array = text(column.name, array)
    elif column.datatype == "FP64":
        array = array.astype(np.float64)
    listed: list[Any] = array.tolist()
    return listed


def _parsed(name: str, row: int, value: bytes) -> Any:
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise refused(f"rows[{row}].{name}", "must be JSON", "json_invalid") from None


def _tensor(column: Column, values: Sequence[Any], finite: bool) -> Array:
    if column.form == "json":
        return np.array([msgspec.json.encode(value) for value in values], dtype=object)
    try:
        array = json_values.to_array(values, column.datatype, (len(values), *column.lengths), finite=finite)
    except json_values.Refused as problem:
        row, *places = problem.indices or (0,)
        path = f"rows[{row}].{column.name}" + "".join(f"[{place}]" for place in places)
        raise OutputError(f"predict returned what no tensor can hold: {path} {problem.rule}") from None
    return utf8(array) if column.datatype == "BYTES" else array
