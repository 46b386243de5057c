"""The model in a thread of its own: the only one that ever touches it."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelship_service.model.failure import Failure
from modelship_service.model.host import ModelHost
from modelship_service.model.load import Described, load_warm
from modelship_service.settings import Settings
from modelship_service.workers.pool import Pool
from modelship_service.workers.worker import Done

_PATIENCE_S = 0.5


# The thread has been woken: it should find the interpreter free, not wait for it and be woken again.
_give_way = getattr(os, "sched_yield", lambda: None)


class ModelThread:
    """Jobs and results are all that crosses between the event loop and the thread."""

    def __init__(self) -> None:
        self._host: ModelHost | None = None
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Done] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    async def load(self, make: Callable[[], tuple[ModelHost, Any]]) -> Any:
        """Make the host in its thread. Raises what `make` raises."""
        loaded: asyncio.Future[Any] = self._loop.create_future()

        def work() -> Any:
            try:
                self._host, made = make()
                return made, None
            except BaseException as error:
                return None, error

        self._jobs.put((work, lambda result: loaded.set_result(result) if not loaded.done() else None))
        made, error = await loaded
        if error is not None:
            raise error
        return made

    def run(self, operation: str, arguments: tuple[Any, ...], done: Done) -> None:
        method = getattr(self._host, operation)
        self._jobs.put((lambda: method(*arguments), done))
        _give_way()

    def stop(self, patience_s: float) -> bool:
        """Whether the thread came to its end; it does not when user code is still running."""
        self._jobs.put(None)
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, done = job
            try:
                result = work()
            except BaseException as error:
                result = Failure.of(error)
            try:
                self._loop.call_soon_threadsafe(done, result)
            except RuntimeError:
                return  # The loop is closed: the service has ended.
            job = work = done = result = None  # type: ignore[assignment]


class OneThread:
    """The workers of a service that has one."""

    def __init__(self, settings: Settings, project: Path, pool: Pool) -> None:
        self._settings = settings
        self._project = project
        self._pool = pool
        self._thread = ModelThread()

    async def start(self) -> dict[str, Described]:
        described: dict[str, Described] = await self._thread.load(lambda: load_warm(self._settings, self._project))
        self._pool.add(self._thread)
        return described

    def stop(self) -> bool:
        return self._thread.stop(_PATIENCE_S)
