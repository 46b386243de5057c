"""The project's example request: it is shown in documents, and asked once before the service is ready."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from modelship_service.errors import ApiError
from modelship_service.schema.schema import Decoded, Schema

EXAMPLE = "examples/request.json"
_SHOWN_BYTES = 64 * 1024
_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Example:
    """As JSON, which a large one is not shown as, and as inputs; or why it cannot be used."""

    shown: Any = None
    decoded: Decoded | None = None
    problem: str | None = None


def read_example(project: Path, schema: Schema) -> Example:
    """An empty one when there is none."""
    path = project / EXAMPLE
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return Example()
        text = path.read_bytes()
        decoded = schema.decode(text)
        return Example(msgspec.json.decode(text) if len(text) <= _SHOWN_BYTES else None, decoded)
    except ApiError as error:
        return Example(problem=error.message)
    except (OSError, msgspec.DecodeError) as error:
        return Example(problem=str(error))
