"""One connection: uvicorn's HTTP protocol, with limits on heads and time, and an eye on clients that leave."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from modelship_service.http.headers import SECURITY
from modelship_service.settings import Settings

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

    from modelship_service.http.app import App, Direct

Headers = Sequence[tuple[bytes, bytes]]

MAX_HEADERS = 100
# How long what a refused client still sends is read: closing on it is a reset, which can take the answer with it.
_LINGER_S = 2.0
# How long a service that ends waits for the request that an answer's head has allowed.
_PROMISE_S = 0.5
# So many connections above the limit are told so; the others are closed without a word.
_TOLD = 256
# A client that closed both ways answers the first of a pair with a reset, on which the second fails; one that has only
# finished sending reads past them.
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_PROBE_S = (2.0, 0.05)


class Connection(HttpToolsProtocol):
    """`settings`, `application` and `excess` are set by the server, once for all connections."""

    settings: Settings
    application: App
    # How many connections there are above the limit.
    excess: Callable[[], int]
    # When the head that is being read began to be waited for; None while there is none.
    head_since: float | None = None
    # A head may begin in the middle of what is read at once, after the end of the body before it: so many bytes of it
    # have come at least, and at most.
    _in_head = False
    _head_least = 0
    _head_most = 0
    _read_bytes = 0
    _refused = False
    # Set while a request waits for the whole of its body.
    _body_limit: int | None = None
    # When the last answer was sent, if no request has begun since.
    _idle_since: float | None = None
    _promised = False
    # Since when the client has taken nothing of what is written to it.
    _stuck_since: float | None = None
    _probe: asyncio.TimerHandle | None = None
    # A request whose head has come, in what is being read.
    _reading = False
    _to_begin: RequestResponseCycle | None = None
    # The request that is being answered without a task.
    _direct: Direct | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._tasks: set[asyncio.Task[None]] = set()
        self.head_since = self.loop.time()
        excess = type(self).excess()
        if excess > _TOLD:
            transport.abort()
        elif excess > 0:
            self.refuse(503, "too_many_connections", "too many connections are open: try again later")

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self.head_since is None and self._idle():
            self.head_since = self.loop.time()
        self._read_bytes = len(data)
        if self._in_head:
            self._head_least += len(data)
            self._head_most += len(data)
        self._reading = True
        super().data_received(data)
        self._reading = False
        cycle, self._to_begin = self._to_begin, None
        if cycle is not None:
            self._begin(cycle)
        if self._in_head and self._head_least > self.settings.max_header_bytes:
            self.refuse(431, "headers_too_large", f"a head may have {self.settings.max_header_bytes} bytes at most")

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def on_response_complete(self) -> None:
        """As uvicorn's, but `expire` closes idle connections: a timer for each answer costs more than to write it."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            # In a turn of its own: a thousand requests at once must not be a thousand calls deep.
            self.loop.call_soon(self._begin, self.pipeline.pop()[0])
        else:
            self._idle_since = self.loop.time()
            if self._promised:
                self._promised = False
                self.loop.call_later(_PROMISE_S, self._close_idle)

    def shutdown(self) -> None:
        """As uvicorn's, but where an answer's head has let its client send another request, it may still do so."""
        if self._idle():
            self.transport.close()
        elif self.cycle.response_started and self.cycle.keep_alive:
            self._promised = True
        else:
            self.cycle.keep_alive = False

    def _close_idle(self) -> None:
        if self._idle():
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Not before all that has been read is parsed: then nearly every request is whole."""
        if self._reading:
            self._to_begin = cycle
        else:
            self.loop.call_soon(self._begin, cycle)

    def _begin(self, cycle: RequestResponseCycle) -> None:
        """Without a task where the application can; with one otherwise."""
        direct = (
            None
            if cycle.more_body or cycle.disconnected
            else self.application.begin(cast("MutableMapping[str, Any]", cycle.scope))
        )
        if direct is None:
            self.run(cycle.run_asgi(self.app))
        elif not direct.over:
            self._direct = direct

    def direct_is_over(self, direct: Direct) -> None:
        if self._direct is direct:
            self._direct = None

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """In a task that is known, so that it can be cancelled when the client goes."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        self.tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.tasks.discard(task)

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_least, self._head_most = 0, self._read_bytes
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.head_since = None
        self._in_head = False
        size = 0
        if self._head_most > self.settings.max_header_bytes:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        scope: MutableMapping[str, Any] = self.scope  # type: ignore[assignment]
        scope["modelship.connection"] = self
        scope["modelship.head_too_large"] = size > self.settings.max_header_bytes or len(self.headers) > MAX_HEADERS
        super().on_headers_complete()
        scope["modelship.cycle"] = self.cycle

    def whole_body(self, scope: MutableMapping[str, Any]) -> bytes | None:
        """The body of a request that has arrived already, which is the case for nearly all of them."""
        cycle = scope["modelship.cycle"]
        if cycle.more_body or cycle.disconnected or cycle.waiting_for_100_continue:
            return None
        body = bytes(cycle.body)
        cycle.body = bytearray()
        cycle.message_event.clear()
        return body

    async def rest_of_body(self, scope: MutableMapping[str, Any], limit: int) -> int:
        """Wait until the body is whole, larger than `limit`, or given up with the connection. How much there is.

        uvicorn would stop reading and wake the request at each 64 KiB: for tensors that takes longer than their bytes.
        """
        cycle = scope["modelship.cycle"]
        if cycle.waiting_for_100_continue:
            cycle.waiting_for_100_continue = False
            self.transport.write(_CONTINUE)
        self._body_limit = limit
        self.flow.resume_reading()
        try:
            while cycle.more_body and not cycle.disconnected and len(cycle.body) <= limit:
                cycle.message_event.clear()
                await cycle.message_event.wait()
        finally:
            self._body_limit = None
        return len(cycle.body)

    def on_body(self, body: bytes) -> None:
        if self._body_limit is None:
            return super().on_body(body)
        self.cycle.body += body
        if len(self.cycle.body) > self._body_limit:
            self.flow.pause_reading()
            self.cycle.message_event.set()

    def respond(self, scope: MutableMapping[str, Any], begin: bytes, headers: Headers, body: bytes) -> bool:
        """Write a whole answer at once, as uvicorn would in two messages and many checks. `begin` is its first lines.

        False when it cannot be done so: the client reads too slowly, or is sending still.
        """
        cycle = scope["modelship.cycle"]
        if self.flow.write_paused or cycle.more_body:
            return False
        if cycle.disconnected:
            return True
        parts = [begin]
        for name, value in self.server_state.default_headers:
            parts += (name, b": ", value, b"\r\n")
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
            if name == b"connection":
                cycle.keep_alive = False
        if not cycle.keep_alive and b"connection" not in parts:
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n",) if scope["method"] == "HEAD" else (b"\r\n", body)
        cycle.response_started = cycle.response_complete = True
        self.transport.write(b"".join(parts))
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.head_since = None
        if self._probe is not None:
            self._probe.cancel()
        super().connection_lost(exc)
        if self._direct is not None:
            self._direct.client_gone()
        for task in self._tasks:
            # Soon, as one that has not begun would leave no line in the log.
            self.loop.call_soon(task.cancel)

    def give_up(self) -> None:
        """The time for draining is up. Tasks are cancelled by the server."""
        if self._direct is not None:
            self._direct.give_up()

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that has only finished sending still wants its answer."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        cycle.keep_alive = False
        if cycle.scope["http_version"] == "1.1":
            self._probe = self.loop.call_later(_PROBE_S[0], self._ask_whether_gone, 1)
        return True

    def _ask_whether_gone(self, count: int) -> None:
        """There is no other way to tell a client that left from one that waits in silence."""
        cycle = self.cycle
        if self.transport.is_closing() or cycle is None or cycle.response_started:
            return
        self.transport.write(_CONTINUE)
        self._probe = self.loop.call_later(_PROBE_S[count % 2], self._ask_whether_gone, count + 1)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stuck_since = None

    def expire(self, now: float) -> None:
        """Called each second: a head that does not come to its end, no next request, an answer that is not taken."""
        if self.head_since is not None and now - self.head_since > self.settings.header_timeout_s and self._idle():
            self.refuse(408, "request_timeout", "the head of the request did not arrive in time")
        if self._stuck_since is not None and now - self._stuck_since > self.settings.idle_timeout_s:
            self.transport.abort()
        if self._idle_since is not None and now - self._idle_since > self.settings.idle_timeout_s:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        self.refuse(400, "bad_request", "this is not HTTP that can be understood")

    def refuse(self, status: int, code: str, message: str) -> None:
        """An answer to what is no request yet, and the end of the connection. What came before is answered first."""
        self.head_since = None
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        if not self._idle():
            cycle = self.cycle
            if not cycle.more_body:
                cycle.keep_alive = False
                return
            if self.pipeline or cycle.response_started:
                return self.transport.close()
            # It is the body of this request that cannot be understood.
            cycle.disconnected = True
            cycle.message_event.set()
        number = os.urandom(12).hex()
        body = msgspec.json.encode({"error": {"code": code, "message": message, "request_id": number}})
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", number.encode()),
            *SECURITY,
            *([(b"retry-after", b"1")] if status == 503 else []),
            (b"connection", b"close"),
        ]
        head = STATUS_LINE[status] + b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(head + b"\r\n" + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.close)
