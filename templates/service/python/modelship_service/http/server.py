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

import uvicorn

from modelship_service.api.routes import routes
from modelship_service.http.app import App
from modelship_service.http.protocol import Connection
from modelship_service.http.router import Router
from modelship_service.observe.logs import ServerLogHandler
from modelship_service.service import Service

_LINGER_S = 0.5
_BACKLOG = 2048
_SWEEP_S = 1.0


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


class Server(uvicorn.Server):
    def __init__(self, service: Service, listener: socket.socket) -> None:
        settings = service.settings
        app = App(service, Router(routes(settings)))
        shared = {"settings": settings, "application": app, "excess": self._excess}
        connection = type("Connection", (Connection,), shared)
        super().__init__(
            uvicorn.Config(
                app,
                http=connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=_BACKLOG,
                timeout_keep_alive=settings.idle_timeout_s,  # type: ignore[arg-type]
            )
        )
        self._service = service
        self._listener = listener
        logger = logging.getLogger("uvicorn.error")
        logger.handlers = [ServerLogHandler(service.log)]
        logger.propagate = False

    async def serve_model(self) -> None:
        """Listen, load, serve, and return when a signal or a model that failed has ended it."""
        service = self._service
        loop = asyncio.get_running_loop()
        service.log.keep_lines(loop)
        loop.add_signal_handler(signal.SIGHUP, service.keys.reload)
        with self.capture_signals():
            beside = [
                asyncio.ensure_future(service.load(when_failed=self._leave)),
                asyncio.ensure_future(service.keys.watch()),
                asyncio.ensure_future(self._sweep()),
            ]
            await self._serve([self._listener])
            for task in beside:
                task.cancel()
        service.log.keep_lines(None)

    def _excess(self) -> int:
        return len(self.server_state.connections) - self._service.settings.max_connections

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_S)
            for connection in list(self.server_state.connections):
                connection.expire(loop.time())  # type: ignore[union-attr]

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
        for connection in list(self.server_state.connections):
            connection.give_up()  # type: ignore[union-attr]
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=0.5)
