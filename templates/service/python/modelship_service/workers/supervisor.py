"""N workers as processes: replaced when they die, and given up when they die too often."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path

from modelship_service.model.load import Described, read_models
from modelship_service.model.user_model import ModelFailed
from modelship_service.observe.logs import Log
from modelship_service.observe.metrics import Metrics
from modelship_service.settings import Settings
from modelship_service.workers.aside import aside
from modelship_service.workers.births import Births
from modelship_service.workers.fork import adopt_orphans
from modelship_service.workers.pool import Pool
from modelship_service.workers.process import ModelProcess
from modelship_service.workers.worker import Watcher

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 10.0
# Deaths are counted over this time, and after so long a life a pause is the first again.
_PERIOD_S = 60.0


class Processes:
    """Lives in the event loop."""

    def __init__(
        self, settings: Settings, project: Path, pool: Pool, log: Log, metrics: Metrics, watcher: Watcher
    ) -> None:
        self._settings = settings
        self._project = project
        self._pool = pool
        self._log = log
        self._watcher = watcher
        self._births = Births(settings.workers, log, metrics)
        self._keepers: list[asyncio.Task[None]] = []
        self._reading: asyncio.Task[dict[str, Described]] | None = None
        self._ready = 0
        self._loop = asyncio.get_running_loop()
        self._complete: asyncio.Future[None] = self._loop.create_future()
        self._deaths: deque[float] = deque()

    async def start(self) -> dict[str, Described]:
        """Returns when all workers are ready. The service itself reads the user's classes, and loads nothing."""
        adopt_orphans()
        self._reading = asyncio.ensure_future(aside(lambda: read_models(self._settings, self._project)))
        self._keepers = [asyncio.ensure_future(self._keep()) for _ in range(self._settings.workers)]
        try:
            described, _ = await asyncio.gather(self._reading, self._complete)
        except BaseException:
            self._give_up()
            raise
        return {api: described.get(api) or self._births.described[api] for api in self._settings.entry}

    def stop(self) -> bool:
        self._births.stop()
        return self._reading is None or (self._reading.done() and not self._reading.cancelled())

    async def _keep(self) -> None:
        """One worker of the N: there, or coming back."""
        pause = _FIRST_PAUSE_S
        while True:
            began = self._loop.time()
            try:
                await self._serve(await self._births.begin())
            except ModelFailed as failed:
                if not self._complete.done():
                    self._complete.set_exception(failed)
                    return self._give_up()
                self._log.write("error", "worker_failed", stage=failed.stage, reason=failed.reason)
            except EOFError:
                pass  # Its death is in the log.
            except OSError as error:
                self._log.write("error", "worker_failed", stage="start", reason=str(error))
            if self._died_too_often():
                return self._fail()
            if self._loop.time() - began > _PERIOD_S:
                pause = _FIRST_PAUSE_S
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _serve(self, worker: ModelProcess) -> None:
        # It may have died while its word that it is ready was on its way.
        if not worker.dead.done():
            slot = self._pool.add(worker)
            worker.when_dead = lambda failure: self._pool.remove(slot, failure)
            self._count(1)
            await worker.dead
            self._count(-1)
        await self._births.died(worker.pid)

    def _count(self, change: int) -> None:
        self._ready += change
        complete = self._ready == self._settings.workers
        self._watcher.workers_changed(complete)
        if complete and not self._complete.done():
            self._complete.set_result(None)

    def _died_too_often(self) -> bool:
        now = self._loop.time()
        self._deaths.append(now)
        while now - self._deaths[0] > _PERIOD_S:
            self._deaths.popleft()
        return len(self._deaths) >= self._settings.max_worker_deaths

    def _fail(self) -> None:
        self._log.write("error", "workers_failed", deaths=len(self._deaths), within_s=_PERIOD_S)
        self._give_up()
        self._watcher.workers_failed()

    def _give_up(self) -> None:
        """Nothing is replaced any more. What lives goes on with what it has."""
        for keeper in self._keepers:
            if keeper is not asyncio.current_task():
                keeper.cancel()
