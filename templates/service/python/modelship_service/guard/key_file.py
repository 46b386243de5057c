"""Where the keys come from: a variable, and a file that may change while the service runs."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

from modelship_service.guard.key_list import parse_keys
from modelship_service.guard.keys import Key, KeyRing, KeysError
from modelship_service.observe.logs import Log

MAX_FILE_BYTES = 1024 * 1024
POLL_S = 1.0

# Tells one state of the file from another; None when there is no file.
_Signature = tuple[int, int, int] | None


class KeySource:
    """`ring` has the keys as they are now. Keys that cannot be read at the start are a KeysError."""

    def __init__(self, api_keys: str, keys_file: Path | None, log: Log) -> None:
        # Keys were asked for, even if there is none: nobody gets in then.
        self.configured = bool(api_keys) or keys_file is not None
        self._file = keys_file
        self._log = log
        try:
            self._fixed = parse_keys(api_keys) if api_keys else []
        except KeysError as problem:
            raise KeysError(f"MODELSHIP_API_KEYS: {problem}") from None
        self._seen = self._signature()
        self.ring = self._load()
        if self.configured:
            self._log.write("info", "keys_loaded", count=len(self.ring))

    def reload(self) -> None:
        """Read the file again. One that cannot be used changes nothing but the log."""
        self._seen = self._signature()
        try:
            self.ring = self._load()
        except KeysError as problem:
            self._log.write("error", "keys_invalid", reason=str(problem))
        else:
            self._log.write("info", "keys_loaded", count=len(self.ring))

    async def watch(self) -> None:
        """Read the file again whenever it has changed, until cancelled."""
        while self._file is not None:
            await asyncio.sleep(POLL_S)
            if self._signature() != self._seen:
                self.reload()

    def _signature(self) -> _Signature:
        if self._file is None:
            return None
        try:
            found = os.stat(self._file)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _load(self) -> KeyRing:
        if self._file is None:
            return KeyRing(self._fixed)
        try:
            return KeyRing([*self._fixed, *_read(self._file)])
        except KeysError as problem:
            raise KeysError(f"{self._file}: {problem}") from None


def _read(file: Path) -> list[Key]:
    try:
        with open(file, "rb", opener=_open_at_once) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise KeysError("it is not a regular file")
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as problem:
        raise KeysError(problem.strerror or "it cannot be read") from None
    if len(content) > MAX_FILE_BYTES:
        raise KeysError(f"it is larger than {MAX_FILE_BYTES} bytes")
    try:
        return parse_keys(content.decode())
    except UnicodeDecodeError:
        raise KeysError("it is not UTF-8 text") from None


def _open_at_once(path: str, flags: int) -> int:
    """Where somebody put a pipe, there is no waiting for its writer."""
    return os.open(path, flags | os.O_NONBLOCK)
