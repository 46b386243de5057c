"""Client of a modelship service: the standard library alone, Python 3.10 and newer.

# if known
Made by `modelship client python` from the service's schema. Make it again when the schema changes; do not edit it.
# end
# if unknown
Made by modelship for a model whose types are not known yet: rows and outputs are any JSON here.
`modelship client python` makes it again with their types, from the service while it runs.
# end

# if rows
    from client import Client

    with Client() as client:
        output = client.predict(row)
        outputs = client.predict_many(rows)

# end
# if pieces
    from client import Client

    with Client() as client, client.stream(row) as pieces:
        for piece in pieces:
            print(piece)

# end
# if chat
    from client import Client

    with Client() as client:
        print(client.chat([{"role": "user", "content": "Hello"}]))

# end
The address and the key come from the environment, MODELSHIP_URL and MODELSHIP_API_KEY, unless they are given.
# if openai
The service speaks OpenAI's API too: for all of it use the package `openai` with `base_url=f"{url}/v1"` and this key.
# end
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import email.utils
import http.client
import itertools
import json
import os
import random
import selectors
import socket
import ssl
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Generic, Literal, TypeAlias, TypedDict, TypeVar, cast

# section constants
API = "v1"
MODEL = "model"
DEFAULT_URL = "http://127.0.0.1:8080"
MAX_ROWS = 1024
# end

Json: TypeAlias = "None | bool | int | float | str | list[Any] | dict[str, Any]"
# if chat
Message: TypeAlias = Mapping[str, Any]
# end
T = TypeVar("T")

# section types
Input: TypeAlias = Json
Output: TypeAlias = Json
# end


class ServiceError(Exception):
    """What this client raises for a request: all other errors are its subclasses."""


class ServiceUnreachableError(ServiceError):
    """There was no answer: nothing listens there, or the connection broke.

    `sent`: the service may have begun with the request.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class ServiceTimeoutError(ServiceError):
    """There was no answer in time."""


class ApiError(ServiceError):
    """The service says why it does not answer the request.

    `code` is for programs, `details` names what is wrong in an input, `request_id` finds the request in the log.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        request_id: str | None = None,
        details: Sequence[Mapping[str, Any]] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(
            f"{status} {code}: {message}"
            + (f" (request {request_id})" if request_id else "")
        )
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        self.details = details
        self.retry_after = retry_after


class BadRequestError(ApiError):
    """The request is not what the service takes (4xx)."""


class InvalidInputError(BadRequestError):
    """The model's types refuse the input (422): `details` has path and rule."""


class AuthenticationError(ApiError):
    """There is no key, or it is not good (401)."""


class PermissionDeniedError(ApiError):
    """The key may not do this (403)."""


class NotFoundError(ApiError):
    """No such model, version or job (404)."""


class RateLimitError(ApiError):
    """A limit of the key or of the service (429), after all tries."""


class ServerError(ApiError):
    """The model or the service failed (5xx)."""


class StreamError(ApiError):
    """The model failed after its first piece."""


class JobError(ApiError):
    """The job failed, or was cancelled."""


