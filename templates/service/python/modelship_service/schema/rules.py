"""What is wrong with an input: the path and the rule, in plain words, and nothing of the input itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic_core import ValidationError

SHOWN = 20
_TOO_MANY = 2_000

_WORDS = {
    "missing": "a value is needed",
    "too_short": "at least {min_length} {items} needed",
    "too_long": "at most {max_length} {items} allowed",
    "string_too_short": "at least {min_length} characters are needed",
    "string_too_long": "at most {max_length} characters are allowed",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "multiple_of": "must be a multiple of {multiple_of}",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a string",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dataclass_type": "must be an object",
    "extra_forbidden": "a field that the model does not take",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "string_pattern_mismatch": "must match {pattern}",
    "union_tag_invalid": "{discriminator} must be one of {expected_tags}",
}


def broken_rules(error: ValidationError, start: str, names: Collection[str]) -> list[dict[str, str]]:
    """Each broken rule with its path. `start` is where the path begins, `names` are the names the schema knows."""
    if error.error_count() > _TOO_MANY:
        return [{"path": start or "body", "rule": f"{error.error_count()} rules are broken", "type": "too_many"}]
    found = error.errors(include_url=False, include_input=False)
    return [
        {"path": _path(start, one["loc"], names), "rule": rule_of(one), "type": one["type"]} for one in found[:SHOWN]
    ]


def _path(start: str, loc: tuple[int | str, ...], names: Collection[str]) -> str:
    """A name that is not of the schema came with the request, so it is shown as `*`."""
    path = start
    for step in loc:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += ("." if path else "") + (step if step in names else "*")
    return path or "body"


def rule_of(one: Any) -> str:
    """In words, from pydantic's `type`, `ctx` and `msg`."""
    context = dict(one.get("ctx") or {})
    words = _WORDS.get(one["type"])
    if words is not None:
        count = context.get("min_length", context.get("max_length"))
        context["items"] = "item is" if count == 1 else "items are"
        try:
            return words.format(**context)
        except KeyError:
            pass
    message = str(one["msg"])
    if one["type"] in ("value_error", "assertion_error"):
        return message.partition(", ")[2] or message
    if "error" in context:
        # What follows the comma quotes the input.
        message = message.partition(",")[0]
    return message.removeprefix("Input ") if message.startswith("Input ") else message
