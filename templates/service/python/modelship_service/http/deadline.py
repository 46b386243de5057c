"""A time limit for a block of async code, without a task of its own."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Deadline:
    """`with Deadline(seconds):` raises TimeoutError in the block when its time is up."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._expired = False

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def _expire(self) -> None:
        self._expired = True
        if self._task is not None:
            self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._timer.cancel()
        if self._expired and kind is not None and issubclass(kind, asyncio.CancelledError):
            if hasattr(self._task, "uncancel"):
                self._task.uncancel()  # type: ignore[union-attr]
            raise TimeoutError from error
