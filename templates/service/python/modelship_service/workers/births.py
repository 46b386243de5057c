"""The processes of a service's workers, from their start to what they ended with."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from modelship_service.model.load import Described
from modelship_service.model.user_model import ModelFailed
from modelship_service.observe.logs import Log
from modelship_service.observe.metrics import Metrics
from modelship_service.workers import orders
from modelship_service.workers.aside import aside
from modelship_service.workers.channel import Channel
from modelship_service.workers.process import ModelProcess
from modelship_service.workers.spawn import Nursery

_PATIENCE_S = 0.5


class Births:
    """All the processes are children of this one. `described` is what the first of them said of models without code."""

    def __init__(self, workers: int, log: Log, metrics: Metrics) -> None:
        self.described: Mapping[str, Described] = {}
        self._workers = workers
        self._log = log
        self._metrics = metrics
        self._nursery: Nursery | None = None
        # Until a process that has loaded the model says that it must not be copied.
        self._copies = True
        self._lock = asyncio.Lock()
        self._channels: dict[int, Channel] = {}
        self._burial: asyncio.Future[None] | None = None

    async def begin(self) -> ModelProcess:
        """A worker that is ready. Raises ModelFailed, or EOFError when its process has died, as the log says."""
        pid, channel = await self._process()
        try:
            orders.checked(await channel.receive())
        except ModelFailed:
            await self._bury(pid)
            raise
        except EOFError:
            await self.died(pid)
            raise
        self._log.write("info", "worker_started", pid=pid)
        return ModelProcess(pid, channel)

    async def died(self, pid: int, event: str = "worker_died") -> None:
        self._metrics.worker_died()
        self._log.write("error", event, pid=pid, **await self._bury(pid))

    def stop(self) -> None:
        """After the event loop has ended: a worker that is idle ends by itself, and others are killed."""
        for channel in self._channels.values():
            channel.sock.close()
        left = set(self._channels)
        end = time.monotonic() + _PATIENCE_S
        while left and time.monotonic() < end:
            left = {pid for pid in left if _wait(pid, os.WNOHANG) is None}
            time.sleep(0.002)
        for pid in left:
            _kill(pid)
            _wait(pid)

    async def _process(self) -> tuple[int, Channel]:
        async with self._lock:
            if self._copies:
                nursery = self._nursery or await self._load()
                if nursery.copies:
                    self._adopt(nursery)
                    return await self._copy(nursery)
                self._copies = False
                return nursery.turn()
        return (await self._load()).turn()

    def _adopt(self, nursery: Nursery) -> None:
        """Its own death costs nothing until another worker is needed."""
        self._nursery = nursery
        nursery.channel.when_closed = self._lost
        if nursery.channel.closed:
            self._lost()

    def _lost(self) -> None:
        nursery, self._nursery = self._nursery, None
        if nursery is not None:
            self._burial = asyncio.ensure_future(self.died(nursery.pid, "nursery_died"))

    async def _load(self) -> Nursery:
        nursery = Nursery(self._workers)
        self._keep(nursery.pid, nursery.channel)
        try:
            await nursery.loaded()
        except ModelFailed:
            await self._bury(nursery.pid)
            raise
        except EOFError:
            await self.died(nursery.pid)
            raise
        self.described = nursery.described
        return nursery

    async def _copy(self, nursery: Nursery) -> tuple[int, Channel]:
        pid, channel = await nursery.copy()
        self._keep(pid, channel)
        return pid, channel

    def _keep(self, pid: int, channel: Channel) -> None:
        self._channels[pid] = channel
        self._metrics.processes.append(pid)

    async def _bury(self, pid: int) -> dict[str, Any]:
        """How it ended, as far as that is known. What has closed its socket and not ended is ended now."""
        self._channels.pop(pid).close()
        self._metrics.processes.remove(pid)
        _kill(pid)
        status = await aside(lambda: _wait(pid))
        if status is None or status < 0:
            return {}
        if os.WIFSIGNALED(status):
            return {"signal": signal.Signals(os.WTERMSIG(status)).name}
        return {"exit_code": os.waitstatus_to_exitcode(status)}


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _wait(pid: int, options: int = 0) -> int | None:
    """The status that a child ended with, None while it runs, and -1 when that cannot be known."""
    try:
        ended, status = os.waitpid(pid, options)
    except ChildProcessError:
        return -1
    return status if ended else None
