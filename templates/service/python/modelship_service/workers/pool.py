"""Who works on what: free workers take the next batch, or the next turn of a stream that they hold."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from modelship_service.batching.batcher import Batcher, Entry
from modelship_service.errors import ApiError
from modelship_service.model.failure import Failure, ModelRaised
from modelship_service.observe.metrics import Metrics
from modelship_service.schema.schema import Batching, Inputs, Outputs
from modelship_service.workers.worker import Worker

_STEP_PIECES = 64
_STEP_S = 0.01
_EXPIRY_S = 0.05

_Turn = tuple[str, tuple[Any, ...], Callable[[Any], None]]


class Slot:
    """A worker, whether it is busy, and the turns of the streams that only it can go on with."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.busy = False
        self.turns: deque[_Turn] = deque()
        self.streams = 0
        self.had_turn = False


class Pool:
    """All of it runs in the event loop. `queue_max_rows` bounds what waits and what is in work."""

    def __init__(self, batcher: Batcher, metrics: Metrics, max_rows: int, queue_max_rows: int, max_streams: int) -> None:
        self._batcher = batcher
        self._metrics = metrics
        self._max_rows = max_rows
        self._queue_max_rows = queue_max_rows
        self._max_streams = max_streams
        self._slots: list[Slot] = []
        self._rows = 0
        self._seconds_per_row = 0.0
        self._streams = 0
        self._next_stream = 0
        self._loop = asyncio.get_running_loop()
        self._feeding = False
        self._timer: asyncio.TimerHandle | None = None
        # Requests and when their time is up, in seconds of the loop's clock.
        self._waiting: dict[Entry, float] = {}
        self._expiry: asyncio.TimerHandle | None = None

    @property
    def rows(self) -> int:
        """Waiting, or in work."""
        return self._rows

    def add(self, worker: Worker) -> Slot:
        slot = Slot(worker)
        self._slots.append(slot)
        self._feed_soon()
        return slot

    def remove(self, slot: Slot, failure: Failure) -> None:
        """A worker has died: its streams end with it; the pool gives it nothing any more."""
        self._slots.remove(slot)
        turns, slot.turns = slot.turns, deque()
        for _, _, done in turns:
            done(failure)

    async def predict(
        self, api: str, schema: Batching, inputs: Inputs, rows: int, patience_s: float
    ) -> tuple[Outputs, float]:
        """The outputs, and how long the rows waited in seconds.

        Raises ModelRaised, TimeoutError after `patience_s`, or ApiError when it is too busy.
        """
        self._check_room(rows, patience_s)
        now = time.monotonic()
        bucket = schema.bucket(inputs)
        most = self._max_rows
        if rows <= most:
            pieces = [Entry(api, inputs, rows, bucket, self._loop.create_future(), now)]
        else:
            pieces = [
                Entry(
                    api,
                    schema.slice(inputs, start, min(rows, start + most)),
                    min(most, rows - start),
                    bucket,
                    self._loop.create_future(),
                    now,
                )
                for start in range(0, rows, most)
            ]
        self._rows += rows
        expires = now + patience_s
        try:
            for entry in pieces:
                self._waiting[entry] = expires
                self._batcher.add(entry)
            self._feed_soon()
            if self._expiry is None:
                self._expiry = self._loop.call_later(_EXPIRY_S, self._expire)
            outputs = [await entry.future for entry in pieces]
        finally:
            for entry in pieces:
                self._waiting.pop(entry, None)
                # What a worker has begun takes its time, whether or not somebody still waits for it.
                if entry.started is None:
                    self._rows -= entry.rows
                if not entry.future.cancel() and not entry.future.cancelled():
                    entry.future.exception()  # Seen, also when an earlier piece has failed.
        first = pieces[0]
        waited = (first.started or now) - first.since
        return outputs[0] if len(outputs) == 1 else schema.merge(outputs), waited

    def _expire(self) -> None:
        """One timer for all: a timer for each request would cost more than the rest of its wait."""
        self._expiry = None
        now = time.monotonic()
        for entry, expires in list(self._waiting.items()):
            if expires <= now and not entry.future.done():
                entry.future.set_exception(TimeoutError())
        if self._waiting:
            self._expiry = self._loop.call_later(_EXPIRY_S, self._expire)

    def stream(self, api: str, method: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> AsyncIterator[Any]:
        """Pieces as the model makes them, no faster than they are taken. Closing the iterator ends the work."""
        if self._streams >= self._max_streams:
            raise self._busy("too many streams are open: try again later", 1)
        if not self._slots:
            raise ApiError(503, "not_ready", "no worker is ready", headers=[("retry-after", "1")])
        return self._pieces(api, method, args, options)

    async def _pieces(
        self, api: str, method: str, args: tuple[Any, ...], options: Mapping[str, Any]
    ) -> AsyncIterator[Any]:
        slot = min(self._slots, key=lambda one: one.streams)
        self._next_stream += 1
        number = self._next_stream
        slot.streams += 1
        self._streams += 1
        ended = False
        try:
            await self._turn(slot, "open", (number, api, method, args, options))
            while not ended:
                pieces, ended = await self._turn(slot, "step", (number, _STEP_PIECES, _STEP_S))
                for piece in pieces:
                    yield piece
        except ModelRaised:
            ended = True
            raise
        finally:
            slot.streams -= 1
            self._streams -= 1
            if not ended:
                slot.turns.append(("close", (number,), lambda _: None))
                self._feed_soon()

    async def count(self, api: str, texts: Sequence[str]) -> int:
        """The tokens of texts. Raises ModelRaised."""
        if not self._slots:
            raise ApiError(503, "not_ready", "no worker is ready", headers=[("retry-after", "1")])
        counted: int = await self._turn(self._slots[0], "count", (api, texts))
        return counted

    async def _turn(self, slot: Slot, operation: str, arguments: tuple[Any, ...]) -> Any:
        future: asyncio.Future[Any] = self._loop.create_future()

        def done(result: Any) -> None:
            if future.done():
                return
            if isinstance(result, Failure):
                future.set_exception(ModelRaised(result))
            else:
                future.set_result(result)

        slot.turns.append((operation, arguments, done))
        self._feed_soon()
        return await future

    def _feed_soon(self) -> None:
        """In the loop's next round, so that requests that were read in this one go together."""
        if not self._feeding:
            self._feeding = True
            self._loop.call_soon(self._feed)

    def _feed(self) -> None:
        self._feeding = False
        for slot in self._slots:
            if not slot.busy:
                self._give(slot)
        if self._batcher.rows and self._timer is None and any(not slot.busy for slot in self._slots):
            due = self._batcher.due()
            if due is not None:
                self._timer = self._loop.call_later(max(0.0, due - time.monotonic()), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._feed()

    def _give(self, slot: Slot) -> None:
        """By turns a stream's step and a batch, where there are both."""
        if slot.turns and (not slot.had_turn or not self._batcher.rows):
            slot.had_turn = True
            return self._start_turn(slot)
        batch = self._batcher.take(time.monotonic()) if self._batcher.rows else []
        slot.had_turn = False
        if batch:
            self._start_batch(slot, batch)
        elif slot.turns:
            self._start_turn(slot)

    def _start_turn(self, slot: Slot) -> None:
        operation, arguments, done = slot.turns.popleft()

        def finished(result: Any) -> None:
            slot.busy = False
            done(result)
            self._feed_soon()

        slot.busy = True
        slot.worker.run(operation, arguments, finished)

    def _start_batch(self, slot: Slot, batch: list[Entry]) -> None:
        started = time.monotonic()
        for entry in batch:
            entry.started = started

        def finished(results: Any) -> None:
            slot.busy = False
            self._settle(batch, results, time.monotonic() - started)
            self._give(slot)

        slot.busy = True
        parts = [(entry.inputs, entry.rows) for entry in batch]
        slot.worker.run("predict", (batch[0].api, parts), finished)

    def _settle(self, batch: list[Entry], results: list[Any] | Failure, seconds: float) -> None:
        rows = 0
        for index, entry in enumerate(batch):
            rows += entry.rows
            self._rows -= entry.rows
            result = results if isinstance(results, Failure) else results[index]
            if entry.future.done():
                continue
            if isinstance(result, Failure):
                entry.future.set_exception(ModelRaised(result))
            else:
                entry.future.set_result(result)
        self._seconds_per_row += 0.2 * (seconds / rows - self._seconds_per_row)
        self._metrics.batch(rows, seconds, (batch[0].started or 0) - batch[0].since)

    def _check_room(self, rows: int, patience_s: float) -> None:
        """A request alone may be of any size; behind others it has to fit, and to have a chance in its time."""
        if not self._rows:
            return
        wait_s = self._rows * self._seconds_per_row / max(1, len(self._slots))
        if self._rows + rows > self._queue_max_rows:
            raise self._busy("too many rows are waiting: try again later", math.ceil(wait_s))
        if wait_s > patience_s:
            raise self._busy("what is waiting already would take longer than a request may take", math.ceil(wait_s))

    def _busy(self, message: str, retry_after_s: int) -> ApiError:
        return ApiError(429, "overloaded", message, headers=[("retry-after", str(min(60, max(1, retry_after_s))))])
