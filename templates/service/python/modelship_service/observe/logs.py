"""The log: one JSON object a line on stdout, and nothing else on stdout."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import select
import sys
import time
from datetime import datetime, timezone
from typing import Any

import msgspec

LEVELS = ("debug", "info", "warning", "error")

_RANK = {level: rank for rank, level in enumerate(LEVELS)}
_FLUSH_S = 0.02
_FLUSH_LINES = 256

_encoder = msgspec.json.Encoder()


class RequestLine(msgspec.Struct, tag_field="event", tag="request", omit_defaults=True, gc=False):
    """The line of a request."""

    ts: str
    level: str
    method: str
    route: str | None
    status: int
    ms: float
    request_id: str
    key: str | None = None
    rows: int | None = None
    queue_ms: float | None = None
    code: str | None = None
    trace_id: str | None = None
    # Only where MODELSHIP_LOG_BODIES asks for it.
    body: str | None = None


class Log:
    """Lines are kept for a moment while requests are served, so that many of them cost one write."""

    def __init__(self, fd: int, level: str = "info") -> None:
        self._fd = fd
        self._lowest = _RANK[level]
        self._lines: list[RequestLine] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._second = 0
        self._date = ""

    def enabled(self, level: str) -> bool:
        return _RANK[level] >= self._lowest

    def keep_lines(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """From now on `request` may wait for company in `loop`; None ends that."""
        self._loop = loop
        self.flush()

    def write(self, level: str, event: str, **fields: Any) -> None:
        if _RANK[level] < self._lowest:
            return
        # Straight out: this may be called from the model's thread, to which the kept lines do not belong.
        self._put(_encoder.encode({"ts": self.now(), "level": level, "event": event, **fields}) + b"\n")

    def request(self, line: RequestLine) -> None:
        """A line of a request that is `enabled`; called from the event loop only."""
        lines = self._lines
        lines.append(line)
        if self._loop is None or len(lines) >= _FLUSH_LINES:
            self.flush()
        elif len(lines) == 1:
            self._loop.call_later(_FLUSH_S, self.flush)

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self._put(_encoder.encode_lines(lines))

    def now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._date = datetime.fromtimestamp(second, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.")
        return f"{self._date}{int((now - second) * 1000):03d}Z"

    def _put(self, line: bytes) -> None:
        """A reader that went away must not take the service with it."""
        while line:
            try:
                line = line[os.write(self._fd, line) :]
            except BlockingIOError:
                select.select([], [self._fd], [], 1.0)
            except OSError:
                return


def claim_stdout() -> int:
    """Keep stdout for the log; what user code prints goes to stderr, C libraries included."""
    # Before anything is moved: a stream on a file looks where it is, and would not find that out on a pipe.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Lines of several workers stay whole, also under PYTHONUNBUFFERED.
            stream.reconfigure(line_buffering=True, write_through=False, errors="backslashreplace")
    try:
        fd = os.dup(1)
        os.dup2(2, 1)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)
    return fd


class ServerLogHandler(logging.Handler):
    """What the HTTP server itself has to say, as lines of the same log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        fields: dict[str, Any] = {"message": record.getMessage().strip()}
        if record.exc_info:
            fields["traceback"] = logging.Formatter().formatException(record.exc_info)
        self._log.write(level, "server", **fields)
