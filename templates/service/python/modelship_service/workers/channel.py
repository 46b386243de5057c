"""The event loop's end of a socket to another process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from modelship_service.model.failure import Failure
from modelship_service.workers import frames

Took = Callable[[Any], None]


class Channel:
    """Messages, one asked for at a time. `when_closed` is called once, after which nothing comes any more."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.when_closed: Callable[[], None] = lambda: None
        self._loop = asyncio.get_running_loop()
        self._outgoing: frames.Buffers = []
        self._incoming = frames.incoming()
        self._view = next(self._incoming)
        self._took: Took | None = None
        self._loop.add_reader(sock, self._read)

    def send(self, message: Any) -> None:
        """Raises what pickle raises."""
        idle = not self._outgoing
        self._outgoing += frames.pack(message)
        if idle and self._write():
            self._loop.add_writer(self.sock, self._write_on)

    def expect(self, took: Took) -> None:
        """Who gets the next message; a Failure where it cannot be read."""
        self._took = took

    @property
    def closed(self) -> bool:
        return self.sock.fileno() < 0

    async def receive(self) -> Any:
        """The next message. Raises EOFError when the other end is closed before it."""
        if self.closed:
            raise EOFError
        future: asyncio.Future[Any] = self._loop.create_future()

        def took(message: Any) -> None:
            if not future.done():
                future.set_result(message)

        def closed() -> None:
            before()
            if not future.done():
                future.set_exception(EOFError())

        before, self.when_closed = self.when_closed, closed
        self.expect(took)
        try:
            return await future
        finally:
            self.when_closed = before

    def close(self) -> None:
        if self.closed:
            return
        self._loop.remove_reader(self.sock)
        self._loop.remove_writer(self.sock)
        self.sock.close()
        self.when_closed()

    def _write(self) -> bool:
        """Whether something is left that the socket does not take now."""
        try:
            while self._outgoing:
                self._outgoing = frames.send_some(self.sock, self._outgoing)
        except BlockingIOError:
            return True
        except OSError:
            self._outgoing = []  # The other end is gone, as the reader is told too.
        return False

    def _write_on(self) -> None:
        if not self._write():
            self._loop.remove_writer(self.sock)

    def _read(self) -> None:
        while True:
            try:
                count = self.sock.recv_into(self._view)
            except BlockingIOError:
                return
            except OSError:
                count = 0
            if not count:
                return self.close()
            self._view = self._view[count:]
            if self._view:
                return
            try:
                self._view = next(self._incoming)
            except StopIteration as complete:
                self._incoming = frames.incoming()
                self._view = next(self._incoming)
                return self._deliver(complete.value)

    def _deliver(self, packed: frames.Packed) -> None:
        took, self._took = self._took, None
        try:
            message = frames.unpack(packed)
        except Exception as error:
            message = Failure.of(error)
        if took is not None:
            took(message)
