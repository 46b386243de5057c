"""The one thread that touches the user's model, and the bounded queue in front of it."""

from __future__ import annotations

import asyncio
import math
import queue
import threading
import time
from collections.abc import Callable
from typing import Any


class QueueFull(Exception):
    """More rows are waiting than are allowed to."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("the queue is full")
        self.retry_after = retry_after


class _Job:
    __slots__ = ("future", "rows", "work")

    def __init__(self, future: asyncio.Future[Any], rows: int, work: Callable[[], Any]) -> None:
        self.future = future
        self.rows = rows
        self.work = work


class ModelThread:
    """Counters belong to the event loop, the model to the thread; jobs and results are all that crosses."""

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._rows = 0
        self._seconds_per_row = 0.0
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def submit(self, work: Callable[[], Any], rows: int = 0) -> asyncio.Future[Any]:
        """Have `work` done in the thread. A request alone may be of any size; behind others it has to fit."""
        if self._rows and self._rows + rows > self._max_rows:
            raise QueueFull(min(60, max(1, math.ceil(self._rows * self._seconds_per_row))))
        self._rows += rows
        job = _Job(self._loop.create_future(), rows, work)
        self._jobs.put(job)
        return job.future

    def stop(self, patience_s: float) -> bool:
        """Whether the thread came to its end; it does not when user code is still running."""
        self._jobs.put(None)
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            result: Any = None
            error: BaseException | None = None
            started = time.monotonic()
            # Whoever waited is gone after a timeout: the answer would be thrown away.
            if not job.future.cancelled():
                try:
                    result = job.work()
                except BaseException as problem:
                    error = problem
            try:
                self._loop.call_soon_threadsafe(self._done, job, result, error, time.monotonic() - started)
            except RuntimeError:
                return  # The loop is closed: the service has ended.
            job = result = error = None

    def _done(self, job: _Job, result: Any, error: BaseException | None, seconds: float) -> None:
        self._rows -= job.rows
        if job.future.cancelled():
            return
        if job.rows:
            self._seconds_per_row += 0.2 * (seconds / job.rows - self._seconds_per_row)
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(ModelRaised(error))


class ModelRaised(Exception):
    """What the work raised; wrapped, since a future takes no StopIteration and must not see SystemExit."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error
