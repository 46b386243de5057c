"""A worker does one job at a time on the model, away from the event loop; workers are what a service has of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from modelship_service.model.load import Described

# The result of a job, or a Failure.
Done = Callable[[Any], None]


class Worker(Protocol):
    def run(self, operation: str, arguments: tuple[Any, ...], done: Done) -> None:
        """Have a method of ModelHost called; `done` is called in the event loop. Never while another job runs."""
        ...


class Workers(Protocol):
    async def start(self) -> dict[str, Described]:
        """Load the models, and give workers that are ready to the pool. Raises ModelFailed."""
        ...

    def stop(self) -> bool:
        """After the event loop has ended. Whether user code has come to its end in this process."""
        ...


class Watcher(Protocol):
    """Who is told how the workers are."""

    def workers_changed(self, complete: bool) -> None: ...

    def workers_failed(self) -> None:
        """They die too often, and are not replaced any more."""
        ...
