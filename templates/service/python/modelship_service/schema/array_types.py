"""What `predict` of a model of arrays declares, read from jaxtyping's annotations without importing jaxtyping."""

from __future__ import annotations

import inspect
import re
import typing
from dataclasses import dataclass
from typing import Any

from modelship_service.schema import datatypes
from modelship_service.schema.schema import SignatureError
from modelship_service.schema.signature import (
    ARRAYS,
    arguments,
    fields_of,
    hints_of_predict,
    is_array,
    line_of,
    shown,
)
from modelship_service.schema.tensor import TensorSpec

OUTPUT = "output"
_NOT_PLAIN = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class ArraySpec:
    """`dims` follow the batch: a length, a name where it is free, `_` where it is free and has none."""

    name: str
    datatype: str
    dims: tuple[int | str, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        """-1 where a length is free."""
        return tuple(dim if isinstance(dim, int) else -1 for dim in self.dims)

    def tensor(self, batch: int = -1) -> TensorSpec:
        return TensorSpec(self.name, self.datatype, (batch, *self.lengths))


def read_arrays(model: type) -> tuple[list[ArraySpec], list[ArraySpec]]:
    """Inputs and outputs of `predict`. One output is named `output`."""
    hints = hints_of_predict(model)
    predict = model.predict  # type: ignore[attr-defined]
    reader = _Reader(f"{model.__name__}.predict", line_of(predict))
    if any(kind(predict) for kind in _NOT_PLAIN):
        raise reader.error(f"a function of arrays must be a plain one, that returns them; expected: {ARRAYS}")
    inputs = [reader.argument(one, hints.get(one.name)) for one in arguments(model, "predict")]
    if not inputs:
        raise reader.error(f"it takes no arrays; expected: {ARRAYS}")
    return inputs, reader.returned(hints.get("return"))


class _Reader:
    """Keeps the batch's name, which is the same everywhere."""

    def __init__(self, place: str, line: int | None) -> None:
        self._place = place
        self._line = line
        self._batch: str | None = None

    def error(self, message: str) -> SignatureError:
        return SignatureError(f"{self._place}: {message}", self._line)

    def argument(self, parameter: inspect.Parameter, hint: Any) -> ArraySpec:
        what = f"argument {parameter.name}"
        if parameter.kind not in _KEYWORD:
            raise self.error(f"the {what} cannot be given by its name; expected: {ARRAYS}")
        if parameter.default is not parameter.empty:
            raise self.error(f"the {what} has a default, and all inputs of a model of arrays are needed")
        return self._spec(parameter.name, hint, what)

    def returned(self, hint: Any) -> list[ArraySpec]:
        fields = fields_of(hint)
        if fields:
            return [self._spec(name, one, f"field {name} of {shown(hint)}") for name, one in fields.items()]
        if typing.get_origin(hint) is tuple:
            raise self.error("several outputs need names: return a NamedTuple, a TypedDict or a dataclass of arrays")
        return [self._spec(OUTPUT, hint, "return value")]

    def _spec(self, name: str, hint: Any, what: str) -> ArraySpec:
        if hint is None:
            raise self.error(f"the {what} has no annotation; expected: {ARRAYS}")
        if not is_array(hint):
            raise self.error(f"the {what} is annotated {shown(hint)}, which is no array; expected: {ARRAYS}")
        if getattr(hint.array_type, "__name__", "") != "ndarray":
            raise self.error(f"the {what} is {shown(hint)}: only np.ndarray can be served; convert inside predict")
        datatype = self._datatype(hint, what)
        batch, *dims = self._dims(hint, what)
        if not isinstance(batch, str) or batch == "_":
            raise self.error(f"the {what} is {shown(hint)}: the first dimension must be the batch, as in {ARRAYS}")
        if batch != (self._batch or batch):
            raise self.error(
                f"the {what} is {shown(hint)}: its first dimension is {batch}, and {self._batch} before:"
                " the batch has one name everywhere"
            )
        if batch in dims:
            raise self.error(f"the {what} is {shown(hint)}: only the first dimension can be the batch, {batch}")
        self._batch = batch
        return ArraySpec(name, datatype, tuple(dims))

    def _datatype(self, hint: Any, what: str) -> str:
        if not isinstance(hint.dtypes, (list, tuple)):
            return "BYTES"  # Shaped: no dtype is asked for, as strings have none of a fixed size.
        found = {datatypes.datatype_named(one) if isinstance(one, str) else None for one in hint.dtypes}
        datatype = next(iter(found))
        if len(found) > 1:
            raise self.error(f"the {what} is {shown(hint)}, which allows several dtypes: name one, as in Float32")
        if datatype is None:
            raise self.error(f"the {what} is {shown(hint)}, a dtype that tensors of the protocol do not have")
        try:
            datatypes.dtype_of(datatype)
        except ImportError:
            raise self.error(f"the {what} is {shown(hint)}, which needs the package ml_dtypes") from None
        return datatype

    def _dims(self, hint: Any, what: str) -> list[int | str]:
        dims: list[int | str] = []
        for word in hint.dim_str.split():
            length = re.fullmatch(r"(?:[A-Za-z_]\w*=)?(\d+)", word)
            if length:
                dims.append(int(length[1]))
            elif re.fullmatch(r"[A-Za-z_]\w*", word):
                dims.append("_" if word.startswith("_") else word)
            else:
                raise self.error(f"the {what} is {shown(hint)}: {word} is neither a length nor a name")
        if not dims:
            raise self.error(f"the {what} is {shown(hint)}, which has no dimension for the batch")
        return dims
