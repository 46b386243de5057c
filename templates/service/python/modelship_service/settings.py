"""What the service is told: environment variables, read once and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelship_service.observe.logs import LEVELS


class SettingsError(Exception):
    """A variable has a value that the service cannot use."""


@dataclass(frozen=True)
class Settings:
    name: str = "model"
    version: str = "0.0.0"
    entry: str = "model.py:Model"
    files: Path | None = None
    host: str = "0.0.0.0"
    port: int = 8080
    timeout_s: float = 30.0
    drain_s: float = 20.0
    max_body_bytes: int = 16 * 1024 * 1024
    max_rows: int = 1024
    queue_max_rows: int = 256
    log_level: str = "info"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        given: dict[str, Any] = {}
        for field, read in READERS.items():
            variable = f"MODELSHIP_{field.upper()}"
            text = env.get(variable, "").strip()
            if not text:
                continue
            try:
                given[field] = read(text)
            except ValueError as problem:
                raise SettingsError(f"{variable} {problem}, and it is {text!r}") from None
        return cls(**given)


def _whole(lowest: int, highest: int = 2**53) -> Any:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not lowest <= int(text) <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return int(text)

    return read


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 86_400:
        raise ValueError("must be a number of seconds above 0 and up to 86400")
    return value


def _entry(text: str) -> str:
    file, colon, name = text.rpartition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise ValueError("must look like model.py:Model, a file and a class in it")
    return text


def _level(text: str) -> str:
    if text.lower() not in LEVELS:
        raise ValueError(f"must be one of {', '.join(LEVELS)}")
    return text.lower()


READERS: dict[str, Any] = {
    "name": str,
    "version": str,
    "entry": _entry,
    "files": Path,
    "host": str,
    "port": _whole(0, 65_535),
    "timeout_s": _seconds,
    "drain_s": _seconds,
    "max_body_bytes": _whole(1),
    "max_rows": _whole(1),
    "queue_max_rows": _whole(1),
    "log_level": _level,
}
