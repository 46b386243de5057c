"""Requests that wait for the model, by what may share a batch. It decides what goes next, and does nothing itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Any, Protocol

from modelship_service.schema.schema import Inputs


class Waiter(Protocol):
    """Who waits for outputs: a future, or what calls back."""

    def done(self) -> bool: ...

    def set_result(self, result: Any, /) -> None: ...

    def set_exception(self, error: Exception, /) -> None: ...


class Entry:
    """Rows of one request, waiting: never more than a batch may have."""

    __slots__ = ("api", "bucket", "future", "inputs", "rows", "since", "started")

    def __init__(self, api: str, inputs: Inputs, rows: int, bucket: Hashable, future: Waiter, since: float) -> None:
        self.api = api
        self.inputs = inputs
        self.rows = rows
        self.bucket = bucket
        self.future = future
        self.since = since
        self.started: float | None = None


class Batcher:
    """Greedy: what waits goes as soon as a worker asks. Only `max_delay_s` makes a batch wait for company."""

    def __init__(self, max_rows: int, max_delay_s: float) -> None:
        self._max_rows = max_rows
        self._max_delay_s = max_delay_s
        self._buckets: dict[tuple[str, Hashable], deque[Entry]] = {}
        self.rows = 0

    def add(self, entry: Entry) -> None:
        key = (entry.api, entry.bucket)
        waiting = self._buckets.get(key)
        if waiting is None:
            waiting = self._buckets[key] = deque()
        waiting.append(entry)
        self.rows += entry.rows

    def remove(self, entry: Entry) -> None:
        """Nobody waits for it any more."""
        key = (entry.api, entry.bucket)
        waiting = self._buckets.get(key)
        if waiting is None or entry not in waiting:
            return
        waiting.remove(entry)
        self.rows -= entry.rows
        if not waiting:
            del self._buckets[key]

    def take(self, now: float) -> list[Entry]:
        """The next batch: of all that may go, the one with the oldest request. Empty when none may go yet."""
        chosen: deque[Entry] | None = None
        for key, waiting in list(self._buckets.items()):
            self._drop_gone(waiting)
            if not waiting:
                del self._buckets[key]
            elif self._may_go(waiting, now) and (chosen is None or waiting[0].since < chosen[0].since):
                chosen = waiting
        return [] if chosen is None else self._cut(chosen)

    def due(self) -> float | None:
        """When the next batch may go even if nothing joins it."""
        oldest = [waiting[0].since for waiting in self._buckets.values() if waiting]
        return min(oldest) + self._max_delay_s if oldest else None

    def _cut(self, waiting: deque[Entry]) -> list[Entry]:
        batch: list[Entry] = []
        rows = 0
        while waiting and rows + waiting[0].rows <= self._max_rows:
            entry = waiting.popleft()
            self.rows -= entry.rows
            if not entry.future.done():
                batch.append(entry)
                rows += entry.rows
        return batch

    def _may_go(self, waiting: deque[Entry], now: float) -> bool:
        if self._max_delay_s == 0 or now >= waiting[0].since + self._max_delay_s:
            return True
        return sum(entry.rows for entry in waiting) >= self._max_rows

    def _drop_gone(self, waiting: deque[Entry]) -> None:
        """Nobody waits for these any more: their time was up, or their client has left."""
        while waiting and waiting[0].future.done():
            self.rows -= waiting.popleft().rows
