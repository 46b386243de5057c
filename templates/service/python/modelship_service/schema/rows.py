"""The row view of a model: what `predict(self, rows: list[Input]) -> list[Output]` declares, read once."""

from __future__ import annotations

import collections.abc
import inspect
import math
import typing
from collections.abc import Hashable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter
from pydantic.json_schema import models_json_schema
from pydantic_core import PydanticSerializationError, SchemaValidator, ValidationError

from modelship_service.schema.envelope import bad_json, invalid, no_rows, rows_of
from modelship_service.schema.finite import finite_validator
from modelship_service.schema.row_columns import columns_of
from modelship_service.schema.rules import broken_rules
from modelship_service.schema.schema import Decoded, OutputError, SignatureError
from modelship_service.schema.signature import EXPECTED, check_load, hints_of_predict, line_of, shown, takes_one
from modelship_service.schema.tensor import TensorSpec

REF = "#/components/schemas/{model}"


class RowSchema:
    """`streams`: `predict(self, row: Input) -> Iterator[Output]`, a generator that is given one row."""

    kind = "rows"

    def __init__(
        self, input_type: type[BaseModel], output_type: type[BaseModel], max_rows: int, streams: bool = False
    ) -> None:
        self.input_type = input_type
        self.output_type = output_type
        self.max_rows = 1 if streams else max_rows
        self.streams = streams
        many = Annotated[list[input_type], Field(min_length=1, max_length=self.max_rows, fail_fast=False)]  # type: ignore[valid-type]
        self._one = finite_validator(TypeAdapter(input_type).core_schema)
        self._many = finite_validator(TypeAdapter(many).core_schema)
        self._outputs = TypeAdapter(list[output_type])  # type: ignore[valid-type]
        # Without the adapters, whose many options cost as much as the work.
        self._one_json = TypeAdapter(output_type).serializer.to_json
        self._many_json = self._outputs.serializer.to_json
        self.input_ref, self.output_ref, self.definitions = _json_schemas(input_type, output_type)
        self._names = {name for one in self.definitions.values() for name in one.get("properties", {})}
        row = self.definitions[self.input_ref["$ref"].rpartition("/")[2]]
        self._may_be_infinite = output_type.model_config.get("ser_json_inf_nan") == "strings"
        self._input_columns = columns_of(self.input_ref, self.definitions)
        self._output_columns = columns_of(self.output_ref, self.definitions)
        self.inputs: Sequence[TensorSpec] = [column.tensor for column in self._input_columns]
        self.outputs: Sequence[TensorSpec] = [column.tensor for column in self._output_columns]
        self.envelope_only = "rows" in row.get("properties", {})

    @classmethod
    def of(cls, model: type, max_rows: int) -> RowSchema:
        check_load(model)
        return cls(*_row_types(model), max_rows, inspect.isgeneratorfunction(model.predict))  # type: ignore[attr-defined]

    def input_json_schema(self) -> dict[str, Any]:
        return self.input_type.model_json_schema(mode="validation")

    def output_json_schema(self) -> dict[str, Any]:
        return self.output_type.model_json_schema(mode="serialization")

    def decode(self, body: bytes) -> Decoded:
        """The rows of a request body, each an instance of the user's Input."""
        raw = rows_of(body)
        if raw is not None:
            rows = self._validate(self._many, bytes(raw), "rows")
            return Decoded(rows, len(rows), many=True)
        if self.envelope_only:
            raise no_rows()
        return Decoded([self._validate(self._one, body, "")], 1, many=False)

    def encode(self, outputs: Any, decoded: Decoded) -> bytes:
        """The JSON answer for what `predict` returned."""
        checked = self._checked(outputs, decoded.rows)
        if decoded.many:
            encoded = b'{"rows":' + self._many_json(checked, by_alias=True) + b"}"
        else:
            encoded = self._one_json(checked[0], by_alias=True)
        # pydantic writes NaN as null, or as it is when told to: only then is a look at the values needed.
        if b"null" in encoded or b"NaN" in encoded or b"Infinity" in encoded:
            self._check_finite(checked)
        return encoded

    def from_tensors(self, tensors: Mapping[str, Any]) -> Decoded:
        # Imported late: a model of rows that is asked in JSON alone does without numpy.
        from modelship_service.schema.row_tensors import rows_of_tensors

        values = rows_of_tensors(tensors, self._input_columns, self.max_rows)
        try:
            # Tensors have their types; what the types of a strict model are in Python is not theirs to know.
            rows = self._many.validate_python(values, strict=False)
        except ValidationError as error:
            raise invalid(broken_rules(error, "rows", self._names), error.error_count()) from None
        return Decoded(rows, len(rows), many=True)

    def to_tensors(self, outputs: Any) -> dict[str, Any]:
        from modelship_service.schema.row_tensors import tensors_of_rows

        checked = self._checked(outputs, len(outputs))
        try:
            rows = self._outputs.dump_python(checked, mode="json", by_alias=True)
        except PydanticSerializationError as error:
            raise OutputError(f"predict returned what cannot be encoded: {error}") from None
        return tensors_of_rows(rows, self._output_columns, finite=not self._may_be_infinite)

    def bucket(self, inputs: list[Any]) -> Hashable:
        return None

    def slice(self, inputs: list[Any], start: int, stop: int) -> list[Any]:
        return inputs[start:stop]

    def call(self, model: Any, inputs: list[Any]) -> Any:
        return model.predict(inputs)

    def join(self, parts: Sequence[list[Any]]) -> list[Any]:
        return parts[0] if len(parts) == 1 else [row for part in parts for row in part]

    def split(self, outputs: Any, counts: Sequence[int]) -> list[list[Any]]:
        rows = _rows(outputs, sum(counts))
        if len(counts) == 1:
            return [rows]
        shares, start = [], 0
        for count in counts:
            shares.append(rows[start : start + count])
            start += count
        return shares

    def merge(self, parts: Sequence[list[Any]]) -> list[Any]:
        return self.join(parts)

    def _check_finite(self, outputs: list[Any]) -> None:
        if self._may_be_infinite:
            return
        path = _not_finite(self._outputs.dump_python(outputs), "rows")
        if path is not None:
            raise OutputError(f"predict returned a number that is not finite at {path}")

    def _validate(self, validator: SchemaValidator, text: bytes, start: str) -> Any:
        try:
            return validator.validate_json(text)
        except ValidationError as error:
            details = broken_rules(error, start, self._names)
            if details[0]["type"] == "json_invalid":
                raise bad_json(details[0]["rule"].removeprefix("Invalid JSON: ")) from None
            raise invalid(details, error.error_count()) from None

    def _checked(self, outputs: Any, wanted: int) -> list[Any]:
        rows = _rows(outputs, wanted)
        if all(isinstance(one, self.output_type) for one in rows):
            return rows
        try:
            return self._outputs.validate_python(rows)
        except ValidationError as error:
            first = broken_rules(error, "rows", self._names)[0]
            raise OutputError(
                f"predict returned something else than {self.output_type.__name__}: {first['path']}: {first['rule']}"
            ) from None


