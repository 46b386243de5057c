"""Jobs and their results, in memory: bounded, and forgotten after a time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import msgspec

from modelship_service.errors import ApiError
from modelship_service.guard.keys import Key


@dataclass
class Job:
    id: str
    # Name of the key that started it: to others it does not exist.
    owner: str | None
    created: datetime
    status: str = "queued"
    # Seconds of the loop's clock; None while it is not over.
    expires_at: float | None = None
    expires: datetime | None = None
    result: bytes | None = None
    error: dict[str, Any] | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    def shown(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": self.id,
            "status": self.status,
            "created": _text(self.created),
            "expires": _text(self.expires) if self.expires else None,
        }
        if self.result is not None:
            shown["result"] = msgspec.Raw(self.result)
        if self.error is not None:
            shown["error"] = self.error
        return shown


class Jobs:
    def __init__(self, most: int, ttl_s: float) -> None:
        self._most = most
        self._ttl_s = ttl_s
        self._jobs: dict[str, Job] = {}

    def start(self, owner: str | None, work: Callable[[Job], Any]) -> Job:
        """A new job; finished ones make room for it, the oldest first. Raises ApiError 429 when all are at work."""
        self._forget_expired()
        if len(self._jobs) >= self._most:
            oldest = next((one for one in self._jobs.values() if one.status != "queued"), None)
            if oldest is None:
                raise ApiError(429, "overloaded", "too many jobs are waiting", headers=[("retry-after", "5")])
            del self._jobs[oldest.id]
        job = Job(os.urandom(16).hex(), owner, datetime.now(timezone.utc))
        self._jobs[job.id] = job
        job.task = asyncio.ensure_future(work(job))
        return job

    def find(self, number: str, key: Key | None) -> Job:
        self._forget_expired()
        job = self._jobs.get(number)
        if job is None or (key is not None and key.name != job.owner and "admin" not in key.scopes):
            raise ApiError(404, "not_found", "there is no such job, or no more")
        return job

    def finish(self, job: Job, status: str, result: bytes | None = None, error: dict[str, Any] | None = None) -> None:
        job.status, job.result, job.error = status, result, error
        loop = asyncio.get_running_loop()
        job.expires_at = loop.time() + self._ttl_s
        loop.call_later(self._ttl_s, self._forget_expired)
        job.expires = datetime.fromtimestamp(datetime.now(timezone.utc).timestamp() + self._ttl_s, timezone.utc)

    def end(self, job: Job) -> None:
        """Cancel it, or forget its result."""
        if job.status == "queued":
            if job.task is not None:
                job.task.cancel()
            self.finish(job, "cancelled")
        del self._jobs[job.id]

    def _forget_expired(self) -> None:
        now = asyncio.get_running_loop().time()
        for job in [one for one in self._jobs.values() if one.expires_at is not None and one.expires_at <= now]:
            del self._jobs[job.id]


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
