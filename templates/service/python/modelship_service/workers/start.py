"""The one place that chooses between a thread and processes."""

from __future__ import annotations

from pathlib import Path

from modelship_service.observe.logs import Log
from modelship_service.observe.metrics import Metrics
from modelship_service.settings import Settings
from modelship_service.workers.pool import Pool
from modelship_service.workers.thread import OneThread
from modelship_service.workers.worker import Watcher, Workers


def make_workers(
    settings: Settings, project: Path, pool: Pool, log: Log, metrics: Metrics, watcher: Watcher
) -> Workers:
    if settings.workers == 1:
        return OneThread(settings, project, pool)
    # Imported late: one worker needs none of it.
    from modelship_service.workers.supervisor import Processes

    return Processes(settings, project, pool, log, metrics, watcher)
