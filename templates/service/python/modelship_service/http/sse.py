"""Server-sent events: frames, heartbeats, and errors that come when the answer has begun."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from modelship_service.errors import ApiError

HEARTBEAT = b": still here\n\n"


def event(data: bytes, name: str | None = None) -> bytes:
    """One frame. `data` is JSON, which has no line breaks of its own."""
    kind = b"event: " + name.encode() + b"\n" if name else b""
    return kind + b"data: " + data + b"\n\n"


async def begin(
    frames: AsyncIterator[bytes], heartbeat_s: float, failed: Callable[[Exception], bytes]
) -> AsyncIterator[bytes]:
    """Wait for the first frame, so that what fails at once is answered with a status of its own.

    Afterwards an error becomes a frame, made by `failed`, and silence is broken every `heartbeat_s`.
    """
    first = asyncio.ensure_future(anext(frames))
    try:
        await asyncio.wait({first}, timeout=heartbeat_s)
    except asyncio.CancelledError:
        await _end(first, frames)
        raise
    if first.done() and (error := first.exception()) is not None and not isinstance(error, StopAsyncIteration):
        await _end(first, frames)
        raise error
    return _go_on(first, frames, heartbeat_s, failed)


async def _go_on(
    step: asyncio.Future[bytes],
    frames: AsyncIterator[bytes],
    heartbeat_s: float,
    failed: Callable[[Exception], bytes],
) -> AsyncIterator[bytes]:
    try:
        while True:
            while not step.done():
                try:
                    await asyncio.wait({step}, timeout=heartbeat_s)
                except asyncio.CancelledError:
                    # Either nobody reads this, or the time for draining is up.
                    yield failed(ApiError(503, "not_ready", "the service is shutting down"))
                    raise
                if not step.done():
                    yield HEARTBEAT
            try:
                frame = step.result()
            except StopAsyncIteration:
                return
            except Exception as error:
                yield failed(error)
                return
            yield frame
            step = asyncio.ensure_future(anext(frames))
    finally:
        await _end(step, frames)


async def _end(step: asyncio.Future[bytes], frames: AsyncIterator[bytes]) -> None:
    if not step.done():
        step.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await step
    await frames.aclose()  # type: ignore[attr-defined]
