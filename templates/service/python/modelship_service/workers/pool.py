"""Who works on what: free workers take the next batch, or the next turn of a stream that they hold."""

from __future__ import annotations

import asyncio
import contextlib
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


class Turn:
    """What a worker is asked to do beside batches."""

    __slots__ = ("arguments", "done", "operation")

    def __init__(self, operation: str, arguments: tuple[Any, ...], done: Callable[[Any], None]) -> None:
        self.operation = operation
        self.arguments = arguments
        self.done = done


class Slot:
    """A worker, whether it is busy, and the turns of the streams that only it can go on with."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.busy = False
        self.turns: deque[Turn] = deque()
        self.streams = 0
        self.had_turn = False
        # Of what the worker died.
        self.failure: Failure | None = None


class Reply:
    """Stands where an entry's future does, and calls back at once: no task has to be woken for it."""

    __slots__ = ("_call", "_over", "_pool", "entry")

    def __init__(self, pool: Pool, call: Callable[[Any, float], None]) -> None:
        self.entry: Entry
        self._pool = pool
        self._call = call
        self._over = False

    def done(self) -> bool:
        return self._over

    def cancel(self) -> None:
        if not self._over:
            self._end()

    def set_result(self, result: Any) -> None:
        call = self._call
        entry = self._end()
        call(result, 0.0 if entry.started is None else entry.started - entry.since)

    set_exception = set_result

    def _end(self) -> Entry:
        """It lets go of what holds it, which a collection would have to find out otherwise, request after request."""
        entry = self.entry
        self._over = True
        self._pool._let_go(entry)
        del self.entry, self._call
        return entry


