"""What the methods of the user's class declare, and how to name what is wrong with it."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from typing import Any

from modelship_service.schema.schema import SignatureError

_ROWS = "def predict(self, rows: list[Input]) -> list[Output], where Input and Output are pydantic models"
ARRAYS = 'def predict(self, image: Float32[np.ndarray, "n 3 224 224"]) -> Float32[np.ndarray, "n 1000"], from jaxtyping'
EXPECTED = f"{_ROWS}; or {ARRAYS}"

# By these a class of jaxtyping is known, which is never imported here.
_ARRAY = ("dtypes", "dim_str", "array_type")


def check_load(model: type) -> None:
    if not callable(getattr(model, "load", None)):
        raise SignatureError(f"class {model.__name__} has no load method: def load(self, files: Path) -> None")
    takes_one(model, "load", "files: Path")


def hints_of_predict(model: type) -> dict[str, Any]:
    predict = getattr(model, "predict", None)
    if not callable(predict):
        raise SignatureError(f"class {model.__name__} has no predict method: {EXPECTED}")
    try:
        return typing.get_type_hints(predict)
    except NameError as error:
        message = f"{model.__name__}.predict: an annotation cannot be read: {error}"
        raise SignatureError(message, line_of(predict)) from None


def declares_arrays(model: type) -> bool:
    """Whether an annotation of `predict` is an array, so that the others should be too."""
    return any(
        is_array(hint) or any(map(is_array, fields_of(hint).values())) for hint in hints_of_predict(model).values()
    )


def is_array(hint: Any) -> bool:
    return all(hasattr(hint, name) for name in _ARRAY)


def fields_of(hint: Any) -> dict[str, Any]:
    """The annotated fields of a NamedTuple, a TypedDict or a dataclass."""
    if typing.is_typeddict(hint):
        return typing.get_type_hints(hint)
    if not inspect.isclass(hint):
        return {}
    if dataclasses.is_dataclass(hint):
        names = [field.name for field in dataclasses.fields(hint)]
    elif issubclass(hint, tuple) and hasattr(hint, "_fields"):
        names = list(hint._fields)
    else:
        return {}
    hints = typing.get_type_hints(hint)
    return {name: hints.get(name) for name in names}


def takes_one(model: type, method: str, expected: str) -> str:
    names = [one.name for one in arguments(model, method)]
    if len(names) != 1:
        line = line_of(getattr(model, method))
        raise SignatureError(f"{model.__name__}.{method} must take one argument: ({expected})", line)
    return names[0]


def arguments(model: type, method: str) -> list[inspect.Parameter]:
    """Without `self`."""
    try:
        found = list(inspect.signature(getattr(model, method)).parameters.values())
    except (TypeError, ValueError):
        return []
    return found if isinstance(inspect.getattr_static(model, method), (staticmethod, classmethod)) else found[1:]


def line_of(function: Any) -> int | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_firstlineno if code else None


def shown(hint: Any) -> str:
    return hint.__name__ if inspect.isclass(hint) and not typing.get_args(hint) else str(hint).replace("typing.", "")