class Client:
    """Calls the service. Threads may share one; connections are kept open between requests.

    `timeout`: seconds for a request, with all its tries; `connect_timeout`: seconds for one connection.
    What may pass by (429, 502, 503, 504, broken connections) is tried `max_retries` times more, with pauses that
    grow, and no sooner than the service asks for.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float | None = 60.0,
        connect_timeout: float = 5.0,
        max_retries: int = 3,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        key = (
            api_key if api_key is not None else os.environ.get("MODELSHIP_API_KEY", "")
        )
        self._key = key.strip()
        self._timeout = timeout
        self._max_retries = max_retries
        address = url or os.environ.get("MODELSHIP_URL") or DEFAULT_URL
        self._connections = _Connections(address, connect_timeout, ssl_context)

    def __enter__(self) -> Client:  # noqa: PYI034
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; a second time does nothing."""
        self._connections.close()

    # if rows
    def predict(self, row: Input, *, timeout: float | None = None) -> Output:
        """The output for one row."""
        return self._predict([row], self._deadline(timeout))[0]

    def predict_many(
        self, rows: Iterable[Input], *, timeout: float | None = None
    ) -> list[Output]:
        """An output for each row, in the same order. What is too much for one request goes in several."""
        deadline, todo, outputs = self._deadline(timeout), list(rows), list[Output]()
        for start in range(0, len(todo), MAX_ROWS):
            outputs += self._predict(todo[start : start + MAX_ROWS], deadline)
        return outputs

    def _predict(self, rows: list[Input], deadline: _Deadline) -> list[Output]:
        answer = self._json("POST", f"/{API}/predict", {"rows": rows}, deadline)
        return _outputs(answer, len(rows))

    # end
    # if pieces
    def stream(self, row: Input, *, timeout: float | None = None) -> Stream[Output]:
        """The model's pieces, each as soon as it is there. `timeout`: for the first, and for silence between them."""
        answer = self._open(
            "POST",
            f"/{API}/predict",
            {"rows": [row]},
            self._deadline(timeout),
            accept="text/event-stream",
        )
        return Stream(
            answer,
            lambda data: _outputs(json.loads(data), 1)[0],
            done=lambda name, _: name == "done",
        )

    def collect(self, row: Input, *, timeout: float | None = None) -> list[Output]:
        """All pieces of the model at once."""
        answer = self._json(
            "POST", f"/{API}/predict", {"rows": [row]}, self._deadline(timeout)
        )
        if isinstance(answer, dict) and isinstance(answer.get("pieces"), list):
            return cast("list[Output]", answer["pieces"])
        return _outputs(answer, 1)

    # end
    # if jobs
    def start_job(self, row: Input, *, timeout: float | None = None) -> Job[Output]:
        """Predict for one row without waiting for it."""
        return self._start([row], timeout, lambda outputs: outputs[0])

    def start_job_many(
        self, rows: Iterable[Input], *, timeout: float | None = None
    ) -> Job[list[Output]]:
        """Predict for many rows, at most MAX_ROWS, without waiting for them."""
        return self._start(list(rows), timeout, lambda outputs: outputs)

    def find_job(self, job_id: str) -> Job[Output]:
        """A job that `start_job` started, maybe elsewhere."""
        return Job(self, self._job_answer("GET", job_id), lambda outputs: outputs[0])

    def find_job_many(self, job_id: str) -> Job[list[Output]]:
        """A job that `start_job_many` started, maybe elsewhere."""
        return Job(self, self._job_answer("GET", job_id), lambda outputs: outputs)

    def _start(
        self,
        rows: list[Input],
        timeout: float | None,
        take: Callable[[list[Output]], T],
    ) -> Job[T]:
        # Asked twice, the service would have two jobs: only what it has surely not taken is sent again.
        answer = self._json(
            "POST",
            f"/{API}/jobs",
            {"rows": rows},
            self._deadline(timeout),
            repeatable=False,
        )
        return Job(self, _object(answer), take)

    def _job_answer(
        self, method: str, job_id: str, timeout: float | None = None
    ) -> dict[str, Any]:
        path = f"/{API}/jobs/{urllib.parse.quote(job_id, safe='')}"
        return _object(self._json(method, path, None, self._deadline(timeout)))

    # end
    # if chat
    def chat(
        self,
        messages: Sequence[Message],
        *,
        timeout: float | None = None,
        **options: Any,
    ) -> str:
        """The model's answer to a conversation; `options` as in OpenAI's API: `max_tokens`, `temperature`, ..."""
        body = {"model": MODEL, "messages": messages, **options}
        answer = self._json(
            "POST", "/v1/chat/completions", body, self._deadline(timeout)
        )
        return _text(_first(answer).get("message"), "content")

    def chat_stream(
        self,
        messages: Sequence[Message],
        *,
        timeout: float | None = None,
        **options: Any,
    ) -> Stream[str]:
        """The same, piece by piece."""
        body = {"model": MODEL, "messages": messages, "stream": True, **options}
        return self._texts(
            "/v1/chat/completions",
            body,
            timeout,
            lambda choice: _text(choice.get("delta"), "content"),
        )

    # end
    # if complete
    def complete(
        self, prompt: str, *, timeout: float | None = None, **options: Any
    ) -> str:
        """How the model goes on with a text."""
        body = {"model": MODEL, "prompt": prompt, **options}
        answer = self._json("POST", "/v1/completions", body, self._deadline(timeout))
        return _text(_first(answer), "text")

    def complete_stream(
        self, prompt: str, *, timeout: float | None = None, **options: Any
    ) -> Stream[str]:
        """The same, piece by piece."""
        body = {"model": MODEL, "prompt": prompt, "stream": True, **options}
        return self._texts(
            "/v1/completions", body, timeout, lambda choice: _text(choice, "text")
        )

    # end
    # if generates
    def _texts(
        self,
        path: str,
        body: Mapping[str, Any],
        timeout: float | None,
        text: Callable[[dict[str, Any]], str],
    ) -> Stream[str]:
        answer = self._open(
            "POST", path, body, self._deadline(timeout), accept="text/event-stream"
        )

        def piece(data: str) -> str:
            event = _object(json.loads(data))
            if "error" in event:
                raise _said_error(StreamError, answer.status, event, answer.request_id)
            return text(_first(event)) if event.get("choices") else ""

        return Stream(answer, piece, done=lambda _, data: data == "[DONE]")

    # end
    # if embed
    def embed(
        self, texts: Iterable[str], *, timeout: float | None = None, **options: Any
    ) -> list[list[float]]:
        """A vector for each text. What is too much for one request goes in several."""
        deadline, todo, vectors = (
            self._deadline(timeout),
            list(texts),
            list[list[float]](),
        )
        for start in range(0, len(todo), MAX_ROWS):
            body = {"model": MODEL, "input": todo[start : start + MAX_ROWS], **options}
            answer = _object(self._json("POST", "/v1/embeddings", body, deadline))
            vectors += [cast("list[float]", one["embedding"]) for one in answer["data"]]
        return vectors

    # end
    def _deadline(self, timeout: float | None) -> _Deadline:
        return _Deadline(self._timeout if timeout is None else timeout)

    def _json(
        self,
        method: str,
        path: str,
        body: Any,
        deadline: _Deadline,
        *,
        repeatable: bool = True,
    ) -> Any:
        answer = self._open(
            method,
            path,
            body,
            deadline,
            accept="application/json",
            repeatable=repeatable,
        )
        return answer.json()

    def _open(
        self,
        method: str,
        path: str,
        body: Any,
        deadline: _Deadline,
        *,
        accept: str,
        repeatable: bool = True,
    ) -> _Answer:
        """The head of a good answer, after as many tries as it takes and may take."""
        call = _current_call.get() or _Call()
        payload = (
            None
            if body is None
            else json.dumps(body, default=_plain, allow_nan=False).encode()
        )
        headers = {"Accept": accept, "User-Agent": "modelship-client-python"}
        if payload is not None:
            headers["Content-Type"] = "application/json"
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        for attempt in itertools.count():
            pause = min(8.0, 0.5 * 2**attempt) * random.uniform(0.5, 1.0)
            failure: ServiceError
            try:
                answer = self._connections.ask(
                    method, path, payload, headers, deadline, call
                )
            except ServiceUnreachableError as broken:
                failure, again = broken, repeatable or not broken.sent
                if isinstance(broken.__cause__, ssl.SSLCertVerificationError):
                    again = False
            else:
                if 200 <= answer.status < 300:
                    return answer
                failure = answer.error()
                again = answer.may_repeat(repeatable)
                if failure.retry_after is not None:
                    pause = failure.retry_after + random.uniform(
                        0.0, 0.1 + 0.1 * failure.retry_after
                    )
            if not again or attempt >= self._max_retries or not deadline.allows(pause):
                raise failure
            call.sleep(pause)
        raise AssertionError