class Pool:
    """All of it runs in the event loop. `queue_max_rows` bounds what waits and what is in work."""

    def __init__(
        self,
        batcher: Batcher,
        metrics: Metrics,
        max_rows: int,
        queue_max_rows: int,
        max_streams: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
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
        self._clock = clock
        self._feeding = False
        self._timer: asyncio.TimerHandle | None = None
        # Requests and when their time is up; one timer, for the first of them.
        self._waiting: dict[Entry, float] = {}
        self._expiry: asyncio.TimerHandle | None = None
        self._expiry_at = math.inf

    @property
    def rows(self) -> int:
        """Waiting, or in work."""
        return self._rows

    @property
    def has_workers(self) -> bool:
        return bool(self._slots)

    def add(self, worker: Worker) -> Slot:
        slot = Slot(worker)
        self._slots.append(slot)
        self._feed_soon()
        return slot

    def remove(self, slot: Slot, failure: Failure) -> None:
        """A worker has died: its streams end with it, and it is given nothing any more. Only then may its job fail."""
        self._slots.remove(slot)
        slot.failure = failure
        turns, slot.turns = slot.turns, deque()
        for turn in turns:
            turn.done(failure)

    def abandon(self) -> None:
        """No worker comes any more: who waits for the first free one is told, when there is none."""
        while not self._slots and (batch := self._batcher.take(math.inf)):
            for entry in batch:
                entry.future.set_exception(_no_worker())

    async def predict(
        self, api: str, schema: Batching, inputs: Inputs, rows: int, patience_s: float
    ) -> tuple[Outputs, float]:
        """The outputs, and how long the rows waited in seconds.

        Raises ModelRaised, TimeoutError after `patience_s`, or ApiError when it is too busy.
        """
        self._check_room(rows, patience_s)
        now = self._clock()
        bucket = schema.bucket(inputs)
        most = self._max_rows
        if rows <= most:
            pieces = [Entry(api, inputs, rows, bucket, self._loop.create_future(), now)]
        else:
            cuts = [(start, min(rows, start + most)) for start in range(0, rows, most)]
            pieces = [
                Entry(api, schema.slice(inputs, start, stop), stop - start, bucket, self._loop.create_future(), now)
                for start, stop in cuts
            ]
        futures: list[asyncio.Future[Any]] = [entry.future for entry in pieces]  # type: ignore[misc]
        self._rows += rows
        expires = now + patience_s
        try:
            for entry in pieces:
                self._waiting[entry] = expires
                self._batcher.add(entry)
            self._feed_soon()
            if expires < self._expiry_at:
                self._expire_at(expires)
            outputs = [await future for future in futures]
        finally:
            for entry, future in zip(pieces, futures, strict=True):
                self._let_go(entry)
                if not future.cancel() and not future.cancelled():
                    future.exception()  # Seen, also when an earlier piece has failed.
        first = pieces[0]
        waited = (first.started or now) - first.since
        return outputs[0] if len(outputs) == 1 else schema.merge(outputs), waited

    def submit(
        self,
        api: str,
        schema: Batching,
        inputs: Inputs,
        rows: int,
        patience_s: float,
        done: Callable[[Any, float], None],
    ) -> Callable[[], object]:
        """As `predict`, for rows that fit into a batch, without a task: `done` is called with the outputs or the
        exception, and how long the rows waited. Returns what cancels it; then `done` is not called.
        """
        self._check_room(rows, patience_s)
        now = self._clock()
        reply = Reply(self, done)
        reply.entry = entry = Entry(api, inputs, rows, schema.bucket(inputs), reply, now)
        self._rows += rows
        expires = now + patience_s
        self._waiting[entry] = expires
        self._batcher.add(entry)
        self._feed_soon()
        if expires < self._expiry_at:
            self._expire_at(expires)
        return reply.cancel

    def _let_go(self, entry: Entry) -> None:
        """Nobody waits for it any more."""
        self._waiting.pop(entry, None)
        # What a worker has begun takes its time, whether or not somebody still waits for it.
        if entry.started is None:
            self._rows -= entry.rows
            self._batcher.remove(entry)

    def _expire_at(self, when: float) -> None:
        """One timer for all: a timer for each request would cost more than the rest of its wait."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry_at = when
        self._expiry = self._loop.call_later(max(0.0, when - self._clock()), self._expire)

    def _expire(self) -> None:
        self._expiry, self._expiry_at = None, math.inf
        now = self._clock()
        for entry, expires in list(self._waiting.items()):
            if expires <= now and not entry.future.done():
                entry.future.set_exception(TimeoutError())
        later = [expires for expires in self._waiting.values() if expires > now]
        if later:
            self._expire_at(min(later))

    async def stream(
        self, api: str, method: str, args: tuple[Any, ...], options: Mapping[str, Any]
    ) -> AsyncIterator[Any]:
        """Pieces as the model makes them, no faster than they are taken. Closing the iterator ends the work."""
        if self._streams >= self._max_streams:
            raise _busy("too many streams are open: try again later", self._max_streams, 0, 1)
        slot = min(self._ready_slots(), key=lambda one: one.streams)
        self._next_stream += 1
        number = self._next_stream
        slot.streams += 1
        self._streams += 1
        ended = False
        try:
            await self._turn(slot, "open", (number, api, method, args, options))
            while not ended:
                pieces, ended = await self._turn(slot, "step", (number,))
                for piece in pieces:
                    yield piece
        except ModelRaised:
            ended = True
            raise
        finally:
            slot.streams -= 1
            self._streams -= 1
            if not ended:
                slot.turns.append(Turn("close", (number,), lambda _: None))
                self._feed_soon()

    async def count(self, api: str, texts: Sequence[str]) -> int:
        """The tokens of texts. Raises ModelRaised."""
        slot = min(self._ready_slots(), key=lambda one: len(one.turns) + one.busy)
        counted: int = await self._turn(slot, "count", (api, texts))
        return counted

    def _ready_slots(self) -> list[Slot]:
        if not self._slots:
            raise _no_worker()
        return self._slots

    async def _turn(self, slot: Slot, operation: str, arguments: tuple[Any, ...]) -> Any:
        if slot.failure is not None:
            raise ModelRaised(slot.failure)
        future: asyncio.Future[Any] = self._loop.create_future()

        def done(result: Any) -> None:
            if future.done():
                return
            if isinstance(result, Failure):
                future.set_exception(ModelRaised(result))
            else:
                future.set_result(result)

        turn = Turn(operation, arguments, done)
        slot.turns.append(turn)
        self._feed_soon()
        try:
            return await future
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):
                slot.turns.remove(turn)
            raise

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
                self._timer = self._loop.call_later(max(0.0, due - self._clock()), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._feed()

    def _give(self, slot: Slot) -> None:
        """By turns a stream's step and a batch, where there are both."""
        if slot.turns and (not slot.had_turn or not self._batcher.rows):
            slot.had_turn = True
            return self._start_turn(slot)
        batch = self._batcher.take(self._clock()) if self._batcher.rows else []
        slot.had_turn = False
        if batch:
            self._start_batch(slot, batch)
        elif slot.turns:
            self._start_turn(slot)

    def _start_turn(self, slot: Slot) -> None:
        turn = slot.turns.popleft()

        def finished(result: Any) -> None:
            slot.busy = False
            turn.done(result)
            self._feed_soon()

        slot.busy = True
        slot.worker.run(turn.operation, turn.arguments, finished)

    def _start_batch(self, slot: Slot, batch: list[Entry]) -> None:
        started = self._clock()
        for entry in batch:
            entry.started = started

        def finished(results: Any) -> None:
            slot.busy = False
            self._settle(batch, results, self._clock() - started)
            self._feed()

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
        free = max(0, self._queue_max_rows - self._rows)
        if rows > free:
            message = "too many rows are waiting: try again later"
            raise _busy(message, self._queue_max_rows, free, math.ceil(wait_s))
        if wait_s > patience_s:
            message = "what is waiting already would take longer than a request may take"
            raise _busy(message, self._queue_max_rows, free, math.ceil(wait_s))


def _busy(message: str, limit: int, free: int, wait_s: int) -> ApiError:
    """The headers say of the queue what they say of a key elsewhere: its size, its room, and when it will be empty."""
    headers = [
        ("retry-after", str(min(60, max(1, wait_s)))),
        ("x-ratelimit-limit-requests", str(limit)),
        ("x-ratelimit-remaining-requests", str(free)),
        ("x-ratelimit-reset-requests", str(max(1, wait_s))),
    ]
    return ApiError(429, "overloaded", message, headers=headers)


def _no_worker() -> ApiError:
    return ApiError(503, "not_ready", "no worker is ready", headers=[("retry-after", "1")])
