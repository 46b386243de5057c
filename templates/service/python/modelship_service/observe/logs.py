"""The log: one JSON object a line on stdout, and nothing else on stdout."""

from __future__ import annotations

import io
import logging
import os
import select
import sys
from datetime import datetime, timezone
from typing import Any

import msgspec

LEVELS = ("debug", "info", "warning", "error")

_encoder = msgspec.json.Encoder()


class Log:
    def __init__(self, fd: int, level: str = "info") -> None:
        self._fd = fd
        self._lowest = LEVELS.index(level)

    def write(self, level: str, event: str, **fields: Any) -> None:
        if LEVELS.index(level) < self._lowest:
            return
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"ts": now, "level": level, "event": event, **fields}
        self._put(_encoder.encode(line) + b"\n")

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
    try:
        fd = os.dup(1)
        os.dup2(2, 1)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
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
