"""The row view of a model: what `predict(self, rows: list[Input]) -> list[Output]` declares, read once."""

from __future__ import annotations

import collections.abc
import inspect
import math
import typing
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, Field, TypeAdapter
from pydantic.json_schema import models_json_schema
from pydantic_core import SchemaValidator, ValidationError

from modelship_service.errors import ApiError
from modelship_service.schema.finite import finite_validator
from modelship_service.schema.rules import broken_rules

EXPECTED = "def predict(self, rows: list[Input]) -> list[Output], where Input and Output are pydantic models"
REF = "#/components/schemas/{model}"


class SignatureError(Exception):
    """The user's class does not have the methods that we call."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class OutputError(Exception):
    """`predict` returned something that its annotation does not promise."""


class _Envelope(msgspec.Struct):
    rows: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_envelope = msgspec.json.Decoder(_Envelope)
_any_json = msgspec.json.Decoder(msgspec.Raw)


@dataclass(frozen=True)
class Rows:
    """Validated rows of one request, and whether they came as `{"rows": [...]}`."""

    items: list[Any]
    in_envelope: bool


class RowSchema:
    def __init__(self, input_type: type[BaseModel], output_type: type[BaseModel], max_rows: int) -> None:
        self.input_type = input_type
        self.output_type = output_type
        self.max_rows = max_rows
        many = Annotated[list[input_type], Field(min_length=1, max_length=max_rows, fail_fast=False)]  # type: ignore[valid-type]
        self._one = finite_validator(TypeAdapter(input_type).core_schema)
        self._many = finite_validator(TypeAdapter(many).core_schema)
        self._output = TypeAdapter(output_type)
        self._outputs = TypeAdapter(list[output_type])  # type: ignore[valid-type]
        self.input_ref, self.output_ref, self.definitions = _json_schemas(input_type, output_type)
        self._names = {name for one in self.definitions.values() for name in one.get("properties", {})}
        row = self.definitions[self.input_ref["$ref"].rpartition("/")[2]]
        self.envelope_only = "rows" in row.get("properties", {})

    @classmethod
    def of(cls, model: type, max_rows: int) -> RowSchema:
        _check_load(model)
        return cls(*_row_types(model), max_rows)

    def decode(self, body: bytes) -> Rows:
        """The rows of a request body, each an instance of the user's Input."""
        raw = _rows_of(body)
        if raw is not None:
            return Rows(self._validate(self._many, bytes(raw), "rows"), in_envelope=True)
        if self.envelope_only:
            raise _invalid([{"path": "rows", "rule": "a value is needed", "type": "missing"}])
        return Rows([self._validate(self._one, body, "")], in_envelope=False)

    def encode(self, outputs: Any, rows: Rows) -> bytes:
        """The JSON answer for what `predict` returned."""
        checked = self._checked(outputs, len(rows.items))
        if rows.in_envelope:
            encoded = b'{"rows":' + self._outputs.dump_json(checked, by_alias=True) + b"}"
        else:
            encoded = self._output.dump_json(checked[0], by_alias=True)
        # pydantic writes NaN as null, or as it is when told to: only then is a look at the values needed.
        if b"null" in encoded or b"NaN" in encoded or b"Infinity" in encoded:
            self._check_finite(checked)
        return encoded

    def _check_finite(self, outputs: list[Any]) -> None:
        if self.output_type.model_config.get("ser_json_inf_nan") == "strings":
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
                raise _bad_json(details[0]["rule"].removeprefix("Invalid JSON: ")) from None
            raise _invalid(details, error.error_count()) from None

    def _checked(self, outputs: Any, wanted: int) -> list[Any]:
        if not isinstance(outputs, (list, tuple)):
            raise OutputError(f"predict returned {type(outputs).__name__}, and a list is expected")
        if len(outputs) != wanted:
            raise OutputError(f"predict returned {len(outputs)} outputs for {wanted} rows")
        if all(isinstance(one, self.output_type) for one in outputs):
            return list(outputs)
        try:
            return self._outputs.validate_python(list(outputs))
        except ValidationError as error:
            first = broken_rules(error, "rows", self._names)[0]
            raise OutputError(
                f"predict returned something else than {self.output_type.__name__}: {first['path']}: {first['rule']}"
            ) from None


