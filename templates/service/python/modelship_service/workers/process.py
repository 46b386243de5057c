"""The model in a process of its own, which may die."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from modelship_service.model.failure import Failure
from modelship_service.workers.channel import Channel
from modelship_service.workers.worker import Done

_DIED = Failure("the model's process ended while it worked on this request", died=True)


class ModelProcess:
    """`dead` is done when it has died. Then what it worked on has failed, and it is called no more."""

    def __init__(self, pid: int, channel: Channel) -> None:
        self.pid = pid
        self.when_dead: Callable[[Failure], None] = lambda failure: None
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self.dead: asyncio.Future[None] = self._loop.create_future()
        self._done: Done | None = None
        channel.when_closed = self._end
        if channel.closed:
            self._end()

    def run(self, operation: str, arguments: tuple[Any, ...], done: Done) -> None:
        try:
            self._channel.send((operation, arguments))
        except Exception as error:
            self._loop.call_soon(done, Failure.of(error))
            return
        self._done = done
        self._channel.expect(self._answered)

    def _answered(self, result: Any) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(result)

    def _end(self) -> None:
        # First out of the pool, so that what it held does not come back to it.
        self.when_dead(_DIED)
        self._answered(_DIED)
        if not self.dead.done():
            self.dead.set_result(None)
