"""Validators that refuse NaN and infinity, wherever a type does not ask for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic_core import SchemaValidator

_DATA = frozenset({"cls", "config", "default", "expected", "metadata", "serialization"})
_BY_NAME = frozenset({"fields", "choices"})
_ITEMS = frozenset({"list", "tuple", "set", "frozenset"})


def finite_validator(core_schema: Mapping[str, Any]) -> SchemaValidator:
    """The schema's validator, where a float is finite unless its field or its model says `allow_inf_nan=True`.

    A list stops at its first wrong item, so that a large wrong request costs no more than a right one.
    """
    classes: set[type] = set()
    schema = _finite(core_schema, True, classes)
    with _built_anew(classes):
        return SchemaValidator(schema)


def _finite(node: Any, refuse: bool, classes: set[type]) -> Any:
    if isinstance(node, (list, tuple)):
        return type(node)(_finite(item, refuse, classes) for item in node)
    if not isinstance(node, Mapping):
        return node
    config = node.get("config")
    if config:
        refuse = not config.get("allow_inf_nan", False)
    changed: dict[str, Any] = {}
    for key, value in node.items():
        if key in _DATA:
            changed[key] = value
        elif key in _BY_NAME and isinstance(value, Mapping):
            changed[key] = {name: _finite(item, refuse, classes) for name, item in value.items()}
        else:
            changed[key] = _finite(value, refuse, classes)
    kind = node.get("type")
    if kind == "float":
        changed.setdefault("allow_inf_nan", not refuse)
    elif kind in _ITEMS:
        changed.setdefault("fail_fast", True)
    elif kind in ("model", "dataclass"):
        classes.add(node["cls"])
    return changed


@contextmanager
def _built_anew(classes: set[type]) -> Iterator[None]:
    """pydantic reuses the validator of a class that is complete, and with it the floats that we changed."""
    complete = [cls for cls in classes if cls.__dict__.get("__pydantic_complete__") is True]
    for cls in complete:
        cls.__pydantic_complete__ = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for cls in complete:
            cls.__pydantic_complete__ = True  # type: ignore[attr-defined]