# if streams
class Stream(Generic[T]):
    """Pieces as they come. Leave it early with `close()` or a `with` block: the model stops then."""

    def __init__(
        self,
        answer: _Answer,
        read: Callable[[str], T],
        *,
        done: Callable[[str, str], bool],
    ) -> None:
        self.request_id = answer.request_id
        self._answer = answer
        self._pieces = self._read(read, done)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return next(self._pieces)

    def __enter__(self) -> Stream[T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop, wherever it is."""
        self._answer.abort()

    def _read(
        self, read: Callable[[str], T], done: Callable[[str, str], bool]
    ) -> Iterator[T]:
        try:
            if not self._answer.is_events:
                yield read(self._answer.text())
                return
            for name, data in _events(self._answer.chunks()):
                if done(name, data):
                    self._answer.finish()
                    return
                if name == "error":
                    raise _said_error(
                        StreamError,
                        self._answer.status,
                        json.loads(data),
                        self.request_id,
                    )
                yield read(data)
            raise ServiceUnreachableError("the stream ended before it was complete")
        finally:
            self._answer.abort()


def _events(chunks: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Name and data of server-sent events."""
    name, data = "message", list[str]()
    for line in _lines(chunks):
        if not line:
            if data:
                yield name, "\n".join(data)
            name, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines as they are complete; LF, CR LF and CR end them."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        held = rest.endswith(b"\r")  # an LF may follow
        lines = (rest[:-1] if held else rest).splitlines(keepends=True)
        rest = (
            lines.pop()
            if lines and (held or not lines[-1].endswith((b"\n", b"\r")))
            else b""
        )
        rest += b"\r" if held else b""
        for line in lines:
            yield line.rstrip(b"\r\n").decode("utf-8", "replace")


# end
# if jobs
class Job(Generic[T]):
    """Work that goes on in the service. `status` is what it was when it was last asked."""

    def __init__(
        self, client: Client, answer: dict[str, Any], take: Callable[[list[Output]], T]
    ) -> None:
        self._client = client
        self._take = take
        self._answer = answer

    @property
    def id(self) -> str:
        return str(self._answer["id"])

    @property
    def status(self) -> Literal["queued", "succeeded", "failed", "cancelled"]:
        return cast(
            "Literal['queued', 'succeeded', 'failed', 'cancelled']",
            self._answer["status"],
        )

    def refresh(self) -> Job[T]:
        """Ask the service how it stands."""
        self._answer = self._client._job_answer("GET", self.id)
        return self

    def wait(self, timeout: float | None = None) -> T:
        """Its result. Raises JobError when it failed, ServiceTimeoutError when it is not over by then."""
        deadline = _Deadline(timeout)
        pause = 0.1
        while self.status == "queued":
            if not deadline.allows(pause):
                raise ServiceTimeoutError(f"the job {self.id} is not over yet")
            time.sleep(pause)
            pause = min(5.0, pause * 1.5)
            self._answer = self._client._job_answer("GET", self.id, deadline.rest())
        return self.result()

    def result(self) -> T:
        """Its result, of a job that is over."""
        if self.status == "succeeded":
            return self._take(_outputs(self._answer.get("result"), None))
        if self.status == "queued":
            raise JobError(200, "queued", f"the job {self.id} is not over yet")
        if self.status == "cancelled":
            raise JobError(200, "cancelled", f"the job {self.id} was cancelled")
        raise _said_error(JobError, 200, self._answer, None)

    def cancel(self) -> None:
        """End it, or forget its result."""
        self._answer = self._client._job_answer("DELETE", self.id)


# end
class AsyncClient:
    """The same for asyncio. Each request runs in a thread of this client, and ends when its task is cancelled."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float | None = 60.0,
        connect_timeout: float = 5.0,
        max_retries: int = 3,
        ssl_context: ssl.SSLContext | None = None,
        max_concurrency: int = 32,
    ) -> None:
        self._client = Client(
            url,
            api_key,
            timeout=timeout,
            connect_timeout=connect_timeout,
            max_retries=max_retries,
            ssl_context=ssl_context,
        )
        self._threads = ThreadPoolExecutor(
            max_concurrency, thread_name_prefix="modelship-client"
        )

    async def __aenter__(self) -> AsyncClient:  # noqa: PYI034
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; a second time does nothing."""
        self._client.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    # if rows
    async def predict(self, row: Input, *, timeout: float | None = None) -> Output:
        """The output for one row."""
        return await self._run(lambda: self._client.predict(row, timeout=timeout))

    async def predict_many(
        self, rows: Iterable[Input], *, timeout: float | None = None
    ) -> list[Output]:
        """An output for each row, in the same order."""
        return await self._run(lambda: self._client.predict_many(rows, timeout=timeout))

    # end
    # if pieces
    def stream(
        self, row: Input, *, timeout: float | None = None
    ) -> AsyncIterator[Output]:
        """The model's pieces, each as soon as it is there."""
        return self._pieces(lambda: self._client.stream(row, timeout=timeout))

    async def collect(
        self, row: Input, *, timeout: float | None = None
    ) -> list[Output]:
        """All pieces of the model at once."""
        return await self._run(lambda: self._client.collect(row, timeout=timeout))

    # end
    # if chat
    async def chat(
        self,
        messages: Sequence[Message],
        *,
        timeout: float | None = None,
        **options: Any,
    ) -> str:
        """The model's answer to a conversation."""
        return await self._run(
            lambda: self._client.chat(messages, timeout=timeout, **options)
        )

    def chat_stream(
        self,
        messages: Sequence[Message],
        *,
        timeout: float | None = None,
        **options: Any,
    ) -> AsyncIterator[str]:
        """The same, piece by piece."""
        return self._pieces(
            lambda: self._client.chat_stream(messages, timeout=timeout, **options)
        )

    # end
    # if complete
    async def complete(
        self, prompt: str, *, timeout: float | None = None, **options: Any
    ) -> str:
        """How the model goes on with a text."""
        return await self._run(
            lambda: self._client.complete(prompt, timeout=timeout, **options)
        )

    def complete_stream(
        self, prompt: str, *, timeout: float | None = None, **options: Any
    ) -> AsyncIterator[str]:
        """The same, piece by piece."""
        return self._pieces(
            lambda: self._client.complete_stream(prompt, timeout=timeout, **options)
        )

    # end
    # if embed
    async def embed(
        self, texts: Iterable[str], *, timeout: float | None = None, **options: Any
    ) -> list[list[float]]:
        """A vector for each text."""
        return await self._run(
            lambda: self._client.embed(texts, timeout=timeout, **options)
        )

    # end
    async def _run(self, work: Callable[[], T]) -> T:
        call = _Call()

        def in_thread() -> T:
            _current_call.set(call)
            return work()

        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, in_thread
            )
        except asyncio.CancelledError:
            call.abort()
            raise

    # if streams
    async def _pieces(self, open_stream: Callable[[], Stream[T]]) -> AsyncIterator[T]:
        stream = await self._run(open_stream)
        try:
            while True:
                found = await self._run(lambda: list(itertools.islice(stream, 1)))
                if not found:
                    return
                yield found[0]
        finally:
            stream.close()

    # end