def _rows(outputs: Any, wanted: int) -> list[Any]:
    if not isinstance(outputs, (list, tuple)):
        raise OutputError(f"predict returned {type(outputs).__name__}, and a list is expected")
    if len(outputs) != wanted:
        raise OutputError(f"predict returned {len(outputs)} outputs for {wanted} rows")
    return list(outputs)


def _not_finite(value: Any, path: str) -> str | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else path
    if isinstance(value, dict):
        pairs = ((f"{path}.{key}", item) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        pairs = ((f"{path}[{index}]", item) for index, item in enumerate(value))
    else:
        return None
    return next((found for place, item in pairs if (found := _not_finite(item, place)) is not None), None)


def _json_schemas(
    input_type: type[BaseModel], output_type: type[BaseModel]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """References to both types, and all the definitions that they need."""
    refs, whole = models_json_schema(
        [(input_type, "validation"), (output_type, "serialization")], by_alias=True, ref_template=REF
    )
    return refs[(input_type, "validation")], refs[(output_type, "serialization")], whole["$defs"]


def _row_types(model: type) -> tuple[type[BaseModel], type[BaseModel]]:
    predict = getattr(model, "predict", None)
    if not callable(predict):
        raise SignatureError(f"class {model.__name__} has no predict method: {EXPECTED}")
    argument = takes_one(model, "predict", "rows: list[Input]")
    line = line_of(predict)
    if inspect.iscoroutinefunction(predict) or inspect.isasyncgenfunction(predict):
        raise SignatureError(f"{model.__name__}.predict must be a plain function that returns a list: {EXPECTED}", line)
    hints = hints_of_predict(model)
    place = f"{model.__name__}.predict: the"
    taken, given = hints.get(argument), hints.get("return")
    if inspect.isgeneratorfunction(predict):
        piece = (typing.get_args(given) or (None,))[0]
        return _pydantic(taken, f"{place} argument {argument} is", line), _pydantic(piece, f"{place} pieces are", line)
    return (
        _row_type(taken, f"{place} argument {argument}", line),
        _row_type(given, f"{place} return value", line),
    )


def _row_type(hint: Any, place: str, line: int | None) -> type[BaseModel]:
    if hint is None:
        raise SignatureError(f"{place} has no annotation; expected: {EXPECTED}", line)
    items = typing.get_args(hint)
    if typing.get_origin(hint) not in (list, collections.abc.Sequence) or len(items) != 1:
        raise SignatureError(f"{place} is annotated {shown(hint)}, which is no list; expected: {EXPECTED}", line)
    return _pydantic(items[0], f"{place} is a list of", line)


def _pydantic(hint: Any, what: str, line: int | None) -> type[BaseModel]:
    if not (inspect.isclass(hint) and issubclass(hint, BaseModel)):
        raise SignatureError(f"{what} {shown(hint)}, which is no pydantic model; expected: {EXPECTED}", line)
    return hint
