"""Nested lists of JSON, checked while they are parsed, for models of arrays: types, lengths and ranges."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from modelship_service.schema import datatypes
from modelship_service.schema.datatypes import Array
from modelship_service.schema.envelope import invalid, not_json
from modelship_service.schema.rules import rule_of

# msgspec's messages name types, limits and places, never values; only an unknown field's name came with the request.
_UNKNOWN = "Object contains unknown field "
_PLACE = re.compile(r"(?P<said>.*) - at `\$(?P<place>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)
_LENGTH = re.compile(r"Expected `array` of length (?P<least>>=|<=) (?P<count>\d+)")
_LIMIT = re.compile(r"Expected `int` (?P<least>>=|<=) (?P<limit>-?\d+)")
_TYPES = {
    "float": "float_type",
    "int": "int_type",
    "bool": "bool_type",
    "str": "string_type",
    "array": "list_type",
    "object": "model_type",
}


def nested(datatype: str, lengths: Sequence[int]) -> Any:
    """The type of nested lists, one level for each length; -1 where it is free."""
    kind = datatypes.json_type(datatype)
    for length in reversed(lengths):
        kind = list[kind]  # type: ignore[valid-type]
        if length >= 0:
            kind = Annotated[kind, msgspec.Meta(min_length=length, max_length=length)]
    return kind


def decode(decoder: msgspec.json.Decoder[Any], text: bytes | msgspec.Raw, start: str) -> Any:
    """What the decoder makes of the text, or what is wrong with it: `start` is where paths begin."""
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise invalid([_broken(str(error), start)]) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise not_json(error) from None


class Refused(Exception):
    """A value, at these indices of nested lists, that breaks a rule."""

    def __init__(self, indices: tuple[int, ...], rule: str, kind: str) -> None:
        super().__init__(rule)
        self.indices = indices
        self.rule = rule
        self.kind = kind


def to_array(values: Any, datatype: str, lengths: Sequence[int], finite: bool = True) -> Array:
    """Checked nested lists as an array. Each list of a level has as many items as the others; Refused otherwise."""
    try:
        array = datatypes.from_json(values, datatype, finite)
    except OverflowError:
        raise _too_large(values, datatype) from None
    except (TypeError, ValueError):
        raise _ragged(values, len(lengths)) from None
    if array.ndim == len(lengths):
        return array
    if array.size:
        raise _ragged(values, len(lengths))
    # Lists that end early because one is empty: numpy cannot see the lengths below it.
    return array.reshape(array.shape + tuple(max(length, 0) for length in lengths[array.ndim :]))


def _ragged(values: Any, depth: int) -> Refused:
    level: list[tuple[tuple[int, ...], Any]] = [((), values)]
    for _ in range(depth):
        wanted = len(level[0][1])
        for indices, one in level:
            if len(one) != wanted:
                return Refused(indices, f"must have {wanted} items, as the lists before it have", "ragged")
        level = [((*indices, index), item) for indices, one in level for index, item in enumerate(one)]
    return Refused((), "must have lists of equal lengths", "ragged")


def _too_large(values: Any, datatype: str) -> Refused:
    indices: tuple[int, ...] = ()
    while isinstance(values, list):
        index = next((index for index, one in enumerate(values) if not _fits(one, datatype)), 0)
        indices, values = (*indices, index), values[index]
    if isinstance(values, float) and not math.isfinite(values):
        return Refused(indices, "must be a finite number", "finite_number")
    low, high = datatypes.bounds(datatype)
    return Refused(indices, f"must be {low} or more" if values < 0 else f"must be {high} or less", "out_of_range")


def _fits(values: Any, datatype: str) -> bool:
    try:
        datatypes.from_json(values, datatype)
    except OverflowError:
        return False
    return True


def _broken(message: str, start: str) -> dict[str, str]:
    found = _PLACE.fullmatch(message)
    said, place = (found["said"], found["place"]) if found else (message, "")
    path = start + place if start else place.removeprefix(".")
    if said.startswith(_UNKNOWN):
        # The name may look like a place.
        path = start + (place if re.fullmatch(r"\[\d+\]", place) else "")
        return _rule(f"{path}.*" if path else "*", "extra_forbidden")
    if missing := _MISSING.fullmatch(said):
        return _rule(f"{path}.{missing['name']}" if path else missing["name"], "missing")
    if length := _LENGTH.fullmatch(said):
        if length["least"] == ">=":
            return _rule(path, "too_short", min_length=int(length["count"]))
        return _rule(path, "too_long", max_length=int(length["count"]))
    if limit := _LIMIT.fullmatch(said):
        if limit["least"] == ">=":
            return _rule(path, "greater_than_equal", ge=limit["limit"])
        return _rule(path, "less_than_equal", le=limit["limit"])
    if said == "Number out of range":
        return _rule(path, "finite_number")
    wanted = re.match(r"Expected `(\w+)", said)
    return _rule(path, _TYPES.get(wanted[1], "wrong_type") if wanted else "wrong_type")


def _rule(path: str, kind: str, **context: Any) -> dict[str, str]:
    rule = rule_of({"type": kind, "ctx": context, "msg": "has a wrong type"})
    return {"path": path or "body", "rule": rule, "type": kind}
