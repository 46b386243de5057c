"""What the service and the processes of its workers say to each other, beside jobs and their results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelship_service.model.user_model import ModelFailed

# To a process that has loaded the model, one byte: be copied, with the copy's socket, or work yourself.
FORK = b"f"
WORK = b"w"

# From it: whether it may be copied, and what there is to know of models without code.
LOADED = "loaded"
# The id of the copy.
FORKED = "forked"
# From a worker, warmed up.
READY = "ready"
FAILED = "failed"


def failed(error: BaseException, project: Path) -> tuple[str, str, str, str]:
    told = error if isinstance(error, ModelFailed) else ModelFailed.from_exception("load", error, project)
    return FAILED, told.stage, told.reason, told.shown


def checked(message: tuple[Any, ...]) -> tuple[Any, ...]:
    """What follows the name of a message. Raises ModelFailed."""
    name, *told = message
    if name == FAILED:
        raise ModelFailed(*told)
    return tuple(told)
