"""From the user's class to its schema: rows or arrays, as the annotations of `predict` say, or neither without it."""

from __future__ import annotations

from modelship_service.schema.methods import read_methods
from modelship_service.schema.no_predict import NoPredict
from modelship_service.schema.rows import RowSchema
from modelship_service.schema.schema import Schema
from modelship_service.schema.signature import check_load, declares_arrays


def read_schema(model: type, max_rows: int) -> Schema:
    """Raises SignatureError, with the line, when the class has neither shape."""
    check_load(model)
    methods = read_methods(model)
    if methods and "predict" not in methods:
        return NoPredict(next(iter(methods)), max_rows)
    if declares_arrays(model):
        # Imported late, as it brings numpy.
        from modelship_service.schema.arrays import ArraySchema

        return ArraySchema.of(model, max_rows)
    return RowSchema.of(model, max_rows)
