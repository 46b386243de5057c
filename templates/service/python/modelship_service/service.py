"""The service's state: what it serves, and whether it is loading, ready, draining or failed."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelship_service.api.openapi import openapi
from modelship_service.batching.batcher import Batcher
from modelship_service.errors import ApiError
from modelship_service.guard.admission import Guard
from modelship_service.guard.key_file import KeySource
from modelship_service.guard.limits import Limits
from modelship_service.http.request import Request
from modelship_service.http.response import Response
from modelship_service.jobs import Jobs
from modelship_service.model.example import EXAMPLE, Example, read_example
from modelship_service.model.failure import Failure, ModelRaised
from modelship_service.model.files import digests
from modelship_service.model.load import Described
from modelship_service.model.user_model import ModelFailed
from modelship_service.observe.logs import Log
from modelship_service.observe.metrics import Metrics
from modelship_service.observe.tracing import tracing_from
from modelship_service.schema.card import card
from modelship_service.schema.methods import Method
from modelship_service.schema.schema import Batching, Decoded, Outputs, Schema
from modelship_service.settings import Settings
from modelship_service.workers.aside import aside
from modelship_service.workers.pool import Pool
from modelship_service.workers.start import make_workers
from modelship_service.workers.worker import Workers

if TYPE_CHECKING:
    from modelship_service.observe.exposition import Exposition


@dataclass(frozen=True)
class Served:
    """One API version of the service."""

    api: str
    schema: Schema
    methods: Mapping[str, Method]
    example: Any
    card: dict[str, Any]


class Service:
    def __init__(self, settings: Settings, project: Path, log: Log, keys: KeySource) -> None:
        self.settings = settings
        self.project = project
        self.log = log
        self.keys = keys
        self.guard = Guard(keys, Limits(settings.rate_limit, settings.max_concurrency))
        self.metrics = Metrics(settings.name, settings.version)
        self.tracing = tracing_from(os.environ, settings.name, settings.version)
        self.state = "loading"
        self.started_at = int(time.time())
        self.failed: ModelFailed | None = None
        self.broken = False
        self.served: dict[str, Served] = {}
        self.openapi = b""
        self.jobs = Jobs(settings.jobs_max, settings.jobs_ttl_s)
        self._pool: Pool | None = None
        self._workers: Workers | None = None
        self._complete = True
        self._when_failed: Callable[[], None] = lambda: None
        self._exposition: Exposition | None = None
        self._digests: asyncio.Future[list[dict[str, Any]]] | None = None

    async def load(self, when_failed: Callable[[], None]) -> None:
        """Import, read, load and warm up the models where they will run."""
        started = time.monotonic()
        settings = self.settings
        self._when_failed = when_failed
        batcher = Batcher(settings.batch_max_rows, settings.batch_max_delay_ms / 1000)
        pool = Pool(batcher, self.metrics, settings.batch_max_rows, settings.queue_max_rows, settings.max_streams)
        self._workers = make_workers(settings, self.project, pool, self.log, self.metrics, self)
        try:
            described = await self._workers.start()
            self.served = await aside(lambda: self._describe(described))
            self.openapi = openapi(settings, self.served.values(), self.keys.configured)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                raise
            if not isinstance(error, ModelFailed):
                error = ModelFailed.from_exception("load", error, self.project)
            self.state, self.failed = "failed", error
            when_failed()
            return
        self._pool = pool
        seconds = time.monotonic() - started
        self.metrics.loaded(seconds)
        _spare_the_collector()
        if self.state == "loading":
            self.state = "ready" if self._complete else "degraded"
            self.log.write("info", "ready", load_ms=round(seconds * 1000))

    def _describe(self, described: Mapping[str, Described]) -> dict[str, Served]:
        served: dict[str, Served] = {}
        for api, (schema, methods) in described.items():
            example = read_example(self.project, schema) if "predict" in methods else Example()
            if example.problem is not None:
                self.log.write("warning", "example_ignored", file=EXAMPLE, reason=example.problem)
            served[api] = Served(api, schema, methods, example.shown, card(self.settings, api, schema, methods))
        return served

    def workers_changed(self, complete: bool) -> None:
        """While one of several is starting again, the others go on; who balances loads should prefer other services."""
        self._complete = complete
        if self.state in ("ready", "degraded"):
            self.state = "ready" if complete else "degraded"

    def workers_failed(self) -> None:
        if self._pool is not None:
            self._pool.abandon()
        if self.state != "draining":
            self.state, self.broken = "failed", True
            self._when_failed()

    def api(self, version: str | None = None) -> Served:
        """An API version by name or number, or the newest. Also while draining: what has arrived is answered."""
        if not self.served:
            raise self.not_ready()
        if version is None:
            return next(reversed(self.served.values()))
        found = self.served.get(version if version.startswith("v") else f"v{version}")
        if found is None:
            raise ApiError(404, "not_found", "there is no such version of the model")
        return found

    def with_method(self, method: str) -> Served | None:
        """The newest API version whose model has a method."""
        return next((one for one in reversed(self.served.values()) if method in one.methods), None)

    def not_ready(self) -> ApiError:
        words = {
            "loading": "the model is loading",
            "degraded": "a worker is starting again",
            "draining": "the service is shutting down",
        }
        message = words.get(self.state, "the model cannot be asked now")
        return ApiError(503, "not_ready", message, headers=[("retry-after", "1")])

    def predict(
        self, served: Served, decoded: Decoded, request: Request, timeout_s: float | None = None
    ) -> Awaitable[Outputs]:
        return self.batched(served.api, served.schema, decoded, request, timeout_s)

    def predict_directly(
        self,
        served: Served,
        decoded: Decoded,
        request: Request,
        answered: Callable[[Outputs], Response],
        answer: Callable[[Response | Exception], None],
    ) -> Callable[[], object]:
        """As `predict`, and `answer` is called with what `answered` makes of the outputs, or with an ApiError."""
        limit = self.settings.timeout_s
        request.rows = decoded.rows

        def done(result: Outputs | Exception, waited_s: float) -> None:
            request.queued_s = waited_s
            try:
                if isinstance(result, ModelRaised):
                    answer(self.model_error(result, request.id))
                elif isinstance(result, TimeoutError):
                    answer(self.timed_out(limit))
                else:
                    answer(result if isinstance(result, Exception) else answered(result))
            except ApiError as error:
                answer(error)

        return self._ready_pool().submit(served.api, served.schema, decoded.inputs, decoded.rows, limit, done)

    async def batched(
        self, target: str, schema: Batching, decoded: Decoded, request: Request, timeout_s: float | None = None
    ) -> Outputs:
        """The model's outputs. Raises ApiError 429, 500 `model_error`, 503 or 504."""
        pool = self._ready_pool()
        limit = timeout_s or self.settings.timeout_s
        request.rows = decoded.rows
        try:
            outputs, request.queued_s = await pool.predict(target, schema, decoded.inputs, decoded.rows, limit)
            return outputs
        except TimeoutError:
            raise self.timed_out(limit) from None
        except ModelRaised as raised:
            raise self.model_error(raised, request.id) from None

    def stream(
        self, served: Served, method: str, args: tuple[Any, ...], options: Mapping[str, Any]
    ) -> AsyncIterator[Any]:
        """Pieces of the model's answer. The iterator raises ModelRaised."""
        return self._ready_pool().stream(served.api, method, args, options)

    async def count_tokens(self, served: Served, texts: Sequence[str]) -> int | None:
        """As the model counts them; None where it does not. Raises ModelRaised."""
        return await self._ready_pool().count(served.api, texts) if "count_tokens" in served.methods else None

    def encoded(self, encode: Callable[[], bytes], request_id: str) -> bytes:
        """An answer, unless the model's outputs are not what its annotations promise."""
        try:
            return encode()
        except Exception as error:
            # Not only OutputError: a string may be no Unicode, a property of the user's may raise.
            raise self.model_error(ModelRaised(Failure.of(error)), request_id) from None

    def told(self, error: Exception, request_id: str) -> ApiError:
        """What the caller hears of an error that came when the answer had begun; the log has the rest."""
        if isinstance(error, ApiError):
            return error
        return self.model_error(error if isinstance(error, ModelRaised) else ModelRaised(Failure.of(error)), request_id)

    def timed_out(self, limit_s: float) -> ApiError:
        return ApiError(504, "timeout", f"the model did not answer within {limit_s:g} s")

    def model_error(self, raised: ModelRaised, request_id: str) -> ApiError:
        failure = raised.failure
        why = {"reason": failure.reason}
        if failure.traceback is not None:
            why["traceback"] = failure.traceback
        self.log.write("error", "model_error", request_id=request_id, **why)
        return ApiError(500, "model_error", "the model failed on this request; its log has the reason")

    async def file_digests(self) -> list[dict[str, Any]]:
        """Path, size and SHA-256 of each model file; read once, when first asked for."""
        files = self.settings.files
        if files is None:
            return []
        if self._digests is None:
            self._digests = asyncio.ensure_future(asyncio.to_thread(digests, files))
        return await asyncio.shield(self._digests)

    async def metrics_text(self) -> tuple[bytes, str]:
        """For Prometheus, and its media type."""
        if self._exposition is None:
            self._exposition = await asyncio.to_thread(_exposition, self.metrics)
        return self._exposition.text(self._pool.rows if self._pool is not None else 0), self._exposition.content_type

    def _ready_pool(self) -> Pool:
        if self._pool is None or not self._pool.has_workers:
            raise self.not_ready()
        return self._pool

    def drain(self, signal_name: str) -> None:
        if self.state != "draining":
            self.state = "draining"
            self.log.write("info", "draining", signal=signal_name)

    def stop(self) -> bool:
        """Whether user code has come to its end."""
        if self.tracing is not None:
            self.tracing.stop()
        return self._workers is None or self._workers.stop()


_GC_THRESHOLDS = (10_000, 20, 20)


def _spare_the_collector() -> None:
    """What is loaded now stays: looking through it again and again for garbage would cost every request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def _exposition(metrics: Metrics) -> Exposition:
    """Imported late: the library takes a twentieth of a second and some megabytes, and not every service is asked."""
    from modelship_service.observe.exposition import Exposition

    return Exposition(metrics)
