"""The project's example request: it is shown in documents, and asked once before the service is ready."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from modelship_service.errors import ApiError
from modelship_service.observe.logs import Log
from modelship_service.schema.schema import Decoded, Schema

_FILE = "examples/request.json"
_SHOWN_BYTES = 64 * 1024
_MAX_BYTES = 16 * 1024 * 1024


def read_example(project: Path, schema: Schema, log: Log) -> tuple[Any, Decoded | None]:
    """The example as JSON and as inputs, when there is one that the model's types accept; a large one is not shown."""
    path = project / _FILE
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return None, None
        text = path.read_bytes()
        decoded = schema.decode(text)
        return (msgspec.json.decode(text) if len(text) <= _SHOWN_BYTES else None), decoded
    except ApiError as error:
        problem = error.message
    except (OSError, msgspec.DecodeError) as error:
        problem = str(error)
    log.write("warning", "example_ignored", file=_FILE, reason=problem)
    return None, None
