"""The array view of a model: tensors in and tensors out, by name, the batch first."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np

from modelship_service.schema import datatypes, json_values
from modelship_service.schema.array_checks import Arrays, check_shapes, promised, refused, text, utf8
from modelship_service.schema.array_types import ArraySpec, read_arrays
from modelship_service.schema.datatypes import Array
from modelship_service.schema.envelope import no_rows, rows_of
from modelship_service.schema.schema import Decoded, OutputError
from modelship_service.schema.tensor import TensorSpec


class ArraySchema:
    kind = "arrays"
    streams = False

    def __init__(
        self, inputs: Sequence[ArraySpec], outputs: Sequence[ArraySpec], max_rows: int, batch: int = -1
    ) -> None:
        """`batch` is 1 where the model takes one row at a time, and no other."""
        self.max_rows = max_rows if batch < 0 else batch
        self.inputs: Sequence[TensorSpec] = [spec.tensor(batch) for spec in inputs]
        self.outputs: Sequence[TensorSpec] = [spec.tensor(batch) for spec in outputs]
        self.definitions = {"Input": _json_schema("Input", inputs), "Output": _json_schema("Output", outputs)}
        self.input_ref = {"$ref": "#/components/schemas/Input"}
        self.output_ref = {"$ref": "#/components/schemas/Output"}
        self.envelope_only = any(spec.name == "rows" for spec in inputs)
        self._inputs = inputs
        self._outputs = outputs
        self._names = {spec.name for spec in inputs}
        row = _row_type(inputs)
        many = Annotated[list[row], msgspec.Meta(min_length=1, max_length=self.max_rows)]  # type: ignore[valid-type]
        self._one = msgspec.json.Decoder(row)
        self._many = msgspec.json.Decoder(many)
        fixed = all(length >= 0 for spec in inputs for length in spec.lengths)
        self._only_bucket = tuple((spec.datatype, spec.lengths) for spec in inputs) if fixed else None

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process may know of the model only what this one says."""
        return ArraySchema, (self._inputs, self._outputs, self.max_rows, self.inputs[0].shape[0])

    @classmethod
    def of(cls, model: type, max_rows: int) -> ArraySchema:
        return cls(*read_arrays(model), max_rows)

    def input_json_schema(self) -> dict[str, Any]:
        return self.definitions["Input"]

    def output_json_schema(self) -> dict[str, Any]:
        return self.definitions["Output"]

    def decode(self, body: bytes) -> Decoded:
        # A look at all of a large body, to find `rows`, takes as long as half of its parsing.
        raw = rows_of(body) if b'"rows"' in body or b"\\" in body or not body else None
        if raw is not None:
            rows = json_values.decode(self._many, raw, "rows")
            return Decoded(self._arrays(rows, many=True), len(rows), many=True)
        if self.envelope_only:
            raise no_rows()
        return Decoded(self._arrays([json_values.decode(self._one, body, "")], many=False), 1, many=False)

    def _arrays(self, rows: Sequence[Any], many: bool) -> Arrays:
        arrays: Arrays = {}
        for spec, field in zip(self._inputs, self._one.type.__struct_fields__, strict=True):
            values = [getattr(row, field) for row in rows]
            try:
                arrays[spec.name] = json_values.to_array(values, spec.datatype, (len(rows), *spec.lengths))
            except json_values.Refused as problem:
                row, *places = problem.indices or (0,)
                path = (f"rows[{row}]." if many else "") + spec.name + "".join(f"[{place}]" for place in places)
                raise refused(path, problem.rule, problem.kind) from None
        check_shapes(self._inputs, arrays, {}, refused)
        return arrays

    def encode(self, outputs: Arrays, decoded: Decoded) -> bytes:
        columns = {spec.name: self._listed(spec, outputs[spec.name]) for spec in self._outputs}
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        try:
            return msgspec.json.encode({"rows": rows} if decoded.many else rows[0])
        except UnicodeEncodeError:
            raise OutputError("predict returned a string that is not Unicode") from None

    def _listed(self, spec: ArraySpec, array: Array) -> list[Any]:
        if datatypes.is_float(spec.datatype) and not datatypes.is_finite(array):
            row, *places = np.argwhere(~np.isfinite(array))[0].tolist()
            path = f"rows[{row}].{spec.name}" + "".join(f"[{place}]" for place in places)
            raise OutputError(f"predict returned a number that is not finite at {path}")
        listed: list[Any] = (array.astype(np.float32) if spec.datatype == "BF16" else array).tolist()
        return listed

    def from_tensors(self, tensors: Mapping[str, Array]) -> Decoded:
        if not tensors.keys() <= self._names:
            raise refused("*", "an input that the model does not take", "extra_forbidden")
        arrays: Arrays = {}
        for spec, tensor in zip(self._inputs, self.inputs, strict=True):
            array = tensors.get(spec.name)
            if array is None:
                raise refused(spec.name, "a value is needed", "missing")
            if array.dtype != datatypes.dtype_of(spec.datatype):
                raise refused(spec.name, f"must be {spec.datatype}", "datatype")
            if array.ndim != len(tensor.shape):
                raise refused(spec.name, f"must have the shape {list(tensor.shape)}", "shape")
            arrays[spec.name] = text(spec.name, array) if spec.datatype == "BYTES" else array
        check_shapes(self._inputs, arrays, {}, refused)
        rows = len(arrays[self._inputs[0].name])
        if not 1 <= rows <= self.max_rows:
            raise refused(self._inputs[0].name, f"must have 1 to {self.max_rows} rows", "rows")
        return Decoded(arrays, rows, many=True)

    def to_tensors(self, outputs: Arrays) -> Arrays:
        return {
            spec.name: utf8(outputs[spec.name]) if spec.datatype == "BYTES" else outputs[spec.name]
            for spec in self._outputs
        }

    def bucket(self, inputs: Arrays) -> Hashable:
        if self._only_bucket is not None:
            return self._only_bucket
        return tuple((spec.datatype, inputs[spec.name].shape[1:]) for spec in self._inputs)

    def slice(self, inputs: Arrays, start: int, stop: int) -> Arrays:
        return {name: array[start:stop] for name, array in inputs.items()}

    def call(self, model: Any, inputs: Arrays) -> Arrays:
        return promised(model.predict(**inputs), self._outputs, self._inputs, inputs)

    def join(self, parts: Sequence[Arrays]) -> Arrays:
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def split(self, outputs: Arrays, counts: Sequence[int]) -> list[Arrays]:
        rows = len(outputs[self._outputs[0].name])
        if rows != sum(counts):
            raise OutputError(f"predict returned {rows} outputs for {sum(counts)} rows")
        parts, start = [], 0
        for count in counts:
            parts.append(self.slice(outputs, start, start + count))
            start += count
        return parts

    def merge(self, parts: Sequence[Arrays]) -> Arrays:
        try:
            return self.join(parts)
        except ValueError:
            raise OutputError("predict returned other shapes for one part of a request than for another") from None


def _row_type(specs: Sequence[ArraySpec]) -> Any:
    """One row of JSON. Fields have names of their own, since a tensor's name may be no identifier."""
    fields = [(f"input_{index}", json_values.nested(spec.datatype, spec.lengths)) for index, spec in enumerate(specs)]
    names = {f"input_{index}": spec.name for index, spec in enumerate(specs)}
    return msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True)


def _json_schema(title: str, specs: Sequence[ArraySpec]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for spec in specs:
        schema = datatypes.json_schema(spec.datatype)
        for length in reversed(spec.lengths):
            schema = {"type": "array", "items": schema}
            if length >= 0:
                schema |= {"minItems": length, "maxItems": length}
        properties[spec.name] = schema
    names = list(properties)
    return {
        "title": title,
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": False,
    }
