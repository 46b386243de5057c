"""From the user's class to its schema: rows or arrays, as the annotations of `predict` say."""

from __future__ import annotations

from modelship_service.schema.rows import RowSchema
from modelship_service.schema.schema import Schema
from modelship_service.schema.signature import check_load, declares_arrays


def read_schema(model: type, max_rows: int) -> Schema:
    """Raises SignatureError, with the line, when the class has neither shape."""
    check_load(model)
    if declares_arrays(model):
        # Imported late, as it brings numpy.
        from modelship_service.schema.arrays import ArraySchema

        return ArraySchema.of(model, max_rows)
    return RowSchema.of(model, max_rows)
