"""The HTTP server: uvicorn, listening at once and leaving without losing what it accepted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Iterator
from types import FrameType

import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modelship_service.http.app import App
from modelship_service.errors import ApiError
from modelship_service.observe.logs import ServerLogHandler
from modelship_service.service import Service

_LINGER_S = 0.5
_KEEP_ALIVE_S = 75
_BACKLOG = 2048
_BAD_REQUEST = ApiError(400, "bad_request", "this is not HTTP that can be understood")


def bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class Protocol(HttpToolsProtocol):
    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that has only finished sending still wants its answer."""
        waiting = self.cycle is not None and not self.cycle.response_complete
        if waiting and not self.cycle.more_body:
            self.cycle.keep_alive = False
            return True
        return False

    def send_400_response(self, msg: str) -> None:
        body = msgspec.json.encode({"error": {"code": _BAD_REQUEST.code, "message": _BAD_REQUEST.message}})
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
        self.transport.close()


class Server(uvicorn.Server):
    def __init__(self, service: Service, listener: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                App(service),
                http=Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_S,
            )
        )
        self._service = service
        self._listener = listener
        logger = logging.getLogger("uvicorn.error")
        logger.handlers = [ServerLogHandler(service.log)]
        logger.propagate = False

    async def serve_model(self) -> None:
        """Listen, load, serve, and return when a signal or a model that failed has ended it."""
        with self.capture_signals():
            loading = asyncio.ensure_future(self._service.load(when_failed=self._leave))
            await self._serve([self._listener])
            loading.cancel()

    def _leave(self) -> None:
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn does, without raising the signal again afterwards: a clean end has exit code 0."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._service.state == "draining" and sig == signal.SIGINT:
            self.force_exit = True
        self._service.drain(signal.Signals(sig).name)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, answer what still comes on open connections for a moment, then close them."""
        started = time.monotonic()
        for server in self.servers:
            server.close()
        if self._service.state == "draining" and self.server_state.connections and not self.force_exit:
            await asyncio.sleep(_LINGER_S)
        left = self._service.settings.drain_s - (time.monotonic() - started)
        self.config.timeout_graceful_shutdown = max(0, left)  # type: ignore[assignment]
        await super().shutdown(sockets)
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=0.5)