def _rows_of(body: bytes) -> msgspec.Raw | None:
    """The text of `rows` when the body is an object that has it. Refuses what is not JSON, NaN included."""
    if not body:
        raise _bad_json("the body is empty")
    try:
        try:
            rows = _envelope.decode(body).rows
        except msgspec.ValidationError:
            _any_json.decode(body)
            return None
    except msgspec.DecodeError as error:
        raise _bad_json(str(error)) from None
    except (RecursionError, UnicodeDecodeError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else "it is not UTF-8"
        raise _bad_json(reason) from None
    return None if rows is msgspec.UNSET else rows


def _bad_json(reason: str) -> ApiError:
    return ApiError(400, "invalid_json", f"the body is not the JSON that is expected: {reason}")


def _invalid(details: list[dict[str, str]], count: int = 1) -> ApiError:
    first = details[0]
    message = f"{first['path']}: {first['rule']}"
    if count > 1 and first["type"] != "too_many":
        message += f" (and {count - 1} more)"
    return ApiError(422, "invalid_input", message, details=details)


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


def _check_load(model: type) -> None:
    load = getattr(model, "load", None)
    if not callable(load):
        raise SignatureError(f"class {model.__name__} has no load method: def load(self, files: Path) -> None")
    _takes_one(model, "load", "files: Path")


def _row_types(model: type) -> tuple[type[BaseModel], type[BaseModel]]:
    if not callable(getattr(model, "predict", None)):
        raise SignatureError(f"class {model.__name__} has no predict method: {EXPECTED}")
    argument = _takes_one(model, "predict", "rows: list[Input]")
    predict = model.predict  # type: ignore[attr-defined]
    line = _line(predict)
    if inspect.iscoroutinefunction(predict) or inspect.isgeneratorfunction(predict):
        raise SignatureError(f"{model.__name__}.predict must be a plain function that returns a list: {EXPECTED}", line)
    try:
        hints = typing.get_type_hints(predict)
    except NameError as error:
        raise SignatureError(f"{model.__name__}.predict: an annotation cannot be read: {error}", line) from None
    return (
        _row_type(model, hints.get(argument), f"argument {argument}", line),
        _row_type(model, hints.get("return"), "return value", line),
    )


def _row_type(model: type, hint: Any, what: str, line: int | None) -> type[BaseModel]:
    place = f"{model.__name__}.predict: the {what}"
    if hint is None:
        raise SignatureError(f"{place} has no annotation; expected: {EXPECTED}", line)
    items = typing.get_args(hint)
    if typing.get_origin(hint) not in (list, collections.abc.Sequence) or len(items) != 1:
        raise SignatureError(f"{place} is annotated {_shown(hint)}, which is no list; expected: {EXPECTED}", line)
    if not (inspect.isclass(items[0]) and issubclass(items[0], BaseModel)):
        raise SignatureError(
            f"{place} is a list of {_shown(items[0])}, which is no pydantic model; expected: {EXPECTED}", line
        )
    return items[0]


def _takes_one(model: type, method: str, expected: str) -> str:
    function = getattr(model, method)
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = []
    if isinstance(inspect.getattr_static(model, method), (staticmethod, classmethod)):
        names.insert(0, "self")
    if len(names) != 2:
        raise SignatureError(f"{model.__name__}.{method} must take one argument: ({expected})", _line(function))
    return names[1]


def _line(function: Any) -> int | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_firstlineno if code else None


def _shown(hint: Any) -> str:
    return hint.__name__ if inspect.isclass(hint) and not typing.get_args(hint) else str(hint).replace("typing.", "")
