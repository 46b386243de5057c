"""The model card: what a model takes and gives, as data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from modelship_service.schema.schema import Schema
from modelship_service.settings import Settings


def card(settings: Settings, api: str, schema: Schema, methods: Iterable[str]) -> dict[str, Any]:
    return {
        "name": settings.name,
        "version": settings.version,
        "api": api,
        "kind": schema.kind,
        "image_digest": settings.image_digest,
        "methods": sorted(methods),
        "streams": schema.streams,
        "max_rows": schema.max_rows,
        "input": schema.input_json_schema(),
        "output": schema.output_json_schema(),
        "inputs": [{"name": t.name, "datatype": t.datatype, "shape": t.shape} for t in schema.inputs],
        "outputs": [{"name": t.name, "datatype": t.datatype, "shape": t.shape} for t in schema.outputs],
    }
