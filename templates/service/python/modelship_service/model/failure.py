"""What went wrong while the model worked on a request, as plain data that crosses threads and processes."""

from __future__ import annotations

from dataclasses import dataclass

from modelship_service.model import tracebacks
from modelship_service.schema.schema import OutputError


@dataclass(frozen=True)
class Failure:
    """`reason` is one line. `traceback` shows the user's frames; None when the model did not raise."""

    reason: str
    traceback: str | None = None
    died: bool = False

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        if isinstance(error, OutputError):
            return cls(str(error))
        return cls(tracebacks.summary(error), tracebacks.format_for_user(error))


class ModelRaised(Exception):
    """A request's share of a call of the model failed."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure
