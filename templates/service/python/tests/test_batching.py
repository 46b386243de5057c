"""The batcher and the pool under random arrivals, cancels, failures and deaths, in a time that jumps and never waits.

The worker is a fake: it runs the real ModelHost, and only takes its time in the loop's clock instead of in a thread.
"""

import asyncio
import json
import selectors
from collections import deque
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float64
from pydantic import BaseModel

from modelship_service.batching.batcher import Batcher
from modelship_service.errors import ApiError
from modelship_service.model.failure import Failure, ModelRaised
from modelship_service.model.host import Loaded, ModelHost
from modelship_service.observe.metrics import Metrics
from modelship_service.schema.read import read_schema
from modelship_service.workers.pool import Pool, Slot
from modelship_service.workers.worker import Done

MS = 0.001
DIED = Failure("the worker died", died=True)


class JumpingSelector(selectors.SelectSelector):
    """Where others would sleep, it moves the clock. To wait with nothing to wait for is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.jumps = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise AssertionError("everyone waits, and nothing will ever happen")
        if timeout > 0:
            self.jumps += 1
            self.now += timeout
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.clock = JumpingSelector()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


def run(scene: Coroutine[Any, Any, Any]) -> Any:
    loop = JumpingLoop()
    wrong: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: wrong.append(context))
    try:
        ended = loop.run_until_complete(scene)
        if wrong:
            raise AssertionError(wrong[0]["message"]) from wrong[0].get("exception")
        return ended
    finally:
        loop.close()


def jumps() -> int:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    return loop.clock.jumps


@dataclass(frozen=True)
class Row:
    caller: int
    index: int
    bucket: int = 0
    poisoned: bool = False


class RowLists:
    """Inputs are lists of rows, outputs are lists of what the rows say of themselves."""

    def bucket(self, inputs: list[Row]) -> int:
        return inputs[0].bucket

    def slice(self, inputs: list[Row], start: int, stop: int) -> list[Row]:
        return inputs[start:stop]

    def call(self, model: Any, inputs: list[Row]) -> Any:
        return model.predict(inputs)

    def join(self, parts: Sequence[list[Row]]) -> list[Row]:
        return [row for part in parts for row in part]

    def split(self, outputs: list[Any], counts: Sequence[int]) -> list[list[Any]]:
        rest = deque(outputs)
        return [[rest.popleft() for _ in range(count)] for count in counts]

    def merge(self, parts: Sequence[list[Any]]) -> list[Any]:
        return [row for part in parts for row in part]


class Echo:
    """Says which rows it was given, and fails where one of them is poisoned."""

    def __init__(self) -> None:
        self.closed: list[str] = []

    def predict(self, rows: list[Row]) -> list[tuple[int, int]]:
        for row in rows:
            if row.poisoned:
                raise ValueError(f"poison of {row.caller}")
        return [(row.caller, row.index) for row in rows]

    def count(self, name: str, to: int, then_fail: bool = False) -> Iterator[str]:
        try:
            for number in range(to):
                yield f"{name}{number}"
            if then_fail:
                raise ValueError(f"the end of {name}")
        finally:
            self.closed.append(name)


SCHEMA: Any = RowLists()


class FakeWorker:
    """One job at a time, each after some time; what it was given is noted down."""

    def __init__(self, cost_ms: float) -> None:
        self.model = Echo()
        self.host = ModelHost({"v1": Loaded(self.model, SCHEMA), "v2": Loaded(self.model, SCHEMA)})
        self.cost_s = cost_ms * MS
        self.batches: list[list[Row]] = []
        self.operations: list[str] = []
        self.started: list[float] = []
        self.dead = False
        self._job: tuple[Done, asyncio.TimerHandle] | None = None

    def run(self, operation: str, arguments: tuple[Any, ...], done: Done) -> None:
        assert not self.dead, "a dead worker was given a job"
        assert self._job is None, "a worker was given a second job"
        loop = asyncio.get_running_loop()
        self.operations.append(operation)
        self.started.append(loop.time())
        if operation == "predict":
            self.batches.append(SCHEMA.join([inputs for inputs, _ in arguments[1]]))
            assert [len(inputs) for inputs, _ in arguments[1]] == [rows for _, rows in arguments[1]]
        try:
            result = getattr(self.host, operation)(*arguments)
        except Exception as error:
            result = Failure.of(error)
        self._job = done, loop.call_later(self.cost_s, self._finish, result)

    def _finish(self, result: Any) -> None:
        assert self._job is not None
        (done, _), self._job = self._job, None
        done(result)

    def die(self) -> list[Row]:
        """The rows that it held. What it was doing fails; what it is given from now on is a mistake."""
        self.dead = True
        if self._job is None:
            return []
        (done, timer), self._job = self._job, None
        timer.cancel()
        asyncio.get_running_loop().call_soon(done, DIED)
        return self.batches[-1] if self.operations[-1] == "predict" else []


def pool_of(
    *workers: FakeWorker, most: int = 8, delay_ms: float = 0, queue: int = 10_000, streams: int = 64
) -> tuple[Pool, Batcher, list[Slot]]:
    batcher = Batcher(most, delay_ms * MS)
    pool = Pool(batcher, Metrics("model", "1.0.0"), most, queue, streams, asyncio.get_running_loop().time)
    return pool, batcher, [pool.add(worker) for worker in workers]


def rows_of(caller: int, count: int, bucket: int = 0, poisoned: int | None = None) -> list[Row]:
    return [Row(caller, index, bucket, index == poisoned) for index in range(count)]


async def ask(pool: Pool, rows: list[Row], patience_s: float = 600, api: str = "v1") -> Any:
    outputs, _ = await pool.predict(api, SCHEMA, rows, len(rows), patience_s)
    return outputs


async def settle(seconds: float = 60) -> None:
    await asyncio.sleep(seconds)


# Random scenes


@dataclass(frozen=True)
class Call:
    at_ms: int
    count: int
    bucket: int
    api: str
    cancelled_after_ms: int | None
    poisoned: int | None


@dataclass(frozen=True)
class Scene:
    calls: list[Call]
    most: int
    delay_ms: int
    costs_ms: list[int]
    queue: int
    # When, and which of the workers.
    deaths: list[tuple[int, int]] = field(default_factory=list)


calls = st.builds(
    Call,
    at_ms=st.integers(0, 40),
    count=st.integers(1, 4) | st.integers(1, 20),
    bucket=st.integers(0, 2),
    api=st.sampled_from(["v1", "v1", "v1", "v2"]),
    cancelled_after_ms=st.none() | st.none() | st.integers(0, 30),
    poisoned=st.none() | st.none() | st.integers(0, 19),
)
scenes = st.builds(
    Scene,
    calls=st.lists(calls, min_size=1, max_size=25),
    most=st.integers(1, 8),
    delay_ms=st.sampled_from([0, 0, 3, 20]),
    costs_ms=st.lists(st.integers(0, 12), min_size=1, max_size=3),
    queue=st.sampled_from([10_000, 10_000, 12]),
    deaths=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2)), max_size=3),
)


class Play:
    """One scene, and what has to hold at each moment of it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.waiting: dict[Row, tuple[float, int]] = {}
        self.lost: set[int] = set()
        self.workers = [self._worker(cost) for cost in scene.costs_ms]
        self.pool, self.batcher, self.slots = pool_of(
            *self.workers, most=scene.most, delay_ms=scene.delay_ms, queue=scene.queue
        )

    def _worker(self, cost_ms: int) -> FakeWorker:
        play = self

        class Watched(FakeWorker):
            def run(self, operation: str, arguments: tuple[Any, ...], done: Done) -> None:
                super().run(operation, arguments, done)
                play.check_batch(arguments[0], self.batches[-1])

        return Watched(cost_ms)

    def check_batch(self, api: str, batch: list[Row]) -> None:
        assert 0 < len(batch) <= self.scene.most
        assert len({row.bucket for row in batch}) == 1
        assert len(set(batch)) == len(batch)
        for row in batch:
            assert self.api_of(row) == api
        begun = [self.waiting.pop(row) for row in batch if row in self.waiting]
        if begun and self.scene.delay_ms == 0:
            oldest = min((since for since, _ in self.waiting.values()), default=begun[0][0])
            assert begun[0][0] <= oldest, "somebody was there before"

    def api_of(self, row: Row) -> str:
        return self.scene.calls[row.caller].api

    async def caller(self, number: int) -> None:
        call = self.scene.calls[number]
        await asyncio.sleep(call.at_ms * MS)
        rows = rows_of(number, call.count, call.bucket, call.poisoned)
        loop = asyncio.get_running_loop()
        fits = False

        async def asked() -> Any:
            nonlocal fits
            fits = self.pool.rows == 0 or self.pool.rows + len(rows) <= self.scene.queue
            if fits:
                self.waiting |= {row: (loop.time(), number) for row in rows}
            try:
                return await ask(self.pool, rows, api=call.api)
            finally:
                self.leave(number)  # In the step in which the pool lets go of what is left of a request that failed.

        task = asyncio.ensure_future(asked())
        if call.cancelled_after_ms is not None:
            loop.call_later(call.cancelled_after_ms * MS, self.cancel, number, task)
        await asyncio.sleep(0)
        assert self.pool.rows <= max(self.scene.queue, 20)
        await asyncio.wait({task})
        if task.cancelled():
            assert call.cancelled_after_ms is not None
            return
        error = task.exception()
        if error is None:
            assert fits and all(not row.poisoned for row in rows)
            assert task.result() == [(number, index) for index in range(len(rows))]
        elif isinstance(error, ApiError):
            assert error.code == "overloaded" and not fits
            assert 1 <= int(dict(error.headers)["retry-after"]) <= 60
        else:
            assert isinstance(error, ModelRaised), error
            if error.failure.died:
                assert number in self.lost, "a death of another's worker"
            else:
                assert error.failure.reason == f"ValueError: poison of {number}"
                assert any(row.poisoned for row in rows)

    def cancel(self, number: int, task: asyncio.Task[Any]) -> None:
        if task.cancel():
            self.leave(number)

    def leave(self, number: int) -> None:
        self.waiting = {row: value for row, value in self.waiting.items() if value[1] != number}

    async def death(self, at_ms: int, index: int) -> None:
        await asyncio.sleep(at_ms * MS)
        index %= len(self.workers)
        self.pool.remove(self.slots[index], DIED)
        self.lost |= {row.caller for row in self.workers[index].die()}
        self.workers[index] = self._worker(self.scene.costs_ms[index])
        await asyncio.sleep(5 * MS)
        self.slots[index] = self.pool.add(self.workers[index])

    async def act(self) -> None:
        deaths = {index: one for one in self.scene.deaths for index in [one[1] % len(self.workers)]}
        await asyncio.gather(
            *(self.caller(number) for number in range(len(self.scene.calls))),
            *(self.death(*one) for one in deaths.values()),
        )
        await settle()
        assert not self.waiting
        assert self.pool.rows == 0
        assert self.batcher.rows == 0


@settings(max_examples=400, deadline=None)
@given(scenes)
def test_every_caller_gets_exactly_its_own_rows(scene: Scene) -> None:
    async def play() -> None:
        await Play(scene).act()

    run(play())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=12))
def test_a_batch_that_fails_is_cut_until_the_failure_is_alone(parts: list[tuple[int, bool]]) -> None:
    asked = [rows_of(number, count, poisoned=0 if bad else None) for number, (count, bad) in enumerate(parts)]
    host = ModelHost({"v1": Loaded(Echo(), SCHEMA)})
    answers = host.predict("v1", [(rows, len(rows)) for rows in asked])
    for number, ((count, bad), answer) in enumerate(zip(parts, answers, strict=True)):
        if bad:
            assert isinstance(answer, Failure) and answer.reason == f"ValueError: poison of {number}"
        else:
            assert answer == [(number, index) for index in range(count)]


class Halves(BaseModel):
    number: float


class RowModel:
    def load(self, files: Path) -> None: ...

    def predict(self, rows: list[Halves]) -> list[Halves]:
        if any(row.number < 0 for row in rows):
            raise ValueError("negative")
        kept = [row for row in rows if row.number != 13]
        return [Halves(number=row.number / 2) for row in kept]


class ArrayModel:
    def load(self, files: Path) -> None: ...

    def predict(self, number: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:  # noqa: F821
        if (number < 0).any():
            raise ValueError("negative")
        return number[number != 13] / 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from([1.0, 2.0, 5.0, -1.0, 13.0]), min_size=1, max_size=4), min_size=1, max_size=8))
def test_a_batch_of_a_real_model_is_cut_as_well(asked: list[list[float]]) -> None:
    """13 is a row that the model forgets, so that its outputs are too few."""
    rows: Any = read_schema(RowModel, 100)
    arrays: Any = read_schema(ArrayModel, 100)
    host = ModelHost({"v1": Loaded(RowModel(), rows), "v2": Loaded(ArrayModel(), arrays)})
    bodies = [json.dumps({"rows": [{"number": number} for number in numbers]}).encode() for numbers in asked]
    answers = {
        "v1": host.predict(
            "v1", [(rows.decode(body).inputs, len(one)) for body, one in zip(bodies, asked, strict=True)]
        ),
        "v2": host.predict("v2", [({"number": np.array(one)}, len(one)) for one in asked]),
    }
    for numbers, of_rows, of_arrays in zip(asked, answers["v1"], answers["v2"], strict=True):
        if -1.0 in numbers:
            assert of_rows.reason == of_arrays.reason == "ValueError: negative"
        elif 13.0 in numbers:
            assert of_rows.reason.startswith("predict returned") and of_arrays.reason.startswith("predict returned")
        else:
            assert [row.number for row in of_rows] == [number / 2 for number in numbers]
            [output] = of_arrays.values() if isinstance(of_arrays, dict) else [of_arrays]
            assert output.tolist() == [number / 2 for number in numbers]


# Greedy, and the delay


def test_what_came_in_one_round_of_the_loop_goes_together() -> None:
    async def scene() -> None:
        worker = FakeWorker(1)
        pool, _, _ = pool_of(worker)
        await asyncio.gather(*(ask(pool, rows_of(number, 1)) for number in range(8)))
        assert [len(batch) for batch in worker.batches] == [8]

    run(scene())


def test_without_a_delay_nothing_waits_for_company() -> None:
    async def scene() -> None:
        worker = FakeWorker(10)
        pool, _, _ = pool_of(worker)
        await ask(pool, rows_of(0, 1))
        assert worker.started == [0.0]

    run(scene())


def test_while_a_worker_works_the_next_batch_grows() -> None:
    async def scene() -> None:
        worker = FakeWorker(10)
        pool, _, _ = pool_of(worker)
        asked = []
        for number in range(6):
            asked.append(asyncio.ensure_future(ask(pool, rows_of(number, 1))))
            await asyncio.sleep(1 * MS)
        await asyncio.gather(*asked)
        assert [len(batch) for batch in worker.batches] == [1, 5]

    run(scene())


def test_the_delay_counts_from_the_oldest() -> None:
    async def scene() -> None:
        worker = FakeWorker(1)
        pool, _, _ = pool_of(worker, delay_ms=50)
        first = asyncio.ensure_future(ask(pool, rows_of(0, 1)))
        await asyncio.sleep(40 * MS)
        second = asyncio.ensure_future(ask(pool, rows_of(1, 1)))
        await asyncio.gather(first, second)
        assert worker.started == pytest.approx([0.05])
        assert [len(batch) for batch in worker.batches] == [2]

    run(scene())


def test_a_full_batch_does_not_wait_for_the_delay() -> None:
    async def scene() -> None:
        worker = FakeWorker(1)
        pool, _, _ = pool_of(worker, most=3, delay_ms=50)
        asked = []
        for number in range(3):
            asked.append(asyncio.ensure_future(ask(pool, rows_of(number, 1))))
            await asyncio.sleep(10 * MS)
        await asyncio.gather(*asked)
        assert worker.started == pytest.approx([0.02])

    run(scene())


def test_the_delay_ends_also_for_what_came_while_the_worker_was_busy() -> None:
    async def scene() -> None:
        worker = FakeWorker(20)
        pool, _, _ = pool_of(worker, most=2, delay_ms=50)
        first = asyncio.ensure_future(ask(pool, rows_of(0, 2)))
        await asyncio.sleep(5 * MS)
        await asyncio.gather(first, ask(pool, rows_of(1, 1)))
        assert worker.started == pytest.approx([0.0, 0.055])

    run(scene())


def test_the_delay_of_one_who_left_is_nobodys() -> None:
    async def scene() -> None:
        worker = FakeWorker(1)
        pool, _, _ = pool_of(worker, delay_ms=50)
        gone = asyncio.ensure_future(ask(pool, rows_of(0, 7)))
        await asyncio.sleep(10 * MS)
        gone.cancel()
        await ask(pool, rows_of(1, 1))
        assert worker.started == pytest.approx([0.06])
        assert worker.batches == [rows_of(1, 1)]

    run(scene())


def test_a_busy_bucket_does_not_keep_another_from_its_turn() -> None:
    async def scene() -> None:
        worker = FakeWorker(10)
        pool, _, _ = pool_of(worker, most=2)
        busy = [asyncio.ensure_future(ask(pool, rows_of(number, 2, bucket=0))) for number in range(3)]
        await asyncio.sleep(1 * MS)
        rare = asyncio.ensure_future(ask(pool, rows_of(9, 1, bucket=1)))
        await asyncio.sleep(1 * MS)
        busy += [asyncio.ensure_future(ask(pool, rows_of(number, 2, bucket=0))) for number in range(3, 6)]
        await asyncio.gather(rare, *busy)
        assert [batch[0].bucket for batch in worker.batches] == [0, 0, 0, 1, 0, 0, 0]

    run(scene())


def test_all_workers_work() -> None:
    async def scene() -> None:
        workers = [FakeWorker(10), FakeWorker(10), FakeWorker(10)]
        pool, _, _ = pool_of(*workers, most=1)
        await asyncio.gather(*(ask(pool, rows_of(number, 1)) for number in range(9)))
        assert [len(worker.batches) for worker in workers] == [3, 3, 3]
        assert asyncio.get_running_loop().time() == pytest.approx(0.03)

    run(scene())


# Bounds


def test_the_queue_is_bounded_and_says_when_to_come_again() -> None:
    async def scene() -> None:
        pool, _, _ = pool_of(FakeWorker(1000), most=1, queue=4)
        await ask(pool, rows_of(0, 1))
        asked = [asyncio.ensure_future(ask(pool, rows_of(number, 1))) for number in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(ApiError) as refused:
            await ask(pool, rows_of(9, 1))
        assert refused.value.status == 429
        # Four rows wait; a row took a second, and the first one weighs a fifth.
        assert dict(refused.value.headers) == {
            "retry-after": "1",
            "x-ratelimit-limit-requests": "4",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1",
        }
        await asyncio.gather(*asked)
        assert await ask(pool, rows_of(9, 1)) == [(9, 0)]

    run(scene())


def test_a_request_larger_than_the_queue_has_its_chance_when_it_is_alone() -> None:
    async def scene() -> None:
        pool, _, _ = pool_of(FakeWorker(1), most=2, queue=4)
        assert len(await ask(pool, rows_of(0, 50))) == 50

    run(scene())


def test_who_has_left_takes_no_room() -> None:
    """Neither in the count nor in memory, however long the worker is busy."""

    async def scene() -> None:
        pool, batcher, _ = pool_of(FakeWorker(1000), most=1, queue=4)
        working = asyncio.ensure_future(ask(pool, rows_of(0, 1)))
        await asyncio.sleep(1 * MS)
        for number in range(1, 1000):
            gone = asyncio.ensure_future(ask(pool, rows_of(number, 3)))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.wait({gone})
            assert gone.cancelled()
        assert (pool.rows, batcher.rows) == (1, 0)
        await working

    run(scene())


def test_time_is_up_for_one_and_the_others_go_on() -> None:
    async def scene() -> None:
        worker = FakeWorker(1000)
        pool, _, _ = pool_of(worker, most=2)
        first = asyncio.ensure_future(ask(pool, rows_of(0, 2)))
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        late = asyncio.ensure_future(ask(pool, rows_of(1, 1), patience_s=0.5))
        patient = asyncio.ensure_future(ask(pool, rows_of(2, 1)))
        with pytest.raises(TimeoutError):
            await late
        assert 0.5 <= loop.time() <= 0.6
        assert len(await first) == 2 and await patient == [(2, 0)]
        assert worker.batches[1:] == [rows_of(2, 1)]
        assert pool.rows == 0

    run(scene())


def test_who_cannot_be_in_time_is_told_at_once() -> None:
    async def scene() -> None:
        pool, _, _ = pool_of(FakeWorker(10_000), most=1)
        await ask(pool, rows_of(0, 1))
        working = [asyncio.ensure_future(ask(pool, rows_of(number, 1))) for number in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(ApiError) as refused:
            await ask(pool, rows_of(9, 1), patience_s=1)
        assert refused.value.code == "overloaded"
        await asyncio.gather(*working)

    run(scene())


def test_nothing_is_polled() -> None:
    async def scene() -> None:
        workers = [FakeWorker(10), FakeWorker(10)]
        pool, _, _ = pool_of(*workers, most=4)
        before = jumps()
        await asyncio.sleep(3600)
        assert jumps() - before == 1
        before = jumps()
        for number in range(50):
            await ask(pool, rows_of(number, 1), patience_s=3600)
        assert jumps() - before == 50
        workers[0].cost_s = workers[1].cost_s = 3000
        before = jumps()
        await ask(pool, rows_of(0, 1), patience_s=3600)
        # The worker's own end, and one look at those whose time might have been up.
        assert jumps() - before <= 2

    run(scene())


# Streams


async def pieces_of(pool: Pool, *arguments: Any, take: int | None = None) -> list[str]:
    stream = pool.stream("v1", "count", arguments, {})
    taken: list[str] = []
    try:
        async for piece in stream:
            taken.append(piece)
            if len(taken) == take:
                break
    finally:
        await stream.aclose()  # type: ignore[attr-defined]
    return taken


def test_a_stream_has_all_its_pieces_in_order() -> None:
    async def scene() -> None:
        pool, _, _ = pool_of(FakeWorker(1))
        assert await pieces_of(pool, "a", 200) == [f"a{number}" for number in range(200)]

    run(scene())


def test_what_a_stream_made_before_it_failed_arrives() -> None:
    async def scene() -> None:
        worker = FakeWorker(1)
        pool, _, _ = pool_of(worker)
        stream = pool.stream("v1", "count", ("a", 3, True), {})
        taken = []
        with pytest.raises(ModelRaised, match="the end of a"):
            async for piece in stream:
                taken.append(piece)
        assert taken == ["a0", "a1", "a2"]

    run(scene())


def test_no_stream_is_left_in_the_worker() -> None:
    async def scene() -> None:
        worker = FakeWorker(1)
        pool, _, _ = pool_of(worker)
        await pieces_of(pool, "ended", 3)
        await pieces_of(pool, "left", 10**9, take=1)
        with pytest.raises(ModelRaised):
            await pieces_of(pool, "failed", 70, True)
        with pytest.raises(ModelRaised):
            await pieces_of(pool, "failed at once", 0, True)
        cancelled = asyncio.ensure_future(pieces_of(pool, "cancelled", 10**9))
        await asyncio.sleep(20 * MS)
        cancelled.cancel()
        await settle()
        assert sorted(worker.model.closed) == ["cancelled", "ended", "failed", "failed at once", "left"]
        assert worker.host._streams == {}

    run(scene())


def test_streams_and_batches_take_turns() -> None:
    async def scene() -> None:
        worker = FakeWorker(10)
        pool, _, _ = pool_of(worker, most=1)
        streams = [asyncio.ensure_future(pieces_of(pool, name, 30)) for name in ("a", "b")]
        await asyncio.sleep(5 * MS)
        await asyncio.gather(*(ask(pool, rows_of(number, 1)) for number in range(10)))
        busy = worker.operations[1 : worker.operations.index("predict") + 19]
        batches = [place for place, operation in enumerate(busy) if operation == "predict"]
        assert batches == list(range(batches[0], batches[0] + 20, 2))
        await asyncio.gather(*streams)

    run(scene())


def test_streams_take_turns_among_each_other() -> None:
    async def scene() -> None:
        pool, _, _ = pool_of(FakeWorker(10))
        seen: list[str] = []

        async def follow(name: str) -> None:
            async for piece in pool.stream("v1", "count", (name, 50), {}):
                seen.append(piece[0])

        await asyncio.gather(*(follow(name) for name in "abcd"))
        assert seen == list("abcd") * 50

    run(scene())


def test_the_number_of_streams_is_bounded_also_when_they_come_at_once() -> None:
    async def scene() -> None:
        pool, _, _ = pool_of(FakeWorker(1), streams=3)
        ended = await asyncio.gather(*(pieces_of(pool, f"s{n}", 500) for n in range(5)), return_exceptions=True)
        refused = [one for one in ended if isinstance(one, ApiError)]
        assert [one.code for one in refused] == ["overloaded"] * 2
        assert [len(one) for one in ended if isinstance(one, list)] == [500] * 3
        assert await pieces_of(pool, "after", 2) == ["after0", "after1"]

    run(scene())


@pytest.mark.parametrize("at_ms", [0.5, 5, 15, 25, 75])
def test_a_stream_ends_with_its_worker(at_ms: float) -> None:
    """Whether the worker was at it, or the client was at the piece that it had."""

    async def scene() -> None:
        worker = FakeWorker(10)
        pool, _, [slot] = pool_of(worker)

        async def follow() -> None:
            async for _ in pool.stream("v1", "count", ("a", 10**6), {}):
                await asyncio.sleep(1 * MS)

        following = asyncio.ensure_future(follow())
        await asyncio.sleep(at_ms * MS)
        pool.remove(slot, DIED)
        worker.die()
        pool.add(FakeWorker(1))
        with pytest.raises(ModelRaised, match="the worker died"):
            await following
        assert await pieces_of(pool, "next", 1) == ["next0"]

    run(scene())


def test_without_a_worker_there_is_no_stream() -> None:
    async def scene() -> None:
        pool, _, _ = pool_of()
        with pytest.raises(ApiError) as refused:
            await pieces_of(pool, "a", 1)
        assert (refused.value.status, refused.value.code) == (503, "not_ready")

    run(scene())