class _Deadline:
    """A moment, or none."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._at = None if seconds is None else time.monotonic() + seconds

    def rest(self) -> float | None:
        """Seconds that are left; raises when there are none."""
        if self._at is None:
            return None
        rest = self._at - time.monotonic()
        if rest <= 0:
            raise ServiceTimeoutError(f"no answer within {self.seconds:g} s")
        return rest

    def allows(self, pause: float) -> bool:
        return self._at is None or time.monotonic() + pause < self._at


class _Call:
    """A request on its way, which another thread may end."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._socket: socket.socket | None = None

    def uses(self, its_socket: socket.socket) -> None:
        self._socket = its_socket
        self.check()

    def check(self) -> None:
        if self._ended.is_set():
            raise ServiceError("the request was cancelled")

    def sleep(self, seconds: float) -> None:
        self._ended.wait(seconds)
        self.check()

    def abort(self) -> None:
        self._ended.set()
        if self._socket is not None:
            _shut(self._socket)


_current_call: ContextVar[_Call | None] = ContextVar("modelship_call", default=None)


class _Connections:
    """Connections that stay open between requests."""

    _longest_idle = 30.0

    def __init__(
        self, address: str, connect_timeout: float, context: ssl.SSLContext | None
    ) -> None:
        url = urllib.parse.urlsplit(
            address if "://" in address else f"http://{address}"
        )
        if (
            url.scheme not in ("http", "https")
            or not url.hostname
            or url.username is not None
            or url.query
        ):
            raise ValueError(
                "the address has to be one as in https://example.com or http://127.0.0.1:8080"
            )
        self._secure = url.scheme == "https"
        self._host = url.hostname
        self._port = url.port or (443 if self._secure else 80)
        self._path = url.path.rstrip("/")
        self._shown = f"{url.scheme}://{url.netloc}"
        self._connect_timeout = connect_timeout
        self._context = context or (
            ssl.create_default_context() if self._secure else None
        )
        proxy = urllib.request.getproxies().get(url.scheme)
        self._proxy = None
        if proxy and not urllib.request.proxy_bypass(self._host):
            self._proxy = urllib.parse.urlsplit(
                proxy if "://" in proxy else f"http://{proxy}"
            )
        self._idle: list[tuple[http.client.HTTPConnection, float]] = []
        self._lock = threading.Lock()
        self._closed = False

    def ask(
        self,
        method: str,
        path: str,
        payload: bytes | None,
        headers: Mapping[str, str],
        deadline: _Deadline,
        call: _Call,
    ) -> _Answer:
        connection = self._kept() or self._connected(deadline)
        its_socket: socket.socket = connection.sock
        try:
            call.uses(its_socket)
            its_socket.settimeout(deadline.rest())
            # A service that refuses a request may close before it has read all of it; its answer counts.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(
                    method,
                    self._target + path,
                    payload,
                    {**headers, **self._proxy_headers},
                )
            its_socket.settimeout(deadline.rest())
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            call.check()
            raise self._explained(error, deadline, sent=True) from error
        except BaseException:
            connection.close()
            raise
        return _Answer(self, connection, its_socket, response, deadline)

    @property
    def _target(self) -> str:
        """Before a path: an HTTP proxy is asked for the whole address."""
        if self._proxy is None or self._secure:
            return self._path
        return f"{self._shown}{self._path}"

    @property
    def _proxy_headers(self) -> dict[str, str]:
        if self._proxy is None or not self._proxy.username or self._secure:
            return {}
        return {"Proxy-Authorization": self._proxy_key(self._proxy)}

    def _proxy_key(self, proxy: urllib.parse.SplitResult) -> str:
        user, password = (
            urllib.parse.unquote(part or "")
            for part in (proxy.username, proxy.password)
        )
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def _connected(self, deadline: _Deadline) -> http.client.HTTPConnection:
        rest = deadline.rest()
        limit = (
            self._connect_timeout if rest is None else min(rest, self._connect_timeout)
        )
        proxy = self._proxy
        host, port = (
            (proxy.hostname or "", proxy.port or 80)
            if proxy
            else (self._host, self._port)
        )
        connection: http.client.HTTPConnection
        if self._secure:
            connection = http.client.HTTPSConnection(
                host, port, timeout=limit, context=self._context
            )
            if proxy:
                tunnel = (
                    {"Proxy-Authorization": self._proxy_key(proxy)}
                    if proxy.username
                    else {}
                )
                connection.set_tunnel(self._host, self._port, tunnel)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=limit)
        try:
            connection.connect()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if isinstance(error, TimeoutError):
                deadline.rest()
                raise ServiceUnreachableError(
                    f"no connection to {self._shown} within {limit:g} s", sent=False
                ) from error
            raise self._explained(error, deadline, sent=False) from error
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _explained(
        self, error: Exception, deadline: _Deadline, *, sent: bool
    ) -> ServiceError:
        if isinstance(error, TimeoutError):
            return ServiceTimeoutError(
                f"{self._shown} did not answer within {deadline.seconds or 0:g} s"
            )
        if isinstance(error, ConnectionRefusedError):
            return ServiceUnreachableError(
                f"nothing listens at {self._shown}", sent=sent
            )
        return ServiceUnreachableError(
            f"{self._shown} cannot be reached: {error or type(error).__name__}",
            sent=sent,
        )

    def _kept(self) -> http.client.HTTPConnection | None:
        """One that is open still: services close what is idle for long."""
        while True:
            with self._lock:
                if self._closed:
                    raise ServiceError("the client is closed")
                if not self._idle:
                    return None
                connection, since = self._idle.pop()
            if time.monotonic() - since < self._longest_idle and not _has_news(
                connection.sock
            ):
                return connection
            connection.close()

    def keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if not self._closed and connection.sock is not None:
                self._idle.append((connection, time.monotonic()))
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()


