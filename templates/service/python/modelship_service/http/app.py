"""What answers requests: at once where the handler calls back, and in a task of its own otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

from modelship_service.http.cors import Cors
from modelship_service.http.exchange import GONE, Exchange, fixed_headers
from modelship_service.http.request import ClientGone, Receive, Send
from modelship_service.http.response import Response, Stream
from modelship_service.http.router import Router
from modelship_service.service import Service


class App:
    """As an ASGI application it takes any request; `begin` is the shorter way for those that have arrived whole."""

    def __init__(self, service: Service, router: Router) -> None:
        self._service = service
        self._router = router
        self._cors = Cors(service.settings.cors_origins)

    def begin(self, scope: MutableMapping[str, Any]) -> Direct | None:
        """Begin to answer without a task. None where it takes one, which goes on from here.

        A task, its coroutines and its turns of the event loop cost a small request more than all its checks.
        """
        exchange = Exchange(scope, self._service, self._router, self._cors)
        if exchange.route is None or exchange.route.direct is None:
            scope["modelship.exchange"] = exchange
            return None
        direct = Direct(exchange)
        try:
            exchange.admit()
            cancel = exchange.route.direct(self._service, exchange.request, direct.answer)
        except Exception as problem:
            direct.answer(problem)
            return direct
        if cancel is None:
            scope["modelship.exchange"] = exchange
            return None
        if not direct.over:
            direct.cancel = cancel
        return direct

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        exchange = scope.get("modelship.exchange") or Exchange(scope, self._service, self._router, self._cors)
        request = exchange.request
        request.receive = receive
        try:
            try:
                response: Response | Stream
                if self._cors.enabled and self._cors.is_preflight(request):
                    response = self._cors.preflight(request, exchange.methods)
                else:
                    response = await exchange.admit().handler(self._service, request)
            except (Exception, asyncio.CancelledError) as problem:
                response = exchange.told(problem)
            if isinstance(response, Stream):
                await self._stream(exchange, response, send)
            elif not exchange.write(response):
                await _send(exchange, response, send)
        except ClientGone:
            exchange.status, exchange.code = GONE, "client_gone"
        except asyncio.CancelledError:
            if not scope["modelship.cycle"].disconnected:
                raise
            exchange.status, exchange.code = GONE, "client_gone"
        finally:
            exchange.close()

    async def _stream(self, exchange: Exchange, response: Stream, send: Send) -> None:
        chunks = response.chunks
        exchange.status = 200
        headers = [*fixed_headers(response.content_type), *exchange.headers(response)]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except asyncio.CancelledError:
            if exchange.request.scope["modelship.cycle"].disconnected:
                raise
            # The time for draining is up, as the last chunk has said.
            await send({"type": "http.response.body", "body": b""})
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]


async def _send(exchange: Exchange, response: Response, send: Send) -> None:
    request = exchange.request
    headers = [*fixed_headers(response.content_type), *exchange.headers(response)]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if request.unread:
        await send({"type": "http.response.body", "body": response.body, "more_body": True})
        await request.discard_body()
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": response.body})


class Direct:
    """A request that is answered when its handler calls back, unless its client goes or the time for draining ends."""

    __slots__ = ("_exchange", "cancel", "over")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.cancel: Callable[[], object] | None = None
        self.over = False

    def answer(self, answer: Response | Exception) -> None:
        if self.over:
            return
        self.over = True
        self.cancel = None  # It holds this: no collection has to find that out.
        exchange = self._exchange
        exchange.request.connection.direct_is_over(self)
        written = True
        try:
            response = answer if isinstance(answer, Response) else exchange.told(answer)
            written = exchange.write(response)
            if not written:
                exchange.request.connection.run(self._write_slowly(response))
        finally:
            if written:
                exchange.close()

    async def _write_slowly(self, response: Response) -> None:
        scope = self._exchange.request.scope
        self._exchange.request.receive = scope["modelship.cycle"].receive
        try:
            await _send(self._exchange, response, scope["modelship.cycle"].send)
        finally:
            self._exchange.close()

    def client_gone(self) -> None:
        if self.over:
            return
        self.over = True
        if self.cancel is not None:
            self.cancel()
        self._exchange.status, self._exchange.code = GONE, "client_gone"
        self._exchange.close()

    def give_up(self) -> None:
        """The time for draining is up. Whoever waits gets an answer all the same."""
        if self.cancel is not None and not self.over:
            self.cancel()
            self.answer(self._exchange.shutting_down())
