"""A worker does one job at a time on the model, away from the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

# The result of a job, or a Failure.
Done = Callable[[Any], None]


class Worker(Protocol):
    def run(self, operation: str, arguments: tuple[Any, ...], done: Done) -> None:
        """Have a method of ModelHost called; `done` is called in the event loop. Never while another job runs."""
        ...
