"""How the fields of a row show as tensors: read from their JSON Schema, without numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from modelship_service.schema.tensor import TensorSpec

_SCALARS = {"boolean": "BOOL", "integer": "INT64", "number": "FP64", "string": "BYTES"}


@dataclass(frozen=True)
class Column:
    """A field over all rows, or with `whole` all of each row, where a row is no object.

    `form` is how BYTES hold it: `text`, `raw` bytes, or `json` for what is no tensor.
    """

    name: str
    datatype: str
    lengths: tuple[int, ...] = ()
    form: str = "text"
    needed: bool = True
    whole: bool = False

    @property
    def tensor(self) -> TensorSpec:
        return TensorSpec(self.name, self.datatype, (-1, *self.lengths))


def columns_of(ref: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[Column]:
    row = _resolved(ref, definitions)
    if row.get("type") != "object" or "properties" not in row:
        return [replace(_column("row", row, definitions, True), whole=True)]
    needed = row.get("required", ())
    return [_column(name, field, definitions, name in needed) for name, field in row["properties"].items()]


def _column(name: str, field: Mapping[str, Any], definitions: Mapping[str, Any], needed: bool) -> Column:
    lengths: list[int] = []
    item = _resolved(field, definitions)
    while item.get("type") == "array":
        least, most = item.get("minItems"), item.get("maxItems")
        lengths.append(least if least is not None and least == most else -1)
        kinds = item.get("prefixItems", [item.get("items", {})])
        # A tuple is a list when all its items are alike.
        if ("items" in item and "prefixItems" in item) or any(_shape(one) != _shape(kinds[0]) for one in kinds):
            break
        item = _resolved(kinds[0], definitions)
    datatype = _scalar(item)
    if datatype is None:
        return Column(name, "BYTES", (), "json", needed)
    return Column(name, datatype, tuple(lengths), "raw" if item.get("format") == "binary" else "text", needed)


def _scalar(item: Mapping[str, Any]) -> str | None:
    values = item.get("enum", [item["const"]] if "const" in item else None)
    if values is None:
        kind = item.get("type")
        return _SCALARS.get(kind) if isinstance(kind, str) else None
    if all(isinstance(value, str) for value in values):
        return "BYTES"
    return "INT64" if all(type(value) is int for value in values) else None


def _shape(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in ("title", "description", "default", "examples")}


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference refers to; pydantic wraps one that has a default in `allOf`."""
    if len(schema.get("allOf", ())) == 1:
        schema = schema["allOf"][0]
    if "$ref" in schema:
        return _resolved(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return schema