class _Answer:
    """An answer whose head is there."""

    def __init__(
        self,
        connections: _Connections,
        connection: http.client.HTTPConnection,
        its_socket: socket.socket,
        response: http.client.HTTPResponse,
        deadline: _Deadline,
    ) -> None:
        self.status = response.status
        self.request_id = response.headers.get("X-Request-Id")
        self.is_events = response.headers.get_content_type() == "text/event-stream"
        self._connections = connections
        self._connection = connection
        self._socket = its_socket
        self._response = response
        self._deadline = deadline
        self._over = False

    def chunks(self) -> Iterator[bytes]:
        """What comes, as it comes. In a stream of events the limit is for silence alone."""
        while True:
            self._socket.settimeout(
                self._deadline.seconds if self.is_events else self._deadline.rest()
            )
            try:
                chunk = self._response.read1(65536)
            except TimeoutError as error:
                raise ServiceTimeoutError(
                    f"no answer within {self._deadline.seconds or 0:g} s"
                ) from error
            except (
                OSError,
                http.client.HTTPException,
                ValueError,
                AttributeError,  # another thread has closed it
            ) as error:
                raise ServiceUnreachableError("the answer broke off") from error
            if chunk:
                yield chunk
                continue
            if self._response.length:
                raise ServiceUnreachableError("the answer broke off")
            return

    def text(self) -> str:
        try:
            body = b"".join(self.chunks())
        except BaseException:
            self.abort()
            raise
        self.finish()
        return body.decode("utf-8", "replace")

    def json(self) -> Any:
        text = self.text()
        try:
            return json.loads(text)
        except ValueError as error:
            raise ApiError(
                self.status,
                "not_json",
                "the answer is not JSON: is this the address of the service?",
            ) from error

    def error(self) -> ApiError:
        """What the service says, when it is no success."""
        try:
            text = self.text()
        except ServiceError:
            text = ""
        try:
            said = json.loads(text)
        except ValueError:
            said = None
        kind = _error_kinds.get(
            self.status, BadRequestError if self.status < 500 else ServerError
        )
        error = _said_error(kind, self.status, said, self.request_id)
        error.retry_after = _seconds(self._response.headers.get("Retry-After"))
        return error

    def may_repeat(self, repeatable: bool) -> bool:
        """429 and 503 say that the service has not begun; a gateway's 502 and 504 leave it open."""
        if self._response.headers.get("X-Should-Retry") == "false":
            return False
        return self.status in (429, 503) or (repeatable and self.status in (502, 504))

    def finish(self) -> None:
        """Read to its end, so that the connection may serve another request."""
        if self._over:
            return
        if self.is_events:
            try:
                self._socket.settimeout(1.0)
                self._response.read()
            except (OSError, http.client.HTTPException):
                self.abort()
                return
        self._over = True
        stays = not self._response.will_close
        self._response.close()
        if stays:
            self._connections.keep(self._connection)
        else:
            self._connection.close()

    def abort(self) -> None:
        """Leave it where it is; a thread that reads it gets an end."""
        if self._over:
            return
        self._over = True
        _shut(self._socket)
        self._connection.close()


