"""The service's state: what it serves, and whether it is loading, ready, draining or failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelship_service.observe.logs import Log
from modelship_service.api.openapi import Document, read_example
from modelship_service.schema.rows import Rows, RowSchema
from modelship_service.settings import Settings
from modelship_service.model.user_model import ModelFailed, UserModel
from modelship_service.workers.thread import ModelRaised, ModelThread


@dataclass(frozen=True)
class Served:
    """A loaded model with its schema and its documents."""

    model: Any
    schema: RowSchema
    document: Document


class Service:
    def __init__(self, settings: Settings, project: Path, log: Log) -> None:
        self.settings = settings
        self.project = project
        self.log = log
        self.state = "loading"
        self.failed: ModelFailed | None = None
        self.served: Served | None = None
        self._thread: ModelThread | None = None

    async def load(self, when_failed: Callable[[], None]) -> None:
        """Import, read and load the model in the thread that it will run in."""
        started = time.monotonic()
        self._thread = ModelThread(self.settings.queue_max_rows)
        try:
            self.served = await self._thread.submit(self._load)
        except ModelRaised as raised:
            error = raised.error
            if not isinstance(error, ModelFailed):
                error = ModelFailed.from_exception("load", error, self.project)
            self.state, self.failed = "failed", error
            when_failed()
            return
        if self.state == "loading":
            self.state = "ready"
            self.log.write("info", "ready", load_ms=round((time.monotonic() - started) * 1000))

    def _load(self) -> Served:
        user_model = UserModel(self.settings.entry, self.project, self.settings.max_rows)
        example = read_example(self.project, user_model.schema, self.log)
        document = Document(self.settings, user_model.schema, example)
        return Served(user_model.load(self.settings.files), user_model.schema, document)

    def predict(self, served: Served, rows: Rows) -> asyncio.Future[bytes]:
        """The encoded answer, when the model has made it."""
        assert self._thread is not None
        return self._thread.submit(
            lambda: served.schema.encode(served.model.predict(rows.items), rows), len(rows.items)
        )

    def drain(self, signal_name: str) -> None:
        if self.state != "draining":
            self.state = "draining"
            self.log.write("info", "draining", signal=signal_name)

    def stop(self) -> bool:
        return self._thread is None or self._thread.stop(patience_s=0.5)