_error_kinds: Mapping[int, type[ApiError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    422: InvalidInputError,
    429: RateLimitError,
}


def _said_error(
    kind: type[ApiError], status: int, said: Any, request_id: str | None
) -> ApiError:
    error = said.get("error") if isinstance(said, dict) else None
    if not isinstance(error, dict):
        reason = (
            error
            if isinstance(error, str)
            else http.client.responses.get(status, "no success")
        )
        return kind(status, f"http_{status}", reason, request_id=request_id)
    details = error.get("details")
    return kind(
        status,
        str(error.get("code")),
        str(error.get("message")),
        request_id=error.get("request_id") or request_id,
        details=details if isinstance(details, list) else (),
    )


def _seconds(text: str | None) -> float | None:
    """Retry-After: seconds, or a date."""
    if text is None:
        return None
    try:
        if text.strip().replace(".", "", 1).isdigit():
            return float(text)
        return max(
            0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        )
    except (ValueError, TypeError, OverflowError):
        return None


# if predicts
def _outputs(answer: Any, count: int | None) -> list[Output]:
    rows = answer.get("rows") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or count not in (None, len(rows)):
        raise ApiError(
            200,
            "not_expected",
            "the answer is not what this client expects: make it again",
        )
    return cast("list[Output]", rows)


# end
def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise ApiError(
            200,
            "not_expected",
            "the answer is not what this client expects: make it again",
        )
    return answer


# if generates
def _first(answer: Any) -> dict[str, Any]:
    choices = _object(answer).get("choices")
    return _object(choices[0] if isinstance(choices, list) and choices else None)


def _text(holder: Any, key: str) -> str:
    text = holder.get(key) if isinstance(holder, dict) else None
    return text if isinstance(text, str) else ""


# end
def _plain(value: Any) -> Any:
    """Arrays and numbers of numpy and its like, as JSON has them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _has_news(its_socket: socket.socket) -> bool:
    """An idle connection has none, unless it was closed."""
    with selectors.DefaultSelector() as selector:
        selector.register(its_socket, selectors.EVENT_READ)
        return bool(selector.select(timeout=0))


def _shut(its_socket: socket.socket) -> None:
    with contextlib.suppress(OSError):
        its_socket.shutdown(socket.SHUT_RDWR)
